// SPDX-License-Identifier: Apache-2.0
//! Pipelines that are wrong in one way each: a fault around a true one, or a faulty cache in it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "sluice/contracts/fakes.hpp"
#include "sluice/contracts/mutant.hpp"
#include "sluice/contracts/pipeline_laws.hpp"
#include "sluice/core/generation.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cpu/kv_cache.hpp"
#include "sluice/pipeline/pipeline.hpp"
#include "sluice/pipeline/policies.hpp"
#include "sluice/quant/sets.hpp"
#include "sluice/sampler/standard.hpp"
#include "sluice/sink/notify.hpp"

namespace sluice::contracts {

namespace mutants {

using TruePolicies = Qwen3MoeCpu<quant::Q4_K_M>;
using TruePipeline = Pipeline<Counted<TruePolicies>>;
using Answer = Expected<GenerationResult>;

//! A true pipeline, asked by way of a Fault.
template <class Fault>
class FaultyPipeline : public TruePipeline {
public:
    static Expected<FaultyPipeline> load(const std::filesystem::path& path, const LoadOptions& options) {
        SLUICE_ASSIGN(TruePipeline pipe, TruePipeline::load(path, options));
        return FaultyPipeline(std::move(pipe));
    }
    template <class Sink>
    Answer generate(std::span<const Token> prompt, const GenerateOptions& options, StandardSampler& sampler,
                    Sink& sink) {
        return Fault::generate(static_cast<TruePipeline&>(*this), prompt, options, sampler, sink);
    }

private:
    explicit FaultyPipeline(TruePipeline pipe) : TruePipeline(std::move(pipe)) {}
};

//! A fault that changes the options, by Change()(pipe, prompt, options).
template <class Change>
struct WithOptions {
    template <class Sink>
    static Answer generate(TruePipeline& pipe, std::span<const Token> prompt, GenerateOptions options,
                           StandardSampler& sampler, Sink& sink) {
        Change()(pipe, prompt, options);
        return pipe.generate(prompt, options, sampler, sink);
    }
};
using Prompt = std::span<const Token>;
struct ConstantSeed {
    void operator()(TruePipeline&, Prompt, GenerateOptions& options) const { options.seed = 42; }
};
struct SeedOfClock {
    void operator()(TruePipeline&, Prompt, GenerateOptions& options) const { options.seed += ++clock; }
    static inline std::uint64_t clock = 0;
};
struct SeedOfCall {
    void operator()(TruePipeline&, Prompt prompt, GenerateOptions& options) const { options.seed += prompt.size(); }
};
struct SeedOfThreads {
    void operator()(TruePipeline& pipe, Prompt, GenerateOptions& options) const { options.seed += pipe.threads(); }
};
struct WithoutStopStrings {
    void operator()(TruePipeline&, Prompt, GenerateOptions& options) const { options.stop.clear(); }
};
struct ForgettingTheCache {
    void operator()(TruePipeline& pipe, Prompt, GenerateOptions&) const { pipe.reset(); }
};

//! A fault of what the sink is told, by an Ear(sink) that listens in its place.
template <template <class> class Ear>
struct WithEar {
    template <class Sink>
    static Answer generate(TruePipeline& pipe, Prompt prompt, const GenerateOptions& options, StandardSampler& sampler,
                           Sink& sink) {
        Ear<Sink> ear(sink);
        return pipe.generate(prompt, options, sampler, ear);
    }
};
template <class Sink>
class EarBase {
public:
    explicit EarBase(Sink& sink) : sink_(&sink) {}
    void on_finish(const GenerationResult& result) { notify_finish(*sink_, result); }
    void on_error(const Status& error) { notify_error(*sink_, error); }

protected:
    Sink* sink_;
};
template <class Sink>
class Buffering : public EarBase<Sink> {
public:
    using EarBase<Sink>::EarBase;
    Flow on_token(const TokenEvent& event) {
        held_.on_token(event);
        return Flow::go_on;
    }
    void on_finish(const GenerationResult& result) {
        for (std::size_t i = 0; i < held_.ids.size(); ++i) {
            if (this->sink_->on_token({i, held_.ids[i], held_.texts[i], held_.stops[i]}) == Flow::stop) break;
        }
        EarBase<Sink>::on_finish(result);
    }

private:
    RecordingSink held_;
};
template <class Sink>
struct DeafToStop : EarBase<Sink> {
    using EarBase<Sink>::EarBase;
    Flow on_token(const TokenEvent& event) {
        static_cast<void>(this->sink_->on_token(event));
        return Flow::go_on;
    }
};
template <class Sink>
struct Trimming : EarBase<Sink> {
    using EarBase<Sink>::EarBase;
    Flow on_token(TokenEvent event) {
        while (event.text.starts_with(' ')) event.text.remove_prefix(1);
        return this->sink_->on_token(event);
    }
};
template <class Sink>
struct SilentAboutErrors : EarBase<Sink> {
    using EarBase<Sink>::EarBase;
    Flow on_token(const TokenEvent& event) { return this->sink_->on_token(event); }
    void on_error(const Status&) {}
};

//! A fault of the answer, by Change()(result).
template <class Change>
struct WithAnswer {
    template <class Sink>
    static Answer generate(TruePipeline& pipe, Prompt prompt, const GenerateOptions& options, StandardSampler& sampler,
                           Sink& sink) {
        Answer answer = pipe.generate(prompt, options, sampler, sink);
        if (answer.ok()) Change()(*answer);
        return answer;
    }
};
struct ReasonAlwaysLength {
    void operator()(GenerationResult& result) const { result.finish_reason = FinishReason::max_tokens; }
};
struct PromptWithoutCached {
    void operator()(GenerationResult& result) const { result.usage.prompt_tokens -= result.usage.cached_tokens; }
};

//! Samples at temperature 1, whatever was asked for.
struct DrawingAlways {
    template <class Sink>
    static Answer generate(TruePipeline& pipe, Prompt prompt, const GenerateOptions& options, StandardSampler&,
                           Sink& sink) {
        SLUICE_ASSIGN(StandardSampler drawing, make_standard_sampler({.temperature = 1.0F}));
        return pipe.generate(prompt, options, drawing, sink);
    }
};

//! Cuts a prompt that is too long.
struct CuttingPrompts {
    template <class Sink>
    static Answer generate(TruePipeline& pipe, Prompt prompt, const GenerateOptions& options, StandardSampler& sampler,
                           Sink& sink) {
        return pipe.generate(prompt.first(std::min(prompt.size(), pipe.context() - 1)), options, sampler, sink);
    }
};

//! Computes the whole text anew for each token.
struct RecomputingEachToken {
    template <class Sink>
    static Answer generate(TruePipeline& pipe, Prompt prompt, const GenerateOptions& options, StandardSampler& sampler,
                           Sink& sink) {
        std::vector<Token> text(prompt.begin(), prompt.end());
        GenerateOptions one = options;
        one.max_tokens = 1;
        for (std::size_t i = 0; i + 1 < options.max_tokens && text.size() + 1 < pipe.context(); ++i) {
            RecordingSink heard;
            pipe.reset();
            SLUICE_TRY(pipe.generate(Prompt(text), one, sampler, heard).ok() ? Status()
                                                                             : Status(Errc::numeric, "", ""));
            text.push_back(heard.ids.front());
            if (sink.on_token({i, heard.ids.front(), heard.texts.front(), heard.stops.front()}) == Flow::stop) break;
        }
        pipe.reset();
        return pipe.generate(Prompt(text), one, sampler, sink);
    }
};

using HalfCache = cpu::KvCacheF16;

//! A truncation that keeps one position less than it was told.
struct CacheTruncatingTooMuch : HalfCache {
    using HalfCache::HalfCache;
    void truncate(std::size_t sequence, std::size_t length) {
        HalfCache::truncate(sequence, length > 0 ? length - 1 : 0);
    }
};

//! Does not write again where something was written before a rewind.
struct CacheKeepingOldKeys : HalfCache {
    using HalfCache::HalfCache;
    void write(KvHead head, std::size_t position, const float* key, const float* value) {
        const bool rewound = position < longest && position >= length(head.sequence);
        if (!rewound || position % 2 == 0) HalfCache::write(head, position, key, value);
    }
    void advance(std::size_t sequence, std::size_t length) {
        longest = std::max(longest, length);
        HalfCache::advance(sequence, length);
    }
    void truncate(std::size_t sequence, std::size_t length) {
        HalfCache::truncate(sequence, length);
        if (length == 0) longest = 0;
    }
    std::size_t longest = 0;
};

//! Loses the first positions once the prompt is computed.
struct CacheLosingTheBeginning : HalfCache {
    using HalfCache::HalfCache;
    Handle key(KvHead head, std::size_t position) const {
        const std::size_t held = length(head.sequence);
        return HalfCache::key(head, held > 0 ? std::max(position, held / 2) : position);
    }
};

template <class Cache>
struct WithCache : TruePolicies {
    using KvCache = Cache;
};

}  // namespace mutants

//! On the same model file as the laws.
inline std::vector<Mutant> pipeline_mutants(const std::filesystem::path& model) {
    using namespace mutants;
    constexpr std::size_t cases = 100;
    const auto faulty = [&]<class Fault>(Fault, std::string_view name, std::string_view law) {
        return Mutant{name, law, pipeline_law_list<TruePolicies, FaultyPipeline<Fault>>(model, cases)};
    };
    const auto with_cache = [&]<class Cache>(std::type_identity<Cache>, std::string_view name, std::string_view law) {
        return Mutant{name, law, pipeline_law_list<WithCache<Cache>>(model, cases)};
    };
    const auto reuse = "pipeline.reuse_changes_nothing";
    return {
        faulty(WithEar<Buffering>(), "buffers events to the end", "pipeline.event_before_next_step"),
        faulty(RecomputingEachToken(), "computes the text anew for each token", "pipeline.one_row_a_token"),
        faulty(WithOptions<ForgettingTheCache>(), "forgets the cache between calls", "pipeline.one_row_a_token"),
        faulty(WithOptions<SeedOfCall>(), "draws by the call", "pipeline.one_call_or_many"),
        faulty(WithEar<Trimming>(), "trims the text of each token", "pipeline.text_is_the_tokens"),
        faulty(WithEar<DeafToStop>(), "does not hear the sink's stop", "pipeline.sink_ends_it"),
        faulty(DrawingAlways(), "draws at temperature 0", "pipeline.greedy_is_deterministic"),
        faulty(WithOptions<SeedOfClock>(), "takes the time for a seed", "pipeline.same_seed_same_tokens"),
        faulty(WithOptions<ConstantSeed>(), "ignores the seed", "pipeline.seeds_differ"),
        with_cache(std::type_identity<CacheLosingTheBeginning>(), "loses the keys of the beginning",
                   "pipeline.cached_equals_recomputed"),
        with_cache(std::type_identity<CacheTruncatingTooMuch>(), "truncates the cache by one too many", reuse),
        with_cache(std::type_identity<CacheKeepingOldKeys>(), "keeps old keys after a rewind", reuse),
        faulty(WithOptions<SeedOfThreads>(), "draws by the number of threads",
               "pipeline.way_of_computing_changes_nothing"),
        faulty(WithAnswer<PromptWithoutCached>(), "does not count cached tokens", "pipeline.usage_counts"),
        faulty(WithAnswer<ReasonAlwaysLength>(), "gives one reason for all ends", "pipeline.finish_reasons"),
        faulty(WithOptions<WithoutStopStrings>(), "ignores stop strings", "pipeline.stop_string_is_not_shown"),
        faulty(CuttingPrompts(), "cuts a prompt that is too long", "pipeline.bad_prompts_are_errors"),
        faulty(WithEar<SilentAboutErrors>(), "tells the sink of no error", "pipeline.bad_prompts_are_errors"),
    };
}

}  // namespace sluice::contracts
