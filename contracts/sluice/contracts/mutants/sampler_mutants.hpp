// SPDX-License-Identifier: Apache-2.0
//! Samplers that are wrong in one way each.
#pragma once

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "sluice/contracts/mutant.hpp"
#include "sluice/contracts/sampler_laws.hpp"
#include "sluice/core/types.hpp"
#include "sluice/sampler/chain.hpp"
#include "sluice/sampler/standard.hpp"

namespace sluice::contracts {

namespace mutants {

using LogitRow = std::vector<float>;

//! The standard sampler, between a change of what it is given and of what it answers.
struct SamplerBetween {
    StandardSampler sampler;
    SamplingParams params;
    std::function<void(const SamplingParams&, std::span<float>, SampleContext&)> before;
    std::function<Expected<Token>(const SamplingParams&, const LogitRow&, std::span<float>, Expected<Token>)> after;

    Expected<Token> sample(std::span<float> logits, SampleContext context) {
        if (before) before(params, logits, context);
        const LogitRow row(logits.begin(), logits.end());
        const Expected<Token> token = sampler.sample(logits, context);
        return after ? after(params, row, logits, token) : token;
    }
};

//! One with a Mutation, which changes the parameters, what the sampler is given, or what it answers.
template <class Mutation>
struct MutantSampler {
    static Expected<SamplerBetween> make(SamplingParams params) {
        if constexpr (requires { Mutation::change(params); }) Mutation::change(params);
        SLUICE_ASSIGN(StandardSampler sampler, make_standard_sampler(params));
        SamplerBetween mutant{std::move(sampler), std::move(params), {}, {}};
        if constexpr (requires { &Mutation::before; }) {
            mutant.before = [mutation = Mutation()](const SamplingParams& by, std::span<float> logits,
                                                    SampleContext& context) mutable {
                mutation.before(by, logits, context);
            };
        }
        if constexpr (requires { &Mutation::after; }) {
            mutant.after = [](const SamplingParams& by, const LogitRow& row, std::span<float> logits,
                              Expected<Token> token) { return Mutation().after(by, row, logits, std::move(token)); };
        }
        return mutant;
    }
};

struct CountsFromOne {
    Expected<Token> after(const SamplingParams&, const LogitRow&, std::span<float>, Expected<Token> token) const {
        if (!token.ok()) return token;
        return *token + 1;
    }
};
struct TakesMaskedForUnlikely {
    void before(const SamplingParams&, std::span<float> logits, SampleContext&) const {
        if (logits.empty()) return;
        const float best = *std::max_element(logits.begin(), logits.end());
        for (float& x : logits) x = std::max(x, best - 3.0F);
    }
};
struct TakesNaNForMasked {
    void before(const SamplingParams&, std::span<float> logits, SampleContext&) const {
        for (float& x : logits) x = std::isnan(x) ? -INFINITY : x;
    }
};
struct TakesInfinityForLargest {
    void before(const SamplingParams&, std::span<float> logits, SampleContext&) const {
        for (float& x : logits) x = std::min(x, FLT_MAX);
    }
};
struct TakesTokenZeroForNone {
    Expected<Token> after(const SamplingParams&, const LogitRow&, std::span<float>, Expected<Token> token) const {
        return token.ok() ? *token : 0;
    }
};
struct CountsItsCalls {
    void before(const SamplingParams&, std::span<float>, SampleContext& context) { context.position += calls++; }
    std::uint32_t calls = 0;
};
struct NeverForgets {
    void before(const SamplingParams&, std::span<float>, SampleContext& context) {
        seen.insert(seen.end(), context.history.begin(), context.history.end());
        context.history = seen;
    }
    std::vector<Token> seen;
};
struct WritesBehindRow {
    Expected<Token> after(const SamplingParams&, const LogitRow&, std::span<float> logits,
                          Expected<Token> token) const {
        if (!logits.empty()) logits.data()[logits.size()] = 0.0F;
        return token;
    }
};
struct GreedyTieToLastOfRow {
    Expected<Token> after(const SamplingParams& params, const LogitRow& row, std::span<float>,
                          Expected<Token> token) const {
        const bool greedy = params.temperature == 0.0F || params.top_k == 1;
        if (!greedy || !token.ok()) return token;
        const float best = row[static_cast<std::size_t>(*token)];
        return static_cast<Token>(row.rend() - std::find(row.rbegin(), row.rend(), best)) - 1;
    }
};
struct TakesTopKOneForTwo {
    static void change(SamplingParams& params) { params.top_k = params.top_k == 1 ? 2 : params.top_k; }
};
struct GreedyWithoutPenalties {
    static void change(SamplingParams& params) {
        if (params.temperature == 0.0F) params.repetition_penalty = 1.0F;
    }
};
struct GreedyWithoutBias {
    static void change(SamplingParams& params) {
        if (params.temperature == 0.0F) params.logit_bias.clear();
    }
};
struct IgnoresSeed {
    void before(const SamplingParams&, std::span<float>, SampleContext& context) const { context.seed = 42; }
};
struct HasTwoSeeds {
    void before(const SamplingParams&, std::span<float>, SampleContext& context) const { context.seed &= 1; }
};
struct TakesClockForSeed {
    void before(const SamplingParams&, std::span<float>, SampleContext& context) const { context.seed ^= clock++; }
    static inline std::uint64_t clock = 0;
};
struct DrawsOnce {
    void before(const SamplingParams&, std::span<float>, SampleContext& context) const {
        context.position = context.sequence = 0;
    }
};
struct TakesWindowZeroForAll {
    static void change(SamplingParams& params) { params.repeat_last_n -= params.repeat_last_n == 0 ? 1 : 0; }
};
//! Takes the default for a bad value of one parameter.
template <auto parameter>
struct TakesBadForDefault {
    static void change(SamplingParams& params) {
        SamplingParams alone;
        alone.*parameter = params.*parameter;
        if (!make_standard_sampler(alone).ok()) params.*parameter = SamplingParams().*parameter;
    }
};
struct TemperatureOfProbabilities {
    void before(const SamplingParams& params, std::span<float> logits, SampleContext&) const {
        if (params.temperature == 0.0F || logits.empty()) return;
        const float best = *std::max_element(logits.begin(), logits.end());
        float total = 0.0F;
        for (const float x : logits) total += std::exp(x - best);
        for (float& x : logits) x = std::exp(x - best) / total;
    }
};
struct FavoursTheFirst {
    void before(const SamplingParams&, std::span<float> logits, SampleContext&) const {
        if (!logits.empty()) logits.front() += 0.3F;
    }
};

//! The standard sampler's parts by their types, for chains in another order.
template <class Part>
Part part_of(const SamplingParams& params) {
    if constexpr (std::is_same_v<Part, RepetitionPenalty>) {
        return Part(params.repetition_penalty, params.repeat_last_n);
    } else if constexpr (std::is_same_v<Part, PresenceFrequencyPenalty>) {
        return Part(params.presence_penalty, params.frequency_penalty, params.repeat_last_n);
    } else if constexpr (std::is_same_v<Part, LogitBias>) {
        return Part(params.logit_bias);
    } else if constexpr (std::is_same_v<Part, Temperature>) {
        return Part(params.temperature);
    } else if constexpr (std::is_same_v<Part, TopK>) {
        return Part(params.top_k);
    } else if constexpr (std::is_same_v<Part, TopP>) {
        return Part(params.top_p);
    } else if constexpr (std::is_same_v<Part, MinP>) {
        return Part(params.min_p);
    } else {
        return Part();
    }
}

template <class... Parts>
struct ChainOf : Chain<Parts...> {
    static Expected<ChainOf> make(const SamplingParams& params) {
        SLUICE_ASSIGN(auto chain, (Chain<Parts...>::make(part_of<Parts>(params)...)));
        return ChainOf{std::move(chain)};
    }
};

using Rep = RepetitionPenalty;
using Pres = PresenceFrequencyPenalty;
using PresenceFirst = ChainOf<Pres, Rep, LogitBias, Temperature, TopK, TopP, MinP, Multinomial>;
using BiasFirst = ChainOf<LogitBias, Rep, Pres, Temperature, TopK, TopP, MinP, Multinomial>;
using TemperatureLast = ChainOf<Rep, Pres, LogitBias, TopK, TopP, MinP, Temperature, Multinomial>;
using TopPBeforeTopK = ChainOf<Rep, Pres, LogitBias, Temperature, TopP, TopK, MinP, Multinomial>;
using PenaltiesLast = ChainOf<Temperature, TopK, TopP, MinP, Rep, Pres, LogitBias, Multinomial>;

}  // namespace mutants

//! Of an S with static make(params).
template <class S>
Mutant sampler_mutant(std::string_view name, std::string_view law) {
    return {std::string(name), law, sampler_law_list(any_sampler(S::make))};
}

inline std::vector<Mutant> sampler_mutants() {
    using namespace mutants;
    const auto hopeless = "sampler.hopeless_logits_are_errors", order = "sampler.stages_in_order",
               exact = "sampler.exact_distribution", differ = "sampler.seeds_differ",
               penalties = "sampler.greedy_after_penalties", greedy = "sampler.greedy_is_arg_max";
    const auto bad_for_default = []<auto parameter>(std::string_view name) {
        return sampler_mutant<MutantSampler<TakesBadForDefault<parameter>>>(
            "takes a bad " + std::string(name) + " for the default", "sampler.refuses_bad_parameters");
    };
    return {
        sampler_mutant<MutantSampler<CountsFromOne>>("counts tokens from 1", "sampler.token_of_the_row"),
        sampler_mutant<MutantSampler<TakesMaskedForUnlikely>>("takes masked tokens for unlikely ones",
                                                              "sampler.token_of_the_row"),
        sampler_mutant<MutantSampler<TakesNaNForMasked>>("takes NaN for a masked token", hopeless),
        sampler_mutant<MutantSampler<TakesInfinityForLargest>>("takes +inf for the largest float", hopeless),
        sampler_mutant<MutantSampler<TakesTokenZeroForNone>>("answers token 0 when there is none", hopeless),
        sampler_mutant<MutantSampler<CountsItsCalls>>("counts its calls", "sampler.deterministic"),
        sampler_mutant<MutantSampler<NeverForgets>>("never forgets a token", "sampler.deterministic"),
        sampler_mutant<MutantSampler<WritesBehindRow>>("writes behind the row", "sampler.writes_only_the_row"),
        sampler_mutant<MutantSampler<GreedyTieToLastOfRow>>("gives ties to the last id", greedy),
        sampler_mutant<MutantSampler<TakesTopKOneForTwo>>("draws at top_k 1", greedy),
        sampler_mutant<MutantSampler<GreedyWithoutPenalties>>("forgets the penalty when greedy", penalties),
        sampler_mutant<MutantSampler<GreedyWithoutBias>>("forgets the biases when greedy", penalties),
        sampler_mutant<PresenceFirst>("subtracts the presence penalty first", penalties),
        sampler_mutant<BiasFirst>("adds the biases before the penalties", penalties),
        sampler_mutant<PenaltiesLast>("applies the penalties to what top-p left", penalties),
        sampler_mutant<TemperatureLast>("applies the temperature behind top-p", order),
        sampler_mutant<TopPBeforeTopK>("applies top-p before top-k", order),
        sampler_mutant<MutantSampler<TemperatureOfProbabilities>>("applies the temperature to probabilities", exact),
        sampler_mutant<MutantSampler<FavoursTheFirst>>("favours the first token", exact),
        sampler_mutant<MutantSampler<TakesClockForSeed>>("takes the time for a seed", "sampler.same_seed_same_tokens"),
        sampler_mutant<MutantSampler<IgnoresSeed>>("ignores its seed", differ),
        sampler_mutant<MutantSampler<HasTwoSeeds>>("knows two seeds", differ),
        sampler_mutant<MutantSampler<DrawsOnce>>("draws one number for all positions",
                                                 "sampler.each_position_draws_anew"),
        sampler_mutant<MutantSampler<TakesWindowZeroForAll>>("takes a window of 0 for all",
                                                             "sampler.neutral_parameters"),
        bad_for_default.operator()<&SamplingParams::temperature>("temperature"),
        bad_for_default.operator()<&SamplingParams::top_k>("top_k"),
        bad_for_default.operator()<&SamplingParams::top_p>("top_p"),
        bad_for_default.operator()<&SamplingParams::min_p>("min_p"),
        bad_for_default.operator()<&SamplingParams::repetition_penalty>("repetition_penalty"),
        bad_for_default.operator()<&SamplingParams::presence_penalty>("presence_penalty"),
        bad_for_default.operator()<&SamplingParams::frequency_penalty>("frequency_penalty"),
        bad_for_default.operator()<&SamplingParams::repeat_last_n>("repeat_last_n"),
        bad_for_default.operator()<&SamplingParams::logit_bias>("logit_bias"),
    };
}

}  // namespace sluice::contracts
