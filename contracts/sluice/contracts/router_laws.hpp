// SPDX-License-Identifier: Apache-2.0
//! The laws of routers: what the Router slot asks of any, and Qwen3-MoE's rule, softmax over all experts and the k
//! best.
//!
//!     TEST_CASE("my router keeps the laws") { sluice::contracts::router_laws<MyRouter>("MyRouter"); }
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/concepts/router.hpp"
#include "sluice/contracts/check.hpp"
#include "sluice/contracts/oracles.hpp"
#include "sluice/contracts/tolerances.hpp"
#include "sluice/core/to_text.hpp"
#include "sluice/core/types.hpp"

namespace sluice::contracts {

//! Whether the weights of a row's experts are scaled to sum to one, or are the softmax's probabilities as they are.
enum class RouterWeights { renormalised, plain };

namespace detail {

using Choices = std::vector<ExpertChoice>;

//! A router whatever its type, so that the laws of routers are compiled once.
using AnyRouter = std::function<void(std::span<float> logits, std::span<ExpertChoice> chosen)>;
using MakeRouter = AnyRouter (*)();

template <Router R>
AnyRouter any_router() {
    return [router = R()](std::span<float> logits, std::span<ExpertChoice> chosen) { router.route(logits, chosen); };
}

//! One row to route.
struct RouterInput {
    std::vector<float> logits;
    std::size_t k = 0;
};

inline std::size_t router_experts(Case& c) {
    return c.pick<std::size_t>({1, 2, 5, 16, 60, 128, c.integer<std::size_t>(1, 40)});
}

inline RouterInput router_input(Case& c, std::vector<float> logits) {
    const std::size_t experts = logits.size();
    const auto k = c.pick({std::size_t{1}, std::min<std::size_t>(experts, 8), experts, c.integer(1, experts)});
    c.given("k", k);
    c.given("logits", logits);
    return {std::move(logits), k};
}
inline RouterInput router_input(Case& c) { return router_input(c, c.logits(router_experts(c))); }

//! The choices for a row; `held` is what they hold before. There is room for one more, so that a router that writes too
//! many breaks its law and not the test program.
inline Choices route(const AnyRouter& router, RouterInput input, ExpertChoice held = {-1, -1.0F}) {
    Choices chosen(input.k + 1, held);
    router(input.logits, std::span(chosen).first(input.k));
    chosen.pop_back();
    return chosen;
}

inline std::vector<std::size_t> experts_of(const Choices& choices) {
    std::vector<std::size_t> experts;
    for (const ExpertChoice& choice : choices) experts.push_back(static_cast<std::size_t>(choice.expert));
    return experts;
}

inline std::vector<float> weights_of(const Choices& choices) {
    std::vector<float> weights;
    for (const ExpertChoice& choice : choices) weights.push_back(choice.weight);
    return weights;
}

inline std::string weight_name(const ExpertChoice& choice) { return "weight of expert " + to_text(choice.expert); }

inline void expect_same_bits(const Case& c, const Choices& got, const Choices& expected) {
    c.equal("experts", experts_of(got), experts_of(expected));
    c.same_bits("weights", weights_of(got), weights_of(expected));
}

//! For each expert of `got` about the weight that it has in `expected`.
inline void expect_same_weights(const Case& c, const Choices& got, const Choices& expected) {
    for (const ExpertChoice& choice : got) {
        const auto same = std::find_if(expected.begin(), expected.end(),
                                       [&](const ExpertChoice& other) { return other.expert == choice.expert; });
        c.expect(same != expected.end(), "expert " + to_text(choice.expert) + " is chosen, which before was not");
        c.near(weight_name(choice), choice.weight, same->weight, tolerance::softmax);
    }
}

//! Each weight against the softmax in double precision, taken over all logits or over the chosen ones.
inline void expect_softmax_weights(Case& c, const AnyRouter& router, RouterWeights weights) {
    const RouterInput input = router_input(c);
    const oracle::Vector probabilities = oracle::softmax(oracle::to_doubles(input.logits));
    const Choices chosen = route(router, input);
    double total = 1.0;
    if (weights == RouterWeights::renormalised) {
        total = 0.0;
        for (const std::size_t expert : experts_of(chosen)) total += probabilities.at(expert);
    }
    for (const ExpertChoice& choice : chosen) {
        const double probability = probabilities.at(static_cast<std::size_t>(choice.expert));
        c.near(weight_name(choice), choice.weight, probability / total, tolerance::softmax);
    }
}

//! Logits with gaps wide enough that no rounding changes their order, yet no probability is 0.
inline std::vector<float> distinct_logits(Case& c, std::size_t experts) {
    std::vector<float> logits;
    for (const std::size_t rank : c.shuffled(experts)) logits.push_back(static_cast<float>(rank) * 0.25F - 16.0F);
    return logits;
}

}  // namespace detail

//! What the Router slot promises to those who call route().
inline std::vector<Law> router_slot_laws(detail::MakeRouter make) {
    using namespace detail;
    return {
        {"router.distinct_experts",
         "Whatever the logits, NaN and infinity included, the k choices are distinct experts of the layer.",
         [make](Case& c) {
             const RouterInput input = router_input(c, c.hostile_logits(router_experts(c)));
             std::vector<std::int32_t> seen;
             for (const ExpertChoice& choice : route(make(), input)) {
                 c.between("expert", choice.expert, 0, static_cast<std::int32_t>(input.logits.size()) - 1);
                 const bool again = std::find(seen.begin(), seen.end(), choice.expert) != seen.end();
                 c.expect(!again, "expert " + to_text(choice.expert) + " is chosen twice");
                 seen.push_back(choice.expert);
             }
         }},
        {"router.writes_only_its_choices", "Nothing beside the row's logits and choices is written.",
         [make](Case& c) {
             const RouterInput input = router_input(c);
             const ExpertChoice guard{12345, 678.0F};
             std::vector<float> logits(input.logits.size() + 2, guard.weight);
             std::copy(input.logits.begin(), input.logits.end(), logits.begin() + 1);
             Choices chosen(input.k + 2, guard);
             make()(std::span(logits).subspan(1, input.logits.size()), std::span(chosen).subspan(1, input.k));
             expect_same_bits(c, {chosen.front(), chosen.back()}, {guard, guard});
             c.same_bits("guards of logits", std::vector{logits.front(), logits.back()},
                         std::vector{guard.weight, guard.weight});
         }},
        {"router.deterministic",
         "A row's choices have the same bits whatever was routed before it and whatever `chosen` held.",
         [make](Case& c) {
             const AnyRouter router = make();
             const RouterInput input = router_input(c), other = router_input(c);
             const Choices first = route(router, input);
             route(router, other);
             expect_same_bits(c, route(router, input, {3, 0.5F}), first);
             expect_same_bits(c, route(make(), input), first);
         }},
    };
}

template <Router R>
std::vector<Law> router_slot_laws() {
    return router_slot_laws(detail::any_router<R>);
}

//! All laws of a router by softmax over all experts: those of the slot and those of the rule.
inline std::vector<Law> router_law_list(detail::MakeRouter make, RouterWeights weights) {
    using namespace detail;
    std::vector<Law> laws = router_slot_laws(make);
    const std::vector<Law> rule = {
        {"router.top_k_of_all_experts", "No expert left out is more probable than a chosen one.",
         [make](Case& c) {
             const RouterInput input = router_input(c);
             oracle::Vector left = oracle::softmax(oracle::to_doubles(input.logits));
             double least_chosen = 1.0;
             for (const std::size_t expert : experts_of(route(make(), input))) {
                 least_chosen = std::min(least_chosen, std::exchange(left.at(expert), 0.0));
             }
             const auto [relative, absolute] = tolerance::softmax;
             c.between("largest probability left out", *std::max_element(left.begin(), left.end()), 0.0,
                       least_chosen * (1.0 + relative) + absolute);
         }},
        {"router.ties_go_to_lowest_index", "Of experts with equal logits the one with the lower index comes first.",
         [make](Case& c) {
             const auto few_levels = [&] { return c.pick({-0.0, 0.0, 0.5, 1.0, 4.0}); };
             const RouterInput input = router_input(c, c.floats(router_experts(c), few_levels));
             c.equal("experts", experts_of(route(make(), input)),
                     oracle::largest(oracle::to_doubles(input.logits), input.k));
         }},
        {"router.descending_order", "The choices come most probable first.",
         [make](Case& c) {
             const Choices chosen = route(make(), router_input(c));
             for (std::size_t i = 1; i < chosen.size(); ++i) {
                 c.between(weight_name(chosen[i]), chosen[i].weight, 0.0F, chosen[i - 1].weight);
             }
         }},
        {"router.extreme_logits", "However large, small or equal the logits, each weight is a number of [0, 1].",
         [make](Case& c) {
             for (const ExpertChoice& choice : route(make(), router_input(c))) {
                 c.between(weight_name(choice), choice.weight, 0.0F, 1.0F);
             }
         }},
        {"router.bad_logits_are_noticed", "NaN or +inf among the logits leaves no weight that is a finite number.",
         [make](Case& c) {
             std::vector<float> logits = c.logits(router_experts(c));
             const auto bad = c.pick({std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()});
             logits[c.integer<std::size_t>(0, logits.size() - 1)] = bad;
             for (const ExpertChoice& choice : route(make(), router_input(c, logits))) {
                 c.expect(!std::isfinite(choice.weight), weight_name(choice) + " is " + to_text(choice.weight));
             }
         }},
        {"router.shift_invariant", "The same number added to all logits changes nothing.",
         [make](Case& c) {
             // Multiples of 1/1024, few enough bits that the addition is exact.
             const auto coarse = [&] { return c.integer(-16384, 16384) / 1024.0; };
             const RouterInput input = router_input(c, c.floats(router_experts(c), coarse));
             const auto shift = static_cast<float>(c.integer(-1000, 1000));
             c.given("shift", shift);
             RouterInput shifted = input;
             for (float& x : shifted.logits) x += shift;
             const Choices expected = route(make(), input), got = route(make(), shifted);
             c.equal("experts", experts_of(got), experts_of(expected));
             expect_same_weights(c, got, expected);
         }},
        {"router.indifferent_to_numbering", "Experts with other numbers are chosen alike.",
         [make](Case& c) {
             const RouterInput input = router_input(c, distinct_logits(c, router_experts(c)));
             const std::vector<std::size_t> number = c.shuffled(input.logits.size());
             c.given("new numbers", number);
             RouterInput renumbered = input;
             for (std::size_t i = 0; i < number.size(); ++i) renumbered.logits[number[i]] = input.logits[i];
             Choices expected = route(make(), input);
             for (ExpertChoice& choice : expected) {
                 choice.expert = static_cast<std::int32_t>(number.at(static_cast<std::size_t>(choice.expert)));
             }
             expect_same_weights(c, route(make(), renumbered), expected);
         }},
    };
    laws.insert(laws.end(), rule.begin(), rule.end());
    if (weights == RouterWeights::plain) {
        laws.push_back({"router.weights_are_plain_softmax", "The weights are the probabilities among all experts.",
                        [make](Case& c) { expect_softmax_weights(c, make(), RouterWeights::plain); }});
    } else {
        laws.push_back({"router.weights_are_renormalised_softmax",
                        "The weights are the probabilities among all experts, divided by their sum.",
                        [make](Case& c) { expect_softmax_weights(c, make(), RouterWeights::renormalised); }});
        laws.push_back({"router.weights_sum_to_one", "The weights of a row sum to one.", [make](Case& c) {
                            const std::vector<float> parts = weights_of(route(make(), router_input(c)));
                            c.near("sum of weights", std::accumulate(parts.begin(), parts.end(), 0.0), 1.0,
                                   tolerance::sum_to_one);
                        }});
    }
    return laws;
}

template <Router R>
std::vector<Law> router_law_list(RouterWeights weights = RouterWeights::renormalised) {
    return router_law_list(detail::any_router<R>, weights);
}

//! Checks all laws of a router by softmax, inside a doctest test case.
template <Router R>
void router_laws(std::string_view subject, RouterWeights weights = RouterWeights::renormalised) {
    check_laws(subject, router_law_list<R>(weights));
}

}  // namespace sluice::contracts
