// SPDX-License-Identifier: Apache-2.0
//! The laws of the stages that narrow the candidates down: temperature, top-k, top-p, min-p. A stage of your own that
//! takes the same argument as one of these is checked by
//!
//!     TEST_CASE("my top-p keeps the laws") { sluice::contracts::top_p_laws<MyTopP>("MyTopP"); }
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "sluice/concepts/sampler.hpp"
#include "sluice/contracts/check.hpp"
#include "sluice/contracts/sampler_checks.hpp"
#include "sluice/contracts/sampling_oracles.hpp"
#include "sluice/contracts/tolerances.hpp"
#include "sluice/sampler/candidates.hpp"
#include "sluice/sampler/temperature.hpp"

namespace sluice::contracts {

//! Of a stage Stage(temperature).
inline std::vector<Law> temperature_law_list(detail::MakeStage<float> stage) {
    using namespace detail;
    const auto draw = [stage](Case& c, std::size_t) {
        return stage(static_cast<float>(c.pick({0.0, 0.5, 2.0, c.real(0.01, 3.0)})));
    };
    return {
        {"temperature.divides", "The distance of each logit from the best one is divided by the temperature.",
         [stage](Case& c) {
             const std::vector<float> row = masked_logits(c);
             const auto t = static_cast<float>(c.pick({1.0, 0.7, 5.0, 1e-3, c.real(0.01, 3.0)}));
             c.given("temperature", t);
             const Left left = left_of(c, row, {}, stage(t));
             c.equal("candidates", left.ids.size(), left.before);
             const double best = *std::max_element(row.begin(), row.end());
             for (std::size_t i = 0; i < left.ids.size(); ++i) {
                 const float logit = row[static_cast<std::size_t>(left.ids[i])];
                 if (logit == -plus_infinity) continue;
                 c.near("distance of token " + to_text(left.ids[i]), left.depths.at(i),
                        (best - logit) / static_cast<double>(t), tolerance::one_float_step);
             }
         }},
        {"temperature.zero_is_arg_max", "At temperature 0 the best token alone is left, of equal ones the lowest.",
         [stage](Case& c) {
             const std::vector<float> row = masked_logits(c);
             c.equal("tokens left", left_of(c, row, {}, stage(0.0F)).ids,
                     ascending(oracle::ranking(oracle::to_doubles(row)), 1));
         }},
        {"temperature.refuses_bad_parameters", "A temperature that is negative or not finite is refused.",
         [stage](Case& c) {
             const float bad = c.pick(
                 {not_a_number, plus_infinity, -plus_infinity, -1e-30F, static_cast<float>(c.real(-9.0, -0.01))});
             expect_refused(c, "temperature", bad, stage(bad));
             c.expect(accepts(stage(0.0F)) && accepts(stage(5.0F)), "good parameters are refused");
         }},
        nothing_stays("temperature.nothing_stays", draw),
        bad_logits_stay_errors("temperature.bad_logits_stay_errors", draw),
    };
}
template <SamplerStage Stage>
std::vector<Law> temperature_law_list() {
    return temperature_law_list(detail::any_stage<Stage, float>);
}

//! Of a stage Stage(k).
inline std::vector<Law> top_k_law_list(detail::MakeStage<std::int32_t> stage) {
    using namespace detail;
    const auto draw = [stage](Case& c, std::size_t vocabulary) {
        return stage(c.pick({1, c.integer(1, static_cast<std::int32_t>(vocabulary))}));
    };
    return {
        {"top_k.keeps_the_k_best", "The k tokens with the highest logits are left.",
         [stage](Case& c) {
             const std::vector<float> row = masked_logits(c);
             const std::size_t k = c.pick({std::size_t{1}, std::size_t{2}, row.size(), row.size() + 3,
                                           c.integer(1, row.size()), c.integer(1, row.size())});
             c.given("k", k);
             const Left left = left_of(c, row, {}, stage(static_cast<std::int32_t>(k)));
             const std::vector<Token> ranked = oracle::ranking(oracle::to_doubles(row));
             c.equal("number of tokens left", unmasked(left).size(), std::min(k, ranked.size()));
             const float least = row[static_cast<std::size_t>(ranked[std::min(k, ranked.size()) - 1])];
             for (const Token token : unmasked(left)) {
                 c.between("logit of token " + to_text(token), row[static_cast<std::size_t>(token)], least,
                           plus_infinity);
             }
         }},
        {"top_k.ties_go_to_lowest_id", "Of equal logits at the border the lowest ids are left.",
         [stage](Case& c) {
             std::vector<float> row = c.floats(vocabulary(c), [&] { return c.integer(0, 2); });
             c.given("logits", row);
             const auto k = c.integer<std::size_t>(1, row.size());
             c.given("k", k);
             c.equal("tokens left", unmasked(left_of(c, row, {}, stage(static_cast<std::int32_t>(k)))),
                     ascending(oracle::ranking(oracle::to_doubles(row)), k));
         }},
        {"top_k.zero_keeps_all", "k = 0 drops nothing.",
         [stage](Case& c) {
             const std::vector<float> row = masked_logits(c);
             expect_all_left(c, left_of(c, row, {}, stage(0)), row);
         }},
        {"top_k.refuses_bad_parameters", "A negative k is refused.",
         [stage](Case& c) {
             const std::int32_t bad = c.pick({-1, c.integer(std::numeric_limits<std::int32_t>::min(), -1)});
             expect_refused(c, "k", bad, stage(bad));
             c.expect(accepts(stage(0)) && accepts(stage(40)), "good parameters are refused");
         }},
        nothing_stays("top_k.nothing_stays", draw),
        bad_logits_stay_errors("top_k.bad_logits_stay_errors", draw),
    };
}
template <SamplerStage Stage>
std::vector<Law> top_k_law_list() {
    return top_k_law_list(detail::any_stage<Stage, std::int32_t>);
}

//! Of a stage Stage(p).
inline std::vector<Law> top_p_law_list(detail::MakeStage<float> stage) {
    using namespace detail;
    //! The tokens left at a random temperature, and the probabilities there.
    struct Outcome {
        std::vector<Token> ids, ranked;
        oracle::Vector probabilities;
    };
    const auto outcome = [stage](Case& c, float p) {
        const std::vector<float> row = masked_logits(c);
        const auto t = static_cast<float>(c.pick({1.0, 0.5, c.real(0.2, 5.0)}));
        c.given("temperature", t);
        c.given("p", p);
        const oracle::Vector logits = oracle::to_doubles(row);
        return Outcome{unmasked(left_of(c, row, {}, Temperature(t), stage(p))), oracle::ranking(logits),
                       oracle::probabilities(logits, static_cast<double>(t))};
    };
    const auto share = [](Case& c) { return static_cast<float>(c.pick({0.5, 0.9, 1e-6, c.real(0.01, 0.999)})); };
    const auto draw = [=](Case& c, std::size_t) { return stage(share(c)); };
    return {
        {"top_p.keeps_the_crossing_token", "What is left reaches the probability p.",
         [=](Case& c) {
             const float p = share(c);
             const Outcome left = outcome(c, p);
             double sum = 0.0;
             for (const Token token : left.ids) sum += left.probabilities[static_cast<std::size_t>(token)];
             c.between("probability of what is left", sum, p - tolerance::probability_sum, 2.0);
         }},
        {"top_p.smallest_set", "Without its least likely token, what is left would not reach p.",
         [=](Case& c) {
             const float p = share(c);
             const Outcome left = outcome(c, p);
             double sum = 0.0, least = 1.0;
             for (const Token token : left.ids) {
                 const double one = left.probabilities[static_cast<std::size_t>(token)];
                 sum += one;
                 least = std::min(least, one);
             }
             c.between("probability without the least", sum - least, -1.0, p + tolerance::probability_sum);
         }},
        {"top_p.prefix_of_ranking", "What is left are the best tokens, of equal ones the lowest.",
         [=](Case& c) {
             const Outcome left = outcome(c, share(c));
             c.equal("tokens left", left.ids, ascending(left.ranked, left.ids.size()));
         }},
        {"top_p.exact_at_the_border", "Of 2^n equal logits p = k / 2^n leaves exactly k, those with the lowest ids.",
         [stage](Case& c) {
             const std::size_t equal = std::size_t{1} << c.integer(1, 9), k = c.integer<std::size_t>(1, equal - 1);
             const float logit = c.pick({0.0F, 1.5F, -40.0F});
             const double masked = c.pick({0.0, 0.5});  // of all tokens
             std::vector<float> row;
             for (std::size_t i = 0; i < equal; ++i) {
                 while (c.chance(masked)) row.push_back(-plus_infinity);
                 row.push_back(logit);
             }
             c.given("equal logits", equal);
             c.given("k", k);
             c.given("logits", row);
             const Left left = left_of(c, row, {}, stage(static_cast<float>(k) / static_cast<float>(equal)));
             c.equal("tokens left", unmasked(left), ascending(oracle::ranking(oracle::to_doubles(row)), k));
         }},
        {"top_p.one_keeps_all", "p = 1, and any other p outside (0, 1), drops nothing, however unlikely.",
         [=](Case& c) {
             const Outcome left = outcome(c, c.pick({1.0F, 1.0F, 0.0F, 1.5F, -1.0F}));
             c.equal("tokens left", left.ids, ascending(left.ranked, left.ranked.size()));
         }},
        {"top_p.refuses_bad_parameters", "A p that is no number is refused.",
         [stage](Case& c) {
             expect_refused(c, "p", not_a_number, stage(not_a_number));
             c.expect(accepts(stage(1.0F)) && accepts(stage(static_cast<float>(c.real(0.0, 1.0)))),
                      "good parameters are refused");
         }},
        nothing_stays("top_p.nothing_stays", draw),
        bad_logits_stay_errors("top_p.bad_logits_stay_errors", draw),
    };
}
template <SamplerStage Stage>
std::vector<Law> top_p_law_list() {
    return top_p_law_list(detail::any_stage<Stage, float>);
}

//! Of a stage Stage(min_p).
inline std::vector<Law> min_p_law_list(detail::MakeStage<float> stage) {
    using namespace detail;
    const auto draw = [stage](Case& c, std::size_t) { return stage(c.pick({1.0F, 0.5F, 0.05F})); };
    return {
        {"min_p.keeps_what_is_likely_enough", "Left are the tokens at least min_p times as likely as the best one.",
         [stage](Case& c) {
             const std::vector<float> row = masked_logits(c);
             const auto t = static_cast<float>(c.pick({1.0, 0.5, c.real(0.2, 5.0)}));
             const auto min_p = static_cast<float>(c.pick({1.0, 0.5, 0.05, 1e-4, c.real(0.001, 1.0)}));
             c.given("temperature", t);
             c.given("min_p", min_p);
             const std::vector<Token> left = left_of(c, row, {}, Temperature(t), stage(min_p)).ids;
             const double best = *std::max_element(row.begin(), row.end());
             for (std::size_t i = 0; i < row.size(); ++i) {
                 const double ratio = std::exp((row[i] - best) / static_cast<double>(t));
                 if (std::fabs(ratio - min_p) <= tolerance::likelihood_ratio * min_p) continue;  // rounding decides
                 c.equal("token " + to_text(i) + " is left",
                         std::binary_search(left.begin(), left.end(), static_cast<Token>(i)), ratio > min_p);
             }
         }},
        {"min_p.zero_keeps_all", "min_p = 0 drops nothing.",
         [stage](Case& c) {
             const std::vector<float> row = masked_logits(c);
             expect_all_left(c, left_of(c, row, {}, stage(0.0F)), row);
         }},
        {"min_p.refuses_bad_parameters", "A min_p outside [0, 1] is refused.",
         [stage](Case& c) {
             const float bad =
                 c.pick({not_a_number, plus_infinity, -1e-30F, 1.0000001F, static_cast<float>(c.real(1.01, 9.0))});
             expect_refused(c, "min_p", bad, stage(bad));
             c.expect(accepts(stage(0.0F)) && accepts(stage(1.0F)), "good parameters are refused");
         }},
        nothing_stays("min_p.nothing_stays", draw),
        bad_logits_stay_errors("min_p.bad_logits_stay_errors", draw),
    };
}
template <SamplerStage Stage>
std::vector<Law> min_p_law_list() {
    return min_p_law_list(detail::any_stage<Stage, float>);
}

template <SamplerStage Stage>
void temperature_laws(std::string_view subject) {
    check_laws(subject, temperature_law_list<Stage>());
}
template <SamplerStage Stage>
void top_k_laws(std::string_view subject) {
    check_laws(subject, top_k_law_list<Stage>());
}
template <SamplerStage Stage>
void top_p_laws(std::string_view subject) {
    check_laws(subject, top_p_law_list<Stage>());
}
template <SamplerStage Stage>
void min_p_laws(std::string_view subject) {
    check_laws(subject, min_p_law_list<Stage>());
}

}  // namespace sluice::contracts
