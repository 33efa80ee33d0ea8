// SPDX-License-Identifier: Apache-2.0
//! Temperatures, top-k, top-p and min-p that are wrong in one way each.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/contracts/mutant.hpp"
#include "sluice/contracts/mutants/any_stage_mutants.hpp"
#include "sluice/contracts/sampler_narrowing_laws.hpp"
#include "sluice/core/types.hpp"
#include "sluice/sampler/candidates.hpp"
#include "sluice/sampler/min_p.hpp"
#include "sluice/sampler/temperature.hpp"
#include "sluice/sampler/top_k.hpp"
#include "sluice/sampler/top_p.hpp"

namespace sluice::contracts {

namespace mutants {

// ---- temperature ----

struct TemperatureMultiplying {
    explicit TemperatureMultiplying(float t) : temperature(t), inverse(t == 0.0F ? t : 1.0F / t) {}
    Status check() const { return temperature.check(); }
    Status apply(Candidates& candidates, const SampleContext& context) const {
        return inverse.apply(candidates, context);
    }
    Temperature temperature, inverse;
};

struct TemperatureZeroOfAllBest : Temperature {
    explicit TemperatureZeroOfAllBest(float t) : Temperature(t), zero(t == 0.0F) {}
    Status apply(Candidates& candidates, const SampleContext& context) const {
        if (!zero) return Temperature::apply(candidates, context);
        SLUICE_TRY(candidates.scan());
        candidates.keep_within(0.0F);
        return {};
    }
    bool zero;
};

struct TemperatureZeroByIndex : TakesIndexForId<Temperature> {
    explicit TemperatureZeroByIndex(float t) : TakesIndexForId<Temperature>(t), zero(t == 0.0F) {}
    Status apply(Candidates& candidates, const SampleContext& context) {
        return zero ? TakesIndexForId::apply(candidates, context) : Temperature::apply(candidates, context);
    }
    bool zero;
};

struct TemperatureZeroAsOne : Temperature {
    explicit TemperatureZeroAsOne(float t) : Temperature(t == 0.0F ? 1.0F : t) {}
};

// ---- top-k, top-p, min-p ----

template <std::int32_t more>
struct TopKOffBy : TopK {
    explicit TopKOffBy(std::int32_t k) : TopK(k > 0 ? std::max(k + more, 1) : k) {}
};
struct TopKZeroAsOne : TopK {
    explicit TopKZeroAsOne(std::int32_t k) : TopK(k == 0 ? 1 : k) {}
};

//! Keeps the first `count` candidates of a ranking in which of equal ones the last comes first.
inline Status keep_of_reversed_ties(Candidates& candidates, std::size_t count) {
    SLUICE_TRY(candidates.scan());
    std::vector<Candidate> ranked;
    for (std::size_t i = candidates.size(); i-- > 0;) {
        if (candidates[i].logit > Candidates::masked) ranked.push_back(candidates[i]);
    }
    std::stable_sort(ranked.begin(), ranked.end(),
                     [](const Candidate& a, const Candidate& b) { return a.logit > b.logit; });
    std::vector<Token> kept;
    for (std::size_t i = 0; i < std::min(count, ranked.size()); ++i) kept.push_back(ranked[i].id);
    return candidates.keep_if(
        [&](const Candidate& c) { return std::find(kept.begin(), kept.end(), c.id) != kept.end(); });
}

struct TopKTieToLast : TopK {
    explicit TopKTieToLast(std::int32_t k) : TopK(k), count(static_cast<std::size_t>(k)) {}
    Status apply(Candidates& candidates, const SampleContext&) const {
        return count == 0 ? Status() : keep_of_reversed_ties(candidates, count);
    }
    std::size_t count;
};

//! Top-p the plain way, with `more` candidates than it takes to reach p, or to exceed it.
template <int more, bool ties_to_last = false, bool exceeds = false>
class PlainTopP {
public:
    explicit PlainTopP(float p) : p_(p) {}
    Status check() const { return TopP(p_).check(); }
    Status apply(Candidates& candidates, const SampleContext&) const {
        if (!(p_ > 0.0F && p_ < 1.0F)) return {};
        SLUICE_TRY(candidates.scan());
        std::vector<Candidate> ranked;
        for (std::size_t i = 0; i < candidates.size(); ++i) ranked.push_back(candidates[i]);
        std::sort(ranked.begin(), ranked.end(), ranks_before);
        const auto weight = [&](const Candidate& c) {
            return std::exp(-static_cast<double>(candidates.depth(c.logit)));
        };
        double missing = 0.0;
        for (const Candidate& c : ranked) missing += p_ * weight(c);
        int count = 0;
        for (const Candidate& c : ranked) {
            if (exceeds ? missing < 0.0 : missing <= 0.0) break;
            missing -= weight(c);
            ++count;
        }
        const auto kept = static_cast<std::size_t>(std::max(count + more, 1));
        if (ties_to_last) return keep_of_reversed_ties(candidates, kept);
        candidates.keep_through(ranked[std::min(kept, ranked.size()) - 1]);
        return {};
    }

private:
    float p_;
};

struct TopPOneAsAlmostOne : TopP {
    explicit TopPOneAsAlmostOne(float p) : TopP(p == 1.0F ? 0.99999994F : p) {}
};

//! Compares with 1 instead of with the best candidate's probability.
struct MinPOfAll : MinP {
    explicit MinPOfAll(float min_p) : MinP(min_p), least(min_p) {}
    Status apply(Candidates& candidates, const SampleContext& context) const {
        if (least == 0.0F) return {};
        SLUICE_TRY(candidates.scan());
        double total = 0.0;
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            total += std::exp(-static_cast<double>(candidates.depth(candidates[i].logit)));
        }
        const MinP stricter(std::min(static_cast<float>(least * total), 1.0F));
        return stricter.apply(candidates, context);
    }
    float least;
};
struct MinPZeroAsTenth : MinP {
    explicit MinPZeroAsTenth(float min_p) : MinP(min_p == 0.0F ? 0.1F : min_p) {}
};

}  // namespace mutants

