// SPDX-License-Identifier: Apache-2.0
//! Pipelines that are wrong in one way each: a fault around a true one, or a faulty cache in it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/contracts/any_pipeline.hpp"
#include "sluice/contracts/fakes.hpp"
#include "sluice/contracts/mutant.hpp"
#include "sluice/contracts/pipeline_laws.hpp"
#include "sluice/contracts/text_oracles.hpp"
#include "sluice/core/generation.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cpu/kv_cache.hpp"
#include "sluice/pipeline/policies.hpp"
#include "sluice/quant/sets.hpp"
#include "sluice/sampler/standard.hpp"

namespace sluice::contracts {

namespace mutants {

using TruePolicies = Qwen3MoeCpu<quant::Q4_K_M>;
using Answer = AnyPipeline::Result;

//! What is asked of a pipeline: a fault changes it, or what comes of it.
struct Request {
    std::span<const Token> prompt;
    GenerateOptions options;
    StandardSampler& sampler;
    AnySink& sink;

    Answer of(AnyPipeline& pipe) const { return pipe.generate(prompt, options, sampler, sink); }
};
using PipelineFault = std::function<Answer(AnyPipeline&, Request)>;

//! A true pipeline, asked by way of a fault.
class FaultyPipeline : public PipelineAround {
public:
    FaultyPipeline(std::unique_ptr<AnyPipeline> pipe, PipelineFault fault)
        : PipelineAround(std::move(pipe)), fault_(std::move(fault)) {}

