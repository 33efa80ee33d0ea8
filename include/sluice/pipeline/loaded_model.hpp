// SPDX-License-Identifier: Apache-2.0
//! A model file, loaded: everything that generating takes.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "sluice/concepts/kv_cache.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cpu/executor.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/model/batch.hpp"
#include "sluice/model/forward.hpp"
#include "sluice/model/model.hpp"
#include "sluice/pipeline/policies.hpp"
#include "sluice/text/chat_template.hpp"
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
    model::LoadProgress progress{};  //!< hears of weights that are copied to a device
    //! On a device: so many layers, the last ones, keep their experts on the CPU. For models larger than its memory.
    std::size_t cpu_moe = 0;

    static constexpr std::size_t max_threads = 512;
};

//! `threads`, or 0: as many as the machine has.
inline std::size_t thread_count(std::size_t threads) {
    if (threads > 0) return threads;
    return std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, LoadOptions::max_threads);
}

//! What computes, for the Executor slot. So many threads, if it is made of threads; 0: as many as the machine has.
template <class E>
Expected<std::unique_ptr<E>> make_executor(std::size_t threads) {
    if constexpr (std::constructible_from<E, std::size_t>) {
        return cpu::with_threads<E>(thread_count(threads));
    } else if constexpr (requires { E::create(); }) {  // a device, which may be missing
        SLUICE_ASSIGN(E device, E::create());
        return std::make_unique<E>(std::move(device));
    } else {
        return std::make_unique<E>();
    }
}

//! How many tokens of a prompt need not be computed, as `held`, the tokens of a sequence in the cache, begin with them
//! too. Not the prompt's last one, whose logits are needed.
inline std::size_t reusable_tokens(std::span<const Token> prompt, std::span<const Token> held) {
    const auto end = std::mismatch(prompt.begin(), prompt.end() - 1, held.begin(), held.end()).first;
    return static_cast<std::size_t>(end - prompt.begin());
}

//! f(), or the error that memory for a model with this context has run out.
template <class F>
std::invoke_result_t<F> guard_memory(const std::filesystem::path& path, std::size_t context, F f) {
    const auto too_large = [&] {
        return Status(
            Errc::out_of_capacity, path.string(),
            "not enough memory for " + (context == 0 ? std::string("the model's whole context")
                                                     : "a context of " + std::to_string(context) + " positions"),
            "load with a smaller context");
    };
    try {
        return f();
    } catch (const std::bad_alloc&) {
        return too_large();
    } catch (const std::length_error&) {  // a vector that no memory could hold
        return too_large();
    }
}

//! The parts that a Pipeline (one conversation) or a server::Engine (several at once) works with. P is a policy bundle.
//!
//! What takes long to compile is defined below the class, and so not inline: `extern template` keeps a program's other
//! translation units from compiling it once more (samples/common/load.hpp does so).
template <class P>
struct LoadedModel {
    gguf::File file;
    model::Hyperparameters hyperparameters;
    Vocabulary<typename P::Tokenizer> vocabulary;
    std::size_t context;  //!< positions of a sequence
    std::unique_ptr<typename P::Executor> executor;
    typename P::KvCache cache;
    typename P::template Forward<P> forward;

    //! Opens a model file, or says what is wrong with it. The cache has room for `sequences`, each as
    //! long as the context.
    static Expected<LoadedModel> load(const std::filesystem::path& path, const LoadOptions& options = {},
                                      std::size_t sequences = 1);

    //! A text as a prompt: special tokens in it are parsed, so it is not for what strangers write (see chat_prompt),
    //! and the file's beginning-of-sequence token is put in front where the file asks for that.
    Expected<std::vector<Token>> text_prompt(std::string_view text) const;

    //! A conversation as a prompt, in Qwen3's format; an error where the file has another chat template.
    Expected<std::vector<Token>> chat_prompt(std::span<const chat::Message> messages,
                                             const chat::Options& options = {}) const;

    //! A prompt must have a token, and `most` at most.
    Status check_prompt(std::span<const Token> prompt, std::size_t most) const {
        if (prompt.empty()) {
            return Status(Errc::invalid_argument, "prompt", "is empty", "give at least one token");
        }
        if (prompt.size() > most) {
            return Status(Errc::out_of_capacity, "prompt",
                          "has " + std::to_string(prompt.size()) + " tokens, but the context of " +
                              std::to_string(context) + " has room for " + std::to_string(most),
                          "shorten it or load with a larger context");
        }
        return {};
    }

private:
    //! load(), but memory that runs out is an exception, as the standard library throws it.
    static Expected<LoadedModel> load_unguarded(const std::filesystem::path& path, const LoadOptions& options,
                                                std::size_t sequences);

