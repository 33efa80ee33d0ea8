// SPDX-License-Identifier: Apache-2.0
//! The whole system on one page: a GGUF file in, tokens out, one by one.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/concepts/stream_sink.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/core/generation.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/model/forward.hpp"
#include "sluice/model/model.hpp"
#include "sluice/pipeline/policies.hpp"
#include "sluice/sink/notify.hpp"
#include "sluice/text/chat_template.hpp"
#include "sluice/text/stop_strings.hpp"
#include "sluice/text/visible_text.hpp"
#include "sluice/text/vocabulary.hpp"

namespace sluice {

struct LoadOptions {
    std::size_t context = 4096;  //!< positions to make room for; 0 or more than the model's own: the model's own
    std::size_t threads = 0;     //!< 0: as many as the machine has; at most max_threads
    std::size_t batch = 256;     //!< rows of the largest forward pass; a longer prompt is cut into such pieces
    Normalization normalization = Normalization::none;
    //! Weights of up to this many bytes are copied into the layout that is fastest from the caches; larger ones are
    //! used where the file is mapped, at the speed of memory.
    std::size_t interleave_limit = std::size_t{512} << 20;

    static constexpr std::size_t max_threads = 512;
};

struct GenerateOptions {
    std::size_t max_tokens = std::numeric_limits<std::size_t>::max();  //!< the stop token counts
    std::vector<std::string> stop{};                                   //!< texts that end the answer
    std::uint64_t seed = 0;                                            //!< the same seed gives the same tokens
    bool ignore_stop_tokens = false;                                   //!< go on to max_tokens
    const std::atomic<bool>* cancel = nullptr;                         //!< set it to end the generation soon
};

//! A loaded model with one conversation's cache. P is a policy bundle such as Qwen3MoeCpu<quant::Q4_K_M>.
//! One call at a time; different pipelines are independent.
template <class P>
class Pipeline {
    static_assert(check_policies<P>());

public:
    using Sampler = typename P::Sampler;

    //! Opens a model file, or says what is wrong with it.
    static Expected<Pipeline> load(const std::filesystem::path& path, const LoadOptions& options = {}) {
        if (options.threads > LoadOptions::max_threads) {
            return Status(
                Errc::invalid_argument, "threads",
                std::to_string(options.threads) + " are more than " + std::to_string(LoadOptions::max_threads),
                "give as many as the machine has processors, or 0");
        }
        try {
            return load_unguarded(path, options);
        } catch (const std::bad_alloc&) {
            return Status(Errc::out_of_capacity, path.string(),
                          "not enough memory for " +
                              (options.context == 0 ? std::string("the model's whole context")
                                                    : "a context of " + std::to_string(options.context) + " positions"),
                          "load with a smaller context");
        } catch (const std::system_error& error) {
            return Status(Errc::out_of_capacity, "threads", "could not be started: " + error.code().message(),
                          "load with fewer threads");
        }
    }

    //! Continues `prompt` token by token: sample, hand to the sink, test for an end, then compute the next logits.
    //! Whatever the cache already holds of the prompt's beginning is not computed again.
    template <class Sink>
    Expected<GenerationResult> generate(std::span<const Token> prompt, const GenerateOptions& options, Sampler& sampler,
                                        Sink& sink) {
        static_assert(StreamSink<Sink>,
                      "Pipeline: the sink does not model sluice::StreamSink; see docs/add_a_component.md#streamsink");
        auto result = run(prompt, options, sampler, sink);
        if (result.ok()) {
            notify_finish(sink, *result);
        } else {
            notify_error(sink, result.status());
        }
        return result;
    }

    //! The same for a text.
    template <class Sink>
    Expected<GenerationResult> generate(std::string_view prompt, const GenerateOptions& options, Sampler& sampler,
                                        Sink& sink) {
        const auto tokens = text_prompt(prompt);
        if (!tokens.ok()) {
            notify_error(sink, tokens.status());
            return tokens.status();
        }
        return generate(std::span<const Token>(*tokens), options, sampler, sink);
    }

    //! A text as a prompt: special tokens in it are parsed, so it is not for what strangers write (see chat_prompt),
    //! and the file's beginning-of-sequence token is put in front where the file asks for that.
    Expected<std::vector<Token>> text_prompt(std::string_view text) const {
        SLUICE_ASSIGN(std::vector<Token> tokens, vocabulary_.tokenizer.encode(text, SpecialTokens::parse));
        if (vocabulary_.bos) tokens.insert(tokens.begin(), *vocabulary_.bos);
        return tokens;
    }

    //! A conversation as a prompt, in Qwen3's format; an error where the file has another chat template.
    Expected<std::vector<Token>> chat_prompt(std::span<const chat::Message> messages,
                                             const chat::Options& options = {}) const {
        if (chat::template_fit(vocabulary_.chat_template) == chat::TemplateFit::other) {
            return Status(Errc::unsupported, file_.name() + ": key 'tokenizer.chat_template'",
                          vocabulary_.chat_template.empty() ? "is missing" : "is not Qwen3's",
                          "prompt this model with plain text in its own format");
        }
        return chat::encode(vocabulary_.tokenizer, messages, options);
    }