    Answer generate(std::span<const Token> prompt, const GenerateOptions& options, StandardSampler& sampler,
                    AnySink& sink) override {
        return fault_(inner(), {prompt, options, sampler, sink});
    }

private:
    PipelineFault fault_;
};

//! A fault that changes the options, by change(options, pipe, prompt).
template <class Change>
PipelineFault with_options(Change change) {
    return [change](AnyPipeline& pipe, Request asked) mutable {
        change(asked.options, pipe, asked.prompt);
        return asked.of(pipe);
    };
}

//! A fault of the answer, by change(result).
template <class Change>
PipelineFault with_answer(Change change) {
    return [change](AnyPipeline& pipe, const Request& asked) {
        Answer answer = asked.of(pipe);
        if (answer.ok()) change(*answer);
        return answer;
    };
}

//! A fault of what the sink is told, by an Ear(sink) that listens in its place.
template <class Ear>
Answer with_ear(AnyPipeline& pipe, const Request& asked) {
    Ear ear(asked.sink);
    return pipe.generate(asked.prompt, asked.options, asked.sampler, ear);
}
class Ear : public AnySink {
public:
    explicit Ear(AnySink& sink) : sink_(&sink) {}
    Flow on_token(const TokenEvent& event) override { return sink_->on_token(event); }
    void on_finish(const GenerationResult& result) override { sink_->on_finish(result); }
    void on_error(const Status& error) override { sink_->on_error(error); }

protected:
    AnySink* sink_;
};
class Buffering final : public Ear {
public:
    using Ear::Ear;
    Flow on_token(const TokenEvent& event) override { return held_.on_token(event); }
    void on_finish(const GenerationResult& result) override {
        for (std::size_t i = 0; i < held_.ids.size(); ++i) {
            if (sink_->on_token({i, held_.ids[i], held_.texts[i], held_.stops[i]}) == Flow::stop) break;
        }
        sink_->on_finish(result);
    }

private:
    RecordingSink held_;
};
struct DeafToStop final : Ear {
    using Ear::Ear;
    Flow on_token(const TokenEvent& event) override {
        static_cast<void>(sink_->on_token(event));
        return Flow::go_on;
    }
};
struct Trimming final : Ear {
    using Ear::Ear;
    Flow on_token(const TokenEvent& event) override {
        TokenEvent trimmed = event;
        while (trimmed.text.starts_with(' ')) trimmed.text.remove_prefix(1);
        return sink_->on_token(trimmed);
    }
};
struct SilentAboutErrors final : Ear {
    using Ear::Ear;
    void on_error(const Status&) override {}
};

//! Makes text of each token alone as it streams: of a character that several tokens share, none has a whole one.
inline Answer splitting_characters(AnyPipeline& pipe, const Request& asked) {
    struct Splitting final : Ear {
        Splitting(AnyPipeline& of, AnySink& sink) : Ear(sink), pipe(&of) {}
        Flow on_token(const TokenEvent& event) override {
            const std::string text = oracle::repaired(pipe->shown(event.id));
            TokenEvent split = event;
            split.text = text;
            return sink_->on_token(split);
        }
        AnyPipeline* pipe;
    } ear(pipe, asked.sink);
    return pipe.generate(asked.prompt, asked.options, asked.sampler, ear);
}

//! Samples at temperature 1, whatever was asked for.
inline Answer drawing_always(AnyPipeline& pipe, const Request& asked) {
    SLUICE_ASSIGN(StandardSampler drawing, make_standard_sampler({.temperature = 1.0F}));
    return pipe.generate(asked.prompt, asked.options, drawing, asked.sink);
}

//! Takes the id one past the end of the vocabulary for token 0.
inline Answer taking_one_past_end(AnyPipeline& pipe, Request asked) {
    std::vector<Token> prompt(asked.prompt.begin(), asked.prompt.end());
    std::replace(prompt.begin(), prompt.end(), static_cast<Token>(pipe.vocab_size()), 0);
    asked.prompt = prompt;
    return asked.of(pipe);
}

//! Cuts a prompt that is too long.
inline Answer cutting_prompts(AnyPipeline& pipe, Request asked) {
    asked.prompt = asked.prompt.first(std::min(asked.prompt.size(), pipe.context() - 1));
    return asked.of(pipe);
}

//! Takes a stop token as the last one allowed for the budget's end.
inline Answer counting_last_stop_as_length(AnyPipeline& pipe, const Request& asked) {
    Answer answer = asked.of(pipe);
    const bool was_last = answer.ok() && answer->usage.completion_tokens == asked.options.max_tokens;
    if (was_last && answer->finish_reason == FinishReason::stop_token) answer->finish_reason = FinishReason::max_tokens;
    return answer;
}

//! Runs on after the second stop token.
inline Answer knowing_one_stop_token(AnyPipeline& pipe, Request asked) {
    RecordingSink heard;
    static_cast<void>(pipe.generate(asked.prompt, asked.options, asked.sampler, heard));
    const bool second = !heard.ids.empty() && heard.ids.back() == pipe.find_special("<|endoftext|>");
    asked.options.ignore_stop_tokens = asked.options.ignore_stop_tokens || second;
    return asked.of(pipe);
}

//! Computes the whole text anew for each token.
inline Answer recomputing_each_token(AnyPipeline& pipe, Request asked) {
    const std::size_t count = asked.options.max_tokens;
    std::vector<Token> text(asked.prompt.begin(), asked.prompt.end());
    asked.options.max_tokens = 1;
    for (std::size_t i = 0; i + 1 < count && text.size() + 1 < pipe.context(); ++i) {
        RecordingSink heard;
        pipe.reset();
        const Answer one = pipe.generate(text, asked.options, asked.sampler, heard);
        if (!one.ok()) return one;
        text.push_back(heard.ids.front());
        if (asked.sink.on_token({i, text.back(), heard.texts.front(), heard.stops.front()}) == Flow::stop) break;
    }
    pipe.reset();
    asked.prompt = text;
    return asked.of(pipe);
}

enum class CacheFault { truncates_too_much, keeps_old_keys, loses_the_beginning };

//! A cache with the fault that was set last.
class FaultyCache : public cpu::KvCacheF16 {
    using Base = cpu::KvCacheF16;

public:
    static inline CacheFault next_fault = CacheFault::truncates_too_much;

    using Base::Base;

