// SPDX-License-Identifier: Apache-2.0
//! Routers that are wrong in one way each.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/concepts/router.hpp"
#include "sluice/contracts/mutant.hpp"
#include "sluice/contracts/router_laws.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cpu/router.hpp"

namespace sluice::contracts {

namespace mutants {

using Logits = std::span<float>;
using Chosen = std::span<ExpertChoice>;
using TrueRouter = cpu::SoftmaxTopKRouter<>;

//! Gives the chosen experts the weights score(logit), scaled to sum to one.
template <class Score>
void weigh(std::span<const float> logits, Chosen chosen, Score score) {
    float total = 0.0F;
    for (ExpertChoice& choice : chosen) {
        choice.weight = score(logits[static_cast<std::size_t>(choice.expert)]);
        total += choice.weight;
    }
    for (ExpertChoice& choice : chosen) choice.weight /= total;
}

struct RouterPickingTwice {
    void route(Logits logits, Chosen chosen) const {
        TrueRouter().route(logits, chosen);
        chosen.back().expert = chosen.front().expert;  // no fault for k = 1
    }
};

struct RouterOneChoiceShort {
    void route(Logits logits, Chosen chosen) const {
        TrueRouter().route(logits, chosen.first(std::max<std::size_t>(chosen.size() - 1, 1)));
    }
};

//! Finds the largest k times and marks it as taken with -inf: then a logit that is -inf itself may be taken again.
struct RouterMarkingTaken {
    void route(Logits logits, Chosen chosen) const {
        const std::vector<float> before(logits.begin(), logits.end());
        for (ExpertChoice& choice : chosen) {
            const auto best = std::max_element(logits.begin(), logits.end());
            choice.expert = static_cast<std::int32_t>(best - logits.begin());
            *best = -std::numeric_limits<float>::infinity();
        }
        const float maximum = before[static_cast<std::size_t>(chosen.front().expert)];
        weigh(before, chosen, [&](float x) { return std::exp(x - maximum); });
    }
};

struct RouterOneChoiceMore {
    void route(Logits logits, Chosen chosen) const {
        TrueRouter().route(logits, chosen);
        chosen.data()[chosen.size()] = chosen.back();
    }
};

struct RouterWithMemory {
    void route(Logits logits, Chosen chosen) const {
        if (last < logits.size()) logits[last] += 1e-3F;
        TrueRouter().route(logits, chosen);
        last = static_cast<std::size_t>(chosen.front().expert);
    }
    mutable std::size_t last = std::numeric_limits<std::size_t>::max();
};

struct RouterAddingUp {
    void route(Logits logits, Chosen chosen) const {
        const float held = chosen.front().weight;
        TrueRouter().route(logits, chosen);
        chosen.front().weight += held;
    }
};

struct RouterIgnoringLast {
    void route(Logits logits, Chosen chosen) const {
        TrueRouter().route(logits.first(std::max(logits.size() - 1, chosen.size())), chosen);
    }
};

struct RouterDroppingTop {
    void route(Logits logits, Chosen chosen) const {
        if (chosen.size() < logits.size()) {
            *std::max_element(logits.begin(), logits.end()) = std::numeric_limits<float>::lowest();
        }
        TrueRouter().route(logits, chosen);
    }
};

//! Routes the row backwards, so that of equal experts the last comes first.
struct RouterTieToLast {
    void route(Logits logits, Chosen chosen) const {
        std::reverse(logits.begin(), logits.end());
        TrueRouter().route(logits, chosen);
        for (ExpertChoice& choice : chosen) {
            choice.expert = static_cast<std::int32_t>(logits.size()) - 1 - choice.expert;
        }
    }
};

struct RouterAscending {
    void route(Logits logits, Chosen chosen) const {
        TrueRouter().route(logits, chosen);
        std::reverse(chosen.begin(), chosen.end());
    }
};

struct RouterWithoutMaximum {
    void route(Logits logits, Chosen chosen) const {
        const std::vector<float> before(logits.begin(), logits.end());
        TrueRouter().route(logits, chosen);
        weigh(before, chosen, [](float x) { return std::exp(x); });
    }
};

struct RouterOfRelativeLogits {
    void route(Logits logits, Chosen chosen) const {
        float largest = 1.0F;
        for (const float x : logits) largest = std::max(largest, std::fabs(x));
        for (float& x : logits) x /= largest;
        TrueRouter().route(logits, chosen);
    }
};

struct RouterWithBias {
    void route(Logits logits, Chosen chosen) const {
        logits.front() += 0.01F;
        TrueRouter().route(logits, chosen);
    }
};

struct RouterBySigmoid {
    void route(Logits logits, Chosen chosen) const {
        const std::vector<float> before(logits.begin(), logits.end());
        TrueRouter().route(logits, chosen);
        weigh(before, chosen, [](float x) { return 1.0F / (1.0F + std::exp(-x)); });
    }
};

struct RouterMendingLogits {
    void route(Logits logits, Chosen chosen) const {
        for (float& x : logits) x = std::isfinite(x) ? x : -1e30F;
        TrueRouter().route(logits, chosen);
    }
};

struct RouterUniform {
    void route(Logits logits, Chosen chosen) const {
        TrueRouter().route(logits, chosen);
        for (ExpertChoice& choice : chosen) choice.weight = 1.0F / static_cast<float>(chosen.size());
    }
};

}  // namespace mutants

template <Router R>
Mutant router_mutant(std::string_view name, std::string_view law, RouterWeights weights = RouterWeights::renormalised) {
    return {std::string(name), law, router_law_list<R>(weights)};
}

inline std::vector<Mutant> router_mutants() {
    using namespace mutants;
    using Renormalised = cpu::SoftmaxTopKRouter<true>;
    using Plain = cpu::SoftmaxTopKRouter<false>;
    return {
        router_mutant<RouterPickingTwice>("picks an expert twice", "router.distinct_experts"),
        router_mutant<RouterOneChoiceShort>("chooses one expert too few", "router.distinct_experts"),
        router_mutant<RouterMarkingTaken>("marks taken experts with -inf", "router.distinct_experts"),
        router_mutant<RouterOneChoiceMore>("chooses one expert too many", "router.writes_only_its_choices"),
        router_mutant<RouterWithMemory>("favours the expert of the row before", "router.deterministic"),
        router_mutant<RouterAddingUp>("adds to what the choices held", "router.deterministic"),
        router_mutant<RouterIgnoringLast>("ignores the last expert", "router.top_k_of_all_experts"),
        router_mutant<RouterDroppingTop>("drops the most probable expert", "router.top_k_of_all_experts"),
        router_mutant<RouterTieToLast>("gives ties to the last index", "router.ties_go_to_lowest_index"),
        router_mutant<RouterAscending>("chooses in ascending order", "router.descending_order"),
        router_mutant<RouterWithoutMaximum>("does not subtract the maximum", "router.extreme_logits"),
        router_mutant<RouterMendingLogits>("takes bad logits for small ones", "router.bad_logits_are_noticed"),
        router_mutant<RouterOfRelativeLogits>("divides the logits by the largest", "router.shift_invariant"),
        router_mutant<RouterWithBias>("favours expert 0 a little", "router.indifferent_to_numbering"),
        router_mutant<RouterBySigmoid>("weighs by sigmoid", "router.weights_are_renormalised_softmax"),
        router_mutant<RouterUniform>("weighs all alike", "router.weights_are_renormalised_softmax"),
        router_mutant<Plain>("forgets to renormalise", "router.weights_sum_to_one"),
        router_mutant<Renormalised>("takes the softmax over the chosen alone", "router.weights_are_plain_softmax",
                                    RouterWeights::plain),
    };
}

}  // namespace sluice::contracts