    //! f(position, logits [vocab]) for every token of a text, each given those before it. Empties the cache.
    template <std::invocable<std::size_t, std::span<const float>> F>
    Status each_logits(std::span<const Token> tokens, F f) {
        SLUICE_TRY(check_prompt(tokens, context_));
        reset();
        history_.assign(tokens.begin(), tokens.end());
        const std::size_t batch = std::min<std::size_t>(forward_.max_rows(), 32);
        Buffer<float> logits(batch * forward_.vocab());
        for (std::size_t at = 0; at < tokens.size();) {
            const std::size_t n = std::min(batch, tokens.size() - at);
            SLUICE_TRY(compute(tokens.subspan(at, n), n, logits.span(0, logits.size()), nullptr));
            for (std::size_t i = 0; i < n; ++i, ++at) f(at, logits.span(i * forward_.vocab(), forward_.vocab()));
        }
        return {};
    }

    //! Forgets the conversation in the cache.
    void reset() {
        cache_.truncate(0, 0);
        history_.clear();
    }

    const gguf::File& file() const { return file_; }
    const model::Hyperparameters& hyperparameters() const { return hyperparameters_; }
    const model::Forward<P>& forward() const { return forward_; }
    const typename P::KvCache& cache() const { return cache_; }
    const typename P::Tokenizer& tokenizer() const { return vocabulary_.tokenizer; }
    std::size_t context() const { return context_; }
    std::size_t threads() const { return executor_->size(); }

private:
    using Clock = std::chrono::steady_clock;
    using Vocabulary = sluice::Vocabulary<typename P::Tokenizer>;

    Pipeline(gguf::File file, const model::Hyperparameters& h, Vocabulary vocabulary,
             std::unique_ptr<typename P::Executor> executor, typename P::KvCache cache, model::Forward<P> forward,
             std::size_t context)
        : file_(std::move(file)),
          hyperparameters_(h),
          vocabulary_(std::move(vocabulary)),
          executor_(std::move(executor)),
          cache_(std::move(cache)),
          forward_(std::move(forward)),
          context_(context),
          logits_(h.shape.vocab) {
        history_.reserve(context);
        rows_.reserve(forward_.max_rows());
    }

    //! load(), but memory and threads that run out are exceptions, as the standard library throws them.
    static Expected<Pipeline> load_unguarded(const std::filesystem::path& path, const LoadOptions& options) {
        SLUICE_ASSIGN(gguf::File file, gguf::File::open(path));
        SLUICE_ASSIGN(model::Model<P> model, model::Model<P>::read(file, options.interleave_limit));
        const model::Hyperparameters h = model.hyperparameters;
        SLUICE_ASSIGN(Vocabulary vocabulary, read_vocabulary<typename P::Tokenizer>(file, options.normalization));
        if (vocabulary.tokenizer.vocab_size() > h.shape.vocab) {
            return Status(Errc::corrupt, file.name() + ": key 'tokenizer.ggml.tokens'",
                          "has " + std::to_string(vocabulary.tokenizer.vocab_size()) +
                              " tokens, but the model knows only " + std::to_string(h.shape.vocab),
                          "convert the model again");
        }
        const bool whole = options.context == 0 || options.context > h.context;
        const std::size_t context = whole ? h.context : options.context;
        const std::size_t batch = std::clamp<std::size_t>(options.batch, 1, context);
        auto executor = make_executor(options.threads);
        const KvCacheShape cache{h.shape.layers, h.shape.kv_heads, h.shape.head_dim, 1, context};
        const model::ForwardLimits limits{batch, context, executor->size()};
        return Pipeline(std::move(file), h, std::move(vocabulary), std::move(executor), typename P::KvCache(cache),
                        model::Forward<P>(std::move(model), limits), context);
    }

    static std::unique_ptr<typename P::Executor> make_executor(std::size_t threads) {
        if constexpr (std::constructible_from<typename P::Executor, std::size_t>) {
            const std::size_t all =
                std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, LoadOptions::max_threads);
            return std::make_unique<typename P::Executor>(threads == 0 ? all : threads);
        } else {
            return std::make_unique<typename P::Executor>();
        }
    }

