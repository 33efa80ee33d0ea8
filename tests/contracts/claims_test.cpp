// SPDX-License-Identifier: Apache-2.0
//! The decisions of the evidence programs: figures on both sides of each claim.
#include "../../benchmarks/evidence/claims.hpp"

#include <cstddef>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "../../benchmarks/evidence/conclusions.hpp"

using namespace sluice::evidence;

TEST_CASE("evidence: a run of 9.6 tokens a second is too slow") {
    CHECK(decodes_fast_enough(std::vector<double>{10.0, 9.62, 11.0}));
    CHECK(!decodes_fast_enough(std::vector<double>{10.0, 9.6, 11.0}));
}

TEST_CASE("evidence: gaps of 600 ms are too long") {
    CHECK(tokens_come_apart({600.0, 480.0, 510.0, 100.0}));
    CHECK(!tokens_come_apart({600.0, 600.0, 600.0, 100.0}));
    CHECK(!tokens_come_apart({600.0, 490.0, 510.0, 100.0}));  // 500 ms are not below 500 ms
}

TEST_CASE("evidence: a penalty of 1, and falls that chance explains, show nothing") {
    CHECK(!penalty_tells(std::vector<double>(50, 0.0)));  // what a penalty of 1 gives
    std::vector<double> falls(50, 1.0);
    for (std::size_t i = 0; i < 25; ++i) falls[i] = -0.5;  // 2.333 standard errors from 0
    CHECK(!penalty_tells(falls));
    for (std::size_t i = 0; i < 25; ++i) falls[i] = -0.48;  // 2.459
    CHECK(penalty_tells(falls));
}

TEST_CASE("evidence: other tokens, or a gain below the claimed one, are no speculation that pays") {
    CHECK(speculation_pays(true, {1.0, 1.3, 9.0}, same_again));
    CHECK(!speculation_pays(false, {1.0, 1.3, 9.0}, same_again));
    CHECK(!speculation_pays(true, {1.0, 1.29, 9.0}, same_again));
}

TEST_CASE("evidence: what follows from the samples of each program") {
    using nlohmann::json;
    const auto conclusion_holds = [](const std::string& program, const json& samples, const json& summary) {
        const auto [holds, figures] = conclude(program, samples);
        json expected = samples;
        expected.merge_patch(summary);
        CHECK(figures == expected);
        return holds;
    };
    CHECK(conclusion_holds("decode_rate", {{"tokens_per_second", {10, 12, 11, 9.75, 13}}},
                           {{"slowest_tokens_per_second", 9.75}}));
    CHECK(!conclusion_holds("decode_rate", {{"tokens_per_second", {10, 12, 11, 9.5, 13}}, {"bytes_per_token", 7}},
                            {{"slowest_tokens_per_second", 9.5}}));

    std::vector<double> gaps(32, 400.0);
    gaps.back() = 900.0;
    CHECK(conclusion_holds("token_gaps", {{"gaps_ms", gaps}}, {{"median_ms", 400.0}, {"longest_ms", 900.0}}));
    gaps.assign(32, 500.0);
    CHECK(!conclusion_holds("token_gaps", {{"gaps_ms", gaps}}, {{"median_ms", 500.0}, {"longest_ms", 500.0}}));

    const std::vector<double> half(50, 0.5), quarter(50, 0.25);
    json sums = {
        {"mean_greedy", 0.5}, {"mean_penalised", 0.25}, {"mean_fall", 0.25}, {"standard_error_of_mean_fall", 0.0}};
    CHECK(conclusion_holds("repetition", {{"repeated_4grams_greedy", half}, {"repeated_4grams_penalised", quarter}},
                           sums));
    sums["mean_penalised"] = 0.5;
    sums["mean_fall"] = 0.0;
    CHECK(
        !conclusion_holds("repetition", {{"repeated_4grams_greedy", half}, {"repeated_4grams_penalised", half}}, sums));

    json turns, gains;
    for (const auto& [text, gain] : speculation_texts) {
        turns[text] = {{"ms_without", std::vector<double>(15, 3.0)},
                       {"ms_with", std::vector<double>(15, 2.0)},
                       {"same_tokens", std::vector<bool>(15, true)}};
        gains[text] = {{"claimed_gain", gain}, {"median_ms_without", 3.0}, {"median_ms_with", 2.0},
                       {"median_gain", 1.5},   {"least_gain", 1.5},        {"greatest_gain", 1.5}};
    }
    CHECK(conclusion_holds("speculation", turns, gains));
    turns["noise"]["same_tokens"][7] = false;
    CHECK(!conclusion_holds("speculation", turns, gains));
    turns["noise"]["same_tokens"][7] = true;
    turns["noise"]["claimed_gain"] = 0.1;  // another claim is none of this program's
    turns["noise"]["ms_with"] = std::vector<double>(15, 6.0);
    gains["noise"] = {{"claimed_gain", no_repetition},
                      {"median_ms_without", 3.0},
                      {"median_ms_with", 6.0},
                      {"median_gain", 0.5},
                      {"least_gain", 0.5},
                      {"greatest_gain", 0.5}};
    CHECK(!conclusion_holds("speculation", turns, gains));
    turns.erase("noise");
    CHECK_THROWS_AS(conclude("speculation", turns), json::out_of_range);

    CHECK_THROWS_WITH_AS(conclude("token_gaps", {{"gaps_ms", {1.0, 2.0}}}), "gaps_ms has 2 samples, not 32",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(conclude("sums", json::object()), "no claim is known of the program sums",
                         std::invalid_argument);
}
