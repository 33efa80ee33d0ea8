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
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/concepts/stream_sink.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/core/generation.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/model/forward.hpp"
#include "sluice/pipeline/answer.hpp"
#include "sluice/pipeline/loaded_model.hpp"
#include "sluice/pipeline/policies.hpp"
#include "sluice/sink/notify.hpp"
#include "sluice/text/chat_template.hpp"

namespace sluice {

//! A loaded model with one conversation's cache. P is a policy bundle such as Qwen3MoeCpu<quant::Q4_K_M>.
//! One call at a time; different pipelines are independent.
template <class P>
class Pipeline {
    static_assert(check_policies<P>());

public:
    using Sampler = typename P::Sampler;

    //! Opens a model file, or says what is wrong with it.
    static Expected<Pipeline> load(const std::filesystem::path& path, const LoadOptions& options = {}) {
        SLUICE_ASSIGN(LoadedModel<P> model, LoadedModel<P>::load(path, options));
        return guard_memory(path, options.context, [&]() -> Expected<Pipeline> { return Pipeline(std::move(model)); });
    }

    //! Continues `prompt` token by token: sample, hand to the sink, test for an end, then compute the next logits.
    //! Whatever the cache already holds of the prompt's beginning is not computed again. A forward pass computes the
    //! drafter's guesses, too, and is not needed for a token that was guessed: sampler, sink and cache see no
    //! difference.
    template <class Sink>
    Expected<GenerationResult> generate(std::span<const Token> prompt, const GenerateOptions& options, Sampler& sampler,
                                        Sink& sink) {
        static_assert(StreamSink<Sink>,
                      "Pipeline: the sink does not model sluice::StreamSink; see docs/add_a_component.md#streamsink");
        auto result = [&] {
            const DropGuesses at_end{*this};  // also where the sampler or the sink throws
            return run(prompt, options, sampler, sink);
        }();
        notify_outcome(sink, result);
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

    //! Text and conversations as prompts: LoadedModel::text_prompt and chat_prompt.
    Expected<std::vector<Token>> text_prompt(std::string_view text) const { return model_.text_prompt(text); }
    Expected<std::vector<Token>> chat_prompt(std::span<const chat::Message> messages,
                                             const chat::Options& options = {}) const {
        return model_.chat_prompt(messages, options);
    }

    //! f(position, logits [vocab]) for every token of a text, each given those before it. Empties the cache.
    template <std::invocable<std::size_t, std::span<const float>> F>
    Status each_logits(std::span<const Token> tokens, F f) {
        SLUICE_TRY(model_.check_prompt(tokens, model_.context));
        reset();
        history_.assign(tokens.begin(), tokens.end());
        const std::size_t batch = std::min<std::size_t>(model_.forward.max_rows(), 32);
        Buffer<float> logits(batch * model_.forward.vocab());
        for (std::size_t at = 0; at < tokens.size();) {
            const std::size_t n = std::min(batch, tokens.size() - at);
            std::span<float> rows = logits.span(0, logits.size());
            SLUICE_TRY(compute(tokens.subspan(at, n), n, rows, nullptr));
            for (std::size_t i = 0; i < n; ++i, ++at)
                f(at, logits.span(i * model_.forward.vocab(), model_.forward.vocab()));
        }
        return {};
    }

    //! Forgets the conversation in the cache.
    void reset() {
        model_.cache.truncate(0, 0);
        history_.clear();
        pass_.clear();
    }

    const gguf::File& file() const { return model_.file; }
    const model::Hyperparameters& hyperparameters() const { return model_.hyperparameters; }
    const typename P::template Forward<P>& forward() const { return model_.forward; }
    const typename P::KvCache& cache() const { return model_.cache; }
    const typename P::Tokenizer& tokenizer() const { return model_.vocabulary.tokenizer; }
    std::size_t context() const { return model_.context; }
    std::size_t threads() const { return model_.executor->size(); }

private:
    using Clock = std::chrono::steady_clock;
    using Logits = typename P::template Forward<P>::Logits;

    explicit Pipeline(LoadedModel<P> model)
        : model_(std::move(model)),
          drafter_(model_.context),
          most_guesses_(std::min<std::size_t>(P::Drafter::max_tokens, model_.forward.max_rows() - 1)),
          logits_(model_.forward.make_logits(*model_.executor, 1 + most_guesses_)) {
        history_.reserve(model_.context);
        pass_.reserve(1 + most_guesses_);
        rows_.reserve(model_.forward.max_rows());
    }

    template <class Sink>
    Expected<GenerationResult> run(std::span<const Token> prompt, const GenerateOptions& options, Sampler& sampler,
                                   Sink& sink) {
        SLUICE_TRY(model_.check_prompt(prompt, model_.context - 1));
        SLUICE_ASSIGN(Answer answer, Answer::create(options, model_.context - prompt.size()));
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

        while (!answer.end()) {
            SLUICE_ASSIGN(const Token token, sampler.sample(logits_.row(row_), sample_context(options, answer.left())));
            history_.push_back(token);
            const Flow flow = sink.on_token(answer.add(model_.vocabulary, token));
            if (flow == Flow::stop || is_cancelled(options)) answer.cancel();
            if (answer.end()) break;
            const Status computed = advance(answer.left(), options, result.drafts);
            if (!computed.ok() && computed.code() != Errc::cancelled) return computed;
            if (!computed.ok()) answer.cancel();
        }
        result.finish_reason = *answer.end();
        result.usage.completion_tokens = answer.tokens();
        result.timings.predicted_ms = milliseconds(Clock::now() - prompt_done);
        return result;
    }

    //! Keeps what the cache and the prompt have in common at their beginnings, but leaves the last token to compute,
    //! for its logits. Returns how many tokens are kept.
    std::size_t reuse(std::span<const Token> prompt) {
        const std::size_t kept = reusable_tokens(prompt, std::span(history_).first(model_.cache.length(0)));
        model_.cache.truncate(0, kept);
        history_.assign(prompt.begin(), prompt.end());
        return kept;
    }

    //! Computes the prompt in batches, for the logits of its last token.
    Status prefill(std::span<const Token> prompt, const std::atomic<bool>* cancel) {
        drafter_.restart();
        pass_.clear();
        row_ = 0;
        while (!prompt.empty()) {
            const std::size_t n = std::min(model_.forward.max_rows(), prompt.size());
            const std::size_t wanted = n == prompt.size() ? 1 : 0;
            SLUICE_TRY(compute(prompt.first(n), wanted, logits_, cancel));
            prompt = prompt.subspan(n);
        }
        return {};
    }

    //! Goes on to the logits behind the last token of history_. They are there if it was guessed; if not, they are
    //! computed along with those behind new guesses. The answer may get `left` more tokens.
    Status advance(std::size_t left, const GenerateOptions& options, DraftCounts& drafts) {
        const Token token = history_.back();
        if (!guesses().empty() && guesses().front() == token) {
            ++row_;
            ++drafts.accepted;
            return {};
        }
        drop_guesses();
        pass_.assign(1, token);
        if constexpr (P::Drafter::max_tokens > 0) {
            const auto proposed = drafter_.propose(history_, std::min({most_guesses_, options.max_draft, left - 1}));
            pass_.insert(pass_.end(), proposed.begin(), proposed.end());
        }
        row_ = pass_.size();  // none of it is there yet
        SLUICE_TRY(compute(pass_, pass_.size(), logits_, options.cancel));
        row_ = 0;
        drafts.drafted += guesses().size();
        return {};
    }

    //! The tokens behind row_ that were computed as guesses, and are still to come true.
    std::span<const Token> guesses() const {
        return std::span<const Token>(pass_).subspan(std::min(row_ + 1, pass_.size()));
    }

    //! Forgets what was computed and did not come true.
    void drop_guesses() noexcept {
        if (!guesses().empty()) model_.cache.truncate(0, model_.cache.length(0) - guesses().size());
        pass_.clear();
    }
    struct DropGuesses {
        Pipeline& pipeline;
        ~DropGuesses() { pipeline.drop_guesses(); }
    };

    //! One forward pass over tokens that continue the sequence; logits for the last `wanted` of them.
    template <class Rows>
    Status compute(std::span<const Token> tokens, std::size_t wanted, Rows& logits, const std::atomic<bool>* cancel) {
        rows_.clear();
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            const auto position = static_cast<std::int32_t>(model_.cache.length(0) + i);
            rows_.push_back({tokens[i], 0, position, i + wanted >= tokens.size()});
        }
        return model_.forward(*model_.executor, model_.cache, rows_, logits, cancel);
    }

    static bool is_cancelled(const GenerateOptions& options) {
        return options.cancel != nullptr && options.cancel->load(std::memory_order_relaxed);
    }

    //! For the next of the `left` tokens that the answer may still get.
    SampleContext sample_context(const GenerateOptions& options, std::size_t left) const {
        const bool guesses = most_guesses_ > 0 && options.max_draft > 0;
        return {.history = history_,
                .seed = options.seed,
                .position = static_cast<std::uint32_t>(history_.size()),
                .goes_on = left > 1 && !guesses};
    }

    static double milliseconds(Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

    LoadedModel<P> model_;
    typename P::Drafter drafter_;
    std::size_t most_guesses_;    // of a forward pass
    Logits logits_;               // of 1 + most_guesses_ rows
    std::size_t row_ = 0;         // of logits_: those of the next token
    std::vector<Token> history_;  // prompt and generated tokens; the cache holds their first, then guesses()
    std::vector<Token> pass_;     // tokens of the last decoding pass: a known one, and guesses behind it
    std::vector<Row> rows_;
};

}  // namespace sluice