    //! Does not write again where something was written before a rewind.
    void write(KvHead head, std::size_t position, const float* key, const float* value) {
        const bool rewound = position < longest_ && position >= length(head.sequence);
        if (fault_ == CacheFault::keeps_old_keys && rewound && position % 2 == 1) return;
        Base::write(head, position, key, value);
    }
    //! Loses the first positions once the prompt is computed.
    Handle key(KvHead head, std::size_t position) const {
        const std::size_t held = fault_ == CacheFault::loses_the_beginning ? length(head.sequence) : 0;
        return Base::key(head, std::max(position, held / 2));
    }
    void advance(std::size_t sequence, std::size_t length) {
        longest_ = std::max(longest_, length);
        Base::advance(sequence, length);
    }
    //! Keeps one position less than it was told.
    void truncate(std::size_t sequence, std::size_t length) {
        if (length == 0) longest_ = 0;
        const bool less = fault_ == CacheFault::truncates_too_much && length > 0;
        Base::truncate(sequence, less ? length - 1 : length);
    }

private:
    CacheFault fault_ = next_fault;
    std::size_t longest_ = 0;
};
struct WithFaultyCache : TruePolicies {
    using KvCache = FaultyCache;
};

}  // namespace mutants

//! On a small model file, as for the laws.
inline std::vector<Mutant> pipeline_mutants(const std::filesystem::path& model) {
    using namespace mutants;
    constexpr std::size_t cases = 100;
    const auto faulty = [&](PipelineFault fault, std::string_view name, std::string_view law) {
        const auto open = [fault, open = opener<TruePolicies>(model)](const LoadOptions& options) {
            return std::make_unique<FaultyPipeline>(open(options), fault);
        };
        return Mutant{std::string(name), law, pipeline_law_list(open, cases)};
    };
    const auto with_cache = [&](CacheFault fault, std::string_view name, std::string_view law) {
        FaultyCache::next_fault = fault;
        return Mutant{std::string(name), law, pipeline_law_list(opener<WithFaultyCache>(model), cases)};
    };
    using Options = GenerateOptions;
    using Prompt = std::span<const Token>;
    using Result = GenerationResult;
    const auto always_42 = [](Options& options, AnyPipeline&, Prompt) { options.seed = 42; };
    const auto by_clock = [clock = 0U](Options& options, AnyPipeline&, Prompt) mutable { options.seed += ++clock; };
    const auto by_call = [](Options& options, AnyPipeline&, Prompt prompt) { options.seed += prompt.size(); };
    const auto by_threads = [](Options& options, AnyPipeline& pipe, Prompt) { options.seed += pipe.threads(); };
    const auto no_stop = [](Options& options, AnyPipeline&, Prompt) { options.stop.clear(); };
    const auto no_stop_token = [](Options& options, AnyPipeline&, Prompt) { options.ignore_stop_tokens = true; };
    const auto no_cache = [](Options&, AnyPipeline& pipe, Prompt) { pipe.reset(); };
    const auto length_always = [](Result& result) { result.finish_reason = FinishReason::max_tokens; };
    const auto without_cached = [](Result& result) { result.usage.prompt_tokens -= result.usage.cached_tokens; };
    const auto row = "pipeline.one_row_per_token", reuse = "pipeline.reuse_changes_nothing",
               bad = "pipeline.bad_prompts_are_errors", text = "pipeline.text_is_the_tokens";
    return {
        faulty(with_ear<Buffering>, "buffers events to the end", "pipeline.event_before_next_step"),
        faulty(recomputing_each_token, "computes the text anew for each token", row),
        faulty(with_options(no_cache), "forgets the cache between calls", row),
        faulty(with_options(by_call), "draws by the call", "pipeline.one_call_or_many"),
        faulty(with_ear<Trimming>, "trims the text of each token", text),
        faulty(splitting_characters, "makes text of each token alone as it streams", text),
        faulty(with_ear<DeafToStop>, "does not hear the sink's stop", "pipeline.sink_ends_it"),
        faulty(drawing_always, "draws at temperature 0", "pipeline.greedy_is_deterministic"),
        faulty(with_options(by_clock), "takes the time for a seed", "pipeline.same_seed_same_tokens"),
        faulty(with_options(always_42), "ignores the seed", "pipeline.seeds_differ"),
        with_cache(CacheFault::loses_the_beginning, "loses the keys of the beginning",
                   "pipeline.cached_equals_recomputed"),
        with_cache(CacheFault::truncates_too_much, "truncates the cache by one too many", reuse),
        with_cache(CacheFault::keeps_old_keys, "keeps old keys after a rewind", reuse),
        faulty(with_options(by_threads), "draws by the number of threads", "pipeline.way_of_computing_changes_nothing"),
        faulty(with_answer(without_cached), "does not count cached tokens", "pipeline.usage_counts"),
        faulty(with_answer(length_always), "gives one reason for all ends", "pipeline.finish_reasons"),
        faulty(with_options(no_stop_token), "runs on behind a stop token", "pipeline.finish_reasons"),
        faulty(counting_last_stop_as_length, "counts a stop token as the last allowed one for the budget's end",
               "pipeline.finish_reasons"),
        faulty(knowing_one_stop_token, "knows the first stop token only", "pipeline.finish_reasons"),
        faulty(with_options(no_stop), "ignores stop strings", "pipeline.stop_string_is_not_shown"),
        faulty(cutting_prompts, "cuts a prompt that is too long", bad),
        faulty(taking_one_past_end, "takes the id one past the end for token 0", bad),
        faulty(with_ear<SilentAboutErrors>, "tells the sink of no error", bad),
    };
}

}  // namespace sluice::contracts