    template <class Sink>
    Expected<GenerationResult> run(std::span<const Token> prompt, const GenerateOptions& options, Sampler& sampler,
                                   Sink& sink) {
        SLUICE_TRY(check_prompt(prompt, context_ - 1));
        SLUICE_ASSIGN(StopStrings stops, StopStrings::create(options.stop));
        GenerationResult result;
        result.usage.prompt_tokens = prompt.size();
        result.usage.cached_tokens = reuse(prompt);

        const auto start = Clock::now();
        const Status prefilled = prefill(prompt.subspan(result.usage.cached_tokens), options.cancel);
        const auto prompt_done = Clock::now();
        result.timings.prompt_ms = milliseconds(prompt_done - start);
        if (!prefilled.ok() && prefilled.code() != Errc::cancelled) return prefilled;
        if (!prefilled.ok()) {
            result.finish_reason = FinishReason::cancelled;
            return result;
        }

        const std::size_t room = context_ - prompt.size();
        const std::size_t budget = std::min(options.max_tokens, room);
        result.finish_reason = options.max_tokens <= room ? FinishReason::max_tokens : FinishReason::context_full;
        VisibleText visible(std::move(stops));
        std::string text;
        for (std::size_t i = 0; i < budget; ++i) {
            SLUICE_ASSIGN(const Token token, sampler.sample(logits_.span(0, logits_.size()), sample_context(options)));
            history_.push_back(token);
            ++result.usage.completion_tokens;

            text.clear();
            std::optional<FinishReason> end;
            const bool is_stop = !options.ignore_stop_tokens && is_stop_token(token);
            const std::string_view piece =
                vocabulary_.tokenizer.is_control(token) ? "" : vocabulary_.tokenizer.piece(token);
            if (is_stop) {
                end = FinishReason::stop_token;
            } else if (visible.push(piece, text)) {
                end = FinishReason::stop_string;
            } else if (i + 1 == budget) {
                end = result.finish_reason;
            }
            if (end && *end != FinishReason::stop_string && visible.finish(text) && !is_stop) {
                end = FinishReason::stop_string;
            }
            const Flow flow = sink.on_token(TokenEvent{i, token, text, is_stop});
            if (!end && flow == Flow::stop) end = FinishReason::cancelled;
            if (end) {
                result.finish_reason = *end;
                break;
            }
            const Status computed = compute({&token, 1}, 1, logits_.span(0, logits_.size()), options.cancel);
            if (computed.ok()) continue;
            if (computed.code() != Errc::cancelled) return computed;
            result.finish_reason = FinishReason::cancelled;
            break;
        }
        result.timings.predicted_ms = milliseconds(Clock::now() - prompt_done);
        return result;
    }

    Status check_prompt(std::span<const Token> prompt, std::size_t most) const {
        if (prompt.empty()) {
            return Status(Errc::invalid_argument, "prompt", "is empty", "give at least one token");
        }
        if (prompt.size() > most) {
            return Status(Errc::out_of_capacity, "prompt",
                          "has " + std::to_string(prompt.size()) + " tokens, but the context of " +
                              std::to_string(context_) + " has room for " + std::to_string(most),
                          "shorten it or load with a larger context");
        }
        return {};
    }

    //! Keeps what the cache and the prompt have in common at their beginnings, but leaves the last token to compute,
    //! for its logits. Returns how many tokens are kept.
    std::size_t reuse(std::span<const Token> prompt) {
        const std::size_t held = std::min(cache_.length(0), prompt.size() - 1);
        const auto same =
            std::mismatch(prompt.begin(), prompt.begin() + static_cast<std::ptrdiff_t>(held), history_.begin());
        const auto kept = static_cast<std::size_t>(same.first - prompt.begin());
        cache_.truncate(0, kept);
        history_.assign(prompt.begin(), prompt.end());
        return kept;
    }

    //! Computes the prompt in batches; the logits of its last token stay in logits_.
    Status prefill(std::span<const Token> prompt, const std::atomic<bool>* cancel) {
        while (!prompt.empty()) {
            const std::size_t n = std::min(forward_.max_rows(), prompt.size());
            const std::size_t wanted = n == prompt.size() ? 1 : 0;
            SLUICE_TRY(compute(prompt.first(n), wanted, logits_.span(0, logits_.size()), cancel));
            prompt = prompt.subspan(n);
        }
        return {};
    }

    //! One forward pass over tokens that continue the sequence; logits for the last `wanted` of them.
    Status compute(std::span<const Token> tokens, std::size_t wanted, std::span<float> logits,
                   const std::atomic<bool>* cancel) {
        rows_.clear();
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            const auto position = static_cast<std::int32_t>(cache_.length(0) + i);
            rows_.push_back({tokens[i], 0, position, i + wanted >= tokens.size()});
        }
        return forward_(*executor_, cache_, rows_, logits, cancel);
    }

    SampleContext sample_context(const GenerateOptions& options) const {
        return {history_, options.seed, 0, static_cast<std::uint32_t>(history_.size())};
    }

    bool is_stop_token(Token token) const { return std::ranges::binary_search(vocabulary_.stop_tokens, token); }

    static double milliseconds(Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

    gguf::File file_;
    model::Hyperparameters hyperparameters_;
    Vocabulary vocabulary_;
    std::unique_ptr<typename P::Executor> executor_;
    typename P::KvCache cache_;
    model::Forward<P> forward_;
    std::size_t context_;
    Buffer<float> logits_;        // [vocab] of the next token
    std::vector<Token> history_;  // prompt and generated tokens; the cache holds their first length(0)
    std::vector<Row> rows_;
};

}  // namespace sluice