template <SamplerStage S>
Mutant temperature_mutant(std::string_view name, std::string_view law) {
    return {std::string(name), law, temperature_law_list<S>()};
}

inline std::vector<Mutant> temperature_mutants() {
    using namespace mutants;
    return {
        temperature_mutant<TemperatureMultiplying>("multiplies by the temperature", "temperature.divides"),
        temperature_mutant<TemperatureZeroOfAllBest>("keeps all of the best at temperature 0",
                                                     "temperature.zero_is_arg_max"),
        temperature_mutant<TemperatureZeroAsOne>("takes temperature 0 for 1", "temperature.zero_is_arg_max"),
        temperature_mutant<TemperatureZeroByIndex>("takes an index for a token", "temperature.zero_is_arg_max"),
        temperature_mutant<Unchecked<Temperature>>("takes any temperature", "temperature.refuses_bad_parameters"),
        temperature_mutant<WorksOnce<Temperature>>("works once", "temperature.nothing_stays"),
        temperature_mutant<MendsLogits<Temperature>>("takes bad logits for masked ones",
                                                     "temperature.bad_logits_stay_errors"),
    };
}

template <SamplerStage S>
Mutant top_k_mutant(std::string_view name, std::string_view law) {
    return {std::string(name), law, top_k_law_list<S>()};
}

inline std::vector<Mutant> top_k_mutants() {
    using namespace mutants;
    return {
        top_k_mutant<TopKOffBy<1>>("keeps one token too many", "top_k.keeps_the_k_best"),
        top_k_mutant<TopKOffBy<-1>>("keeps one token too few", "top_k.keeps_the_k_best"),
        top_k_mutant<TopKTieToLast>("gives ties to the last id", "top_k.ties_go_to_lowest_id"),
        top_k_mutant<TopKZeroAsOne>("takes k = 0 for 1", "top_k.zero_keeps_all"),
        top_k_mutant<TakesIndexForId<TopK>>("takes an index for a token", "top_k.keeps_the_k_best"),
        top_k_mutant<Unchecked<TopK>>("takes a negative k", "top_k.refuses_bad_parameters"),
        top_k_mutant<WorksOnce<TopK>>("works once", "top_k.nothing_stays"),
        top_k_mutant<MendsLogits<TopK>>("takes bad logits for masked ones", "top_k.bad_logits_stay_errors"),
    };
}

template <SamplerStage S>
Mutant top_p_mutant(std::string_view name, std::string_view law) {
    return {std::string(name), law, top_p_law_list<S>()};
}

inline std::vector<Mutant> top_p_mutants() {
    using namespace mutants;
    return {
        top_p_mutant<PlainTopP<-1>>("drops the token that crosses p", "top_p.keeps_the_crossing_token"),
        top_p_mutant<PlainTopP<1>>("keeps the token behind the one that crosses p", "top_p.smallest_set"),
        top_p_mutant<PlainTopP<0, true>>("gives ties to the last id", "top_p.prefix_of_ranking"),
        top_p_mutant<TopPOneAsAlmostOne>("drops hopeless tokens at p = 1", "top_p.one_keeps_all"),
        top_p_mutant<TakesIndexForId<TopP>>("takes an index for a token", "top_p.prefix_of_ranking"),
        top_p_mutant<PlainTopP<0, false, true>>("wants more than p", "top_p.exact_at_the_border"),
        top_p_mutant<Unchecked<TopP>>("takes NaN for p", "top_p.refuses_bad_parameters"),
        top_p_mutant<WorksOnce<TopP>>("works once", "top_p.nothing_stays"),
        top_p_mutant<MendsLogits<TopP>>("takes bad logits for masked ones", "top_p.bad_logits_stay_errors"),
    };
}

template <SamplerStage S>
Mutant min_p_mutant(std::string_view name, std::string_view law) {
    return {std::string(name), law, min_p_law_list<S>()};
}

inline std::vector<Mutant> min_p_mutants() {
    using namespace mutants;
    return {
        min_p_mutant<MinPOfAll>("compares with all instead of with the best", "min_p.keeps_what_is_likely_enough"),
        min_p_mutant<MinPZeroAsTenth>("takes 0 for 0.1", "min_p.zero_keeps_all"),
        min_p_mutant<TakesIndexForId<MinP>>("takes an index for a token", "min_p.keeps_what_is_likely_enough"),
        min_p_mutant<Unchecked<MinP>>("takes any min_p", "min_p.refuses_bad_parameters"),
        min_p_mutant<WorksOnce<MinP>>("works once", "min_p.nothing_stays"),
        min_p_mutant<MendsLogits<MinP>>("takes bad logits for masked ones", "min_p.bad_logits_stay_errors"),
    };
}

}  // namespace sluice::contracts