    using Forward = typename P::template Forward<P>;

    //! A forward pass on a device may leave experts to the CPU.
    static Expected<model::Ready<typename P::KvCache, Forward>> make_forward(typename P::Executor& executor,
                                                                             model::ModelOf<P> model,
                                                                             const KvCacheShape& cache,
                                                                             std::size_t batch,
                                                                             const LoadOptions& options) {
        const model::CpuExperts on_cpu{options.cpu_moe, thread_count(options.threads)};
        if constexpr (requires {
                          Forward::create(executor, std::move(model), cache, batch, options.progress, on_cpu);
                      }) {
            return Forward::create(executor, std::move(model), cache, batch, options.progress, on_cpu);
        } else {
            if (options.cpu_moe > 0 && !model::is_cpu_forward<Forward>) {
                return Status(Errc::unsupported, "cpu_moe", "is not for these policies: all experts are on the device",
                              "load with Qwen3MoeHybrid");
            }
            return Forward::create(executor, std::move(model), cache, batch, options.progress);
        }
    }
};

template <class P>
Expected<LoadedModel<P>> LoadedModel<P>::load(const std::filesystem::path& path, const LoadOptions& options,
                                              std::size_t sequences) {
    if (options.threads > LoadOptions::max_threads) {
        return Status(Errc::invalid_argument, "threads",
                      std::to_string(options.threads) + " are more than " + std::to_string(LoadOptions::max_threads),
                      "give as many as the machine has processors, or 0");
    }
    if (sequences == 0) {
        return Status(Errc::invalid_argument, "sequences", "0 leave no room for an answer", "give at least one");
    }
    return guard_memory(path, options.context, [&] { return load_unguarded(path, options, sequences); });
}

template <class P>
Expected<LoadedModel<P>> LoadedModel<P>::load_unguarded(const std::filesystem::path& path, const LoadOptions& options,
                                                        std::size_t sequences) {
    SLUICE_ASSIGN(gguf::File file, gguf::File::open(path));
    const std::size_t interleave_limit = Forward::reads_interleaved ? options.interleave_limit : 0;
    SLUICE_ASSIGN(model::ModelOf<P> model, model::ModelOf<P>::read(file, interleave_limit));
    const model::Hyperparameters h = model.hyperparameters;
    SLUICE_ASSIGN(auto vocabulary, read_vocabulary<typename P::Tokenizer>(file, options.normalization));
    if (vocabulary.tokenizer.vocab_size() > h.shape.vocab) {
        return Status(Errc::corrupt, file.name() + ": key 'tokenizer.ggml.tokens'",
                      "has " + std::to_string(vocabulary.tokenizer.vocab_size()) +
                          " tokens, but the model knows only " + std::to_string(h.shape.vocab),
                      "convert the model again");
    }
    const bool whole = options.context == 0 || options.context > h.context;
    const std::size_t context = whole ? h.context : options.context;
    const std::size_t batch = std::max(std::clamp<std::size_t>(options.batch, 1, context), sequences);
    SLUICE_ASSIGN(auto executor, make_executor<typename P::Executor>(options.threads));
    const KvCacheShape cache{h.shape.layers, h.shape.kv_heads, h.shape.head_dim, sequences, context};
    SLUICE_ASSIGN(auto ready, make_forward(*executor, std::move(model), cache, batch, options));
    LoadedModel loaded{.file = std::move(file),
                       .hyperparameters = h,
                       .vocabulary = std::move(vocabulary),
                       .context = context,
                       .executor = std::move(executor),
                       .cache = std::move(ready.cache),
                       .forward = std::move(ready.forward)};
    return loaded;
}

template <class P>
Expected<std::vector<Token>> LoadedModel<P>::text_prompt(std::string_view text) const {
    SLUICE_ASSIGN(std::vector<Token> tokens, vocabulary.tokenizer.encode(text, SpecialTokens::parse));
    if (vocabulary.bos) tokens.insert(tokens.begin(), *vocabulary.bos);
    return tokens;
}

template <class P>
Expected<std::vector<Token>> LoadedModel<P>::chat_prompt(std::span<const chat::Message> messages,
                                                         const chat::Options& options) const {
    if (chat::template_fit(vocabulary.chat_template) == chat::TemplateFit::other) {
        return Status(Errc::unsupported, file.name() + ": key 'tokenizer.chat_template'",
                      vocabulary.chat_template.empty() ? "is missing" : "is not Qwen3's",
                      "prompt this model with plain text in its own format");
    }
    return chat::encode(vocabulary.tokenizer, messages, options);
}

}  // namespace sluice
