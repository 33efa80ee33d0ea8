// SPDX-License-Identifier: Apache-2.0
#include "sluice/sampler/standard.hpp"

#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <set>
#include <vector>

#include "support.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

Token sample(const SamplingParams& params, std::vector<float> logits, const SampleContext& context = {}) {
    auto sampler = make_standard_sampler(params);
    REQUIRE(sampler.ok());
    const auto token = sampler->sample(logits, context);
    REQUIRE(token.ok());
    return *token;
}

//! The tokens of positions 0, 1, ... over changing logits, with what was drawn as the history.
std::vector<Token> stream(const SamplingParams& params, std::uint64_t seed, std::uint32_t count) {
    auto sampler = make_standard_sampler(params);
    REQUIRE(sampler.ok());
    std::vector<Token> tokens;
    for (std::uint32_t i = 0; i < count; ++i) {
        std::vector<float> logits = random_logits(i, 3000);
        const auto token = sampler->sample(logits, {.history = tokens, .seed = seed, .position = i});
        REQUIRE(token.ok());
        tokens.push_back(*token);
    }
    return tokens;
}

}  // namespace

static_assert(Sampler<StandardSampler>);

TEST_CASE("standard: the defaults are greedy") {
    for (std::uint32_t seed = 0; seed < 50; ++seed) {
        const std::vector<float> logits = random_logits(seed, 2000);
        CHECK(sample({}, logits, {.seed = seed}) == ranking(logits)[0].id);
    }
}

TEST_CASE("standard: top_k 1 at temperature 5 equals greedy") {
    CHECK(stream({.temperature = 5.0F, .top_k = 1}, 1, 50) == stream({}, 2, 50));
}

TEST_CASE("standard: penalties and biases come before the greedy choice") {
    const std::vector<Token> history{1};
    const std::vector<float> logits{1.0F, 3.0F, 2.0F};
    CHECK(sample({.repetition_penalty = 2.0F}, logits, {.history = history}) == 2);
    CHECK(sample({.presence_penalty = 1.5F}, logits, {.history = history}) == 2);
    CHECK(sample({.frequency_penalty = 1.5F}, logits, {.history = history}) == 2);
    CHECK(sample({.logit_bias = {{0, 5.0F}}}, logits, {.history = history}) == 0);
    CHECK(sample({.top_k = 1, .repetition_penalty = 2.0F}, logits, {.history = history}) == 2);
}

TEST_CASE("standard: the order of the stages shows in the outcome") {
    const std::vector<Token> history{0};
    // Penalty, then presence: 4 / 2 - 1 = 1 < 1.25; the other way round (4 - 1) / 2 = 1.5 would win.
    CHECK(sample({.repetition_penalty = 2.0F, .presence_penalty = 1.0F}, {4.0F, 1.25F}, {.history = history}) == 1);
    // Penalty, then bias: 4 / 2 + 1 = 3 > 2.75; the other way round (4 + 1) / 2 = 2.5 would lose.
    CHECK(sample({.repetition_penalty = 2.0F, .logit_bias = {{0, 1.0F}}}, {4.0F, 2.75F}, {.history = history}) == 0);
    // Top-k before top-p: of the two best, 50 % each, the first reaches p = 0.5 alone; of all ten it would not.
    for (std::uint32_t i = 0; i < 50; ++i) {
        CHECK(sample({.temperature = 1.0F, .top_k = 2, .top_p = 0.5F}, std::vector<float>(10), {.position = i}) == 0);
    }
    // Temperature before top-p and min-p: flattened by 100, ten tokens stay in where one would.
    std::vector<float> steep(10, 0.0F);
    steep[3] = 10.0F;
    for (const SamplingParams& params : {SamplingParams{.temperature = 100.0F, .top_p = 0.95F},
                                         SamplingParams{.temperature = 100.0F, .min_p = 0.5F}}) {
        std::set<Token> seen;
        for (std::uint32_t i = 0; i < 200; ++i) seen.insert(sample(params, steep, {.position = i}));
        CHECK(seen.size() == 10);
    }
}

TEST_CASE("standard: the neutral value of each field changes nothing") {
    const SamplingParams plain{.temperature = 0.9F};
    const std::vector<Token> expected = stream(plain, 5, 40);
    const auto with = [&](auto change) {
        SamplingParams params = plain;
        change(params);
        return stream(params, 5, 40);
    };
    CHECK(with([](SamplingParams& p) { p.top_k = 3000; }) == expected);
    CHECK(with([](SamplingParams& p) { p.top_k = 2999; }) == expected);  // only a hopeless token goes
    CHECK(with([](SamplingParams& p) { p.top_p = 0.0F; }) == expected);
    CHECK(with([](SamplingParams& p) { p.min_p = 1e-30F; }) == expected);
    CHECK(with([](SamplingParams& p) { p.repeat_last_n = -1; }) == expected);
    CHECK(with([](SamplingParams& p) { p.repetition_penalty = 1.3F, p.repeat_last_n = 0; }) == expected);
    CHECK(with([](SamplingParams& p) { p.repetition_penalty = 1.3F; }) != expected);
}

TEST_CASE("standard: a seed gives its tokens again, another seed gives others") {
    const SamplingParams params{.temperature = 0.7F};
    CHECK(stream(params, 42, 16) == stream(params, 42, 16));
    CHECK(stream(params, 42, 16) != stream(params, 43, 16));
    std::set<std::vector<Token>> distinct;
    for (std::uint64_t seed = 0; seed < 32; ++seed) distinct.insert(stream(params, seed, 4));
    CHECK(distinct.size() >= 30);
}

TEST_CASE("standard: golden tokens, the same on every compiler and instruction set") {
    CHECK(text(stream({.temperature = 0.7F, .top_k = 20, .top_p = 0.8F, .repetition_penalty = 1.05F}, 42, 8)) ==
          "1435 570 1610 2180 2860 2219 1487 737");
    CHECK(text(stream({.temperature = 1.3F, .top_p = 0.95F, .frequency_penalty = 0.5F}, 7, 8)) ==
          "2162 570 26 917 2969 2219 1168 1488");
    CHECK(text(stream({.temperature = 1.0F, .min_p = 0.05F, .presence_penalty = 1.0F}, 123456789012345, 8)) ==
          "722 570 746 51 2860 2219 2796 250");
}

TEST_CASE("standard: parameters out of range are named") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const auto where = [](const SamplingParams& params) {
        const auto sampler = make_standard_sampler(params);
        REQUIRE_FALSE(sampler.ok());
        CHECK(sampler.status().code() == Errc::invalid_argument);
        CHECK_FALSE(sampler.status().mend().empty());
        return sampler.status().where();
    };
    CHECK(where({.temperature = -0.5F}) == "temperature");
    CHECK(where({.temperature = nan}) == "temperature");
    CHECK(where({.top_k = -1}) == "top_k");
    CHECK(where({.top_p = nan}) == "top_p");
    CHECK(where({.min_p = 1.01F}) == "min_p");
    CHECK(where({.repetition_penalty = 0.0F}) == "repetition_penalty");
    CHECK(where({.presence_penalty = nan}) == "presence_penalty");
    CHECK(where({.frequency_penalty = nan}) == "frequency_penalty");
    CHECK(where({.repeat_last_n = -2}) == "repeat_last_n");
    CHECK(where({.logit_bias = {{3, nan}}}) == "logit_bias");
}

TEST_CASE("standard: bad logits and histories are errors, never tokens") {
    const std::vector<Token> history{5};
    for (const SamplingParams& params :
         {SamplingParams{}, SamplingParams{.temperature = 1.0F}, SamplingParams{.temperature = 1.0F, .top_k = 2},
          SamplingParams{.temperature = 1.0F, .top_p = 0.5F}}) {
        auto sampler = make_standard_sampler(params);
        std::vector<float> bad{1.0F, 2.0F, std::numeric_limits<float>::quiet_NaN()};
        CHECK(sampler->sample(bad, {}).status().message() ==
              "logits[2]: is NaN; the model's weights or its computation are broken");
        std::vector<float> good{1.0F, 2.0F, 3.0F};
        CHECK(sampler->sample(good, {}).ok());  // the next token is not affected
    }
    auto sampler = make_standard_sampler({.repetition_penalty = 1.1F});
    std::vector<float> logits{1.0F, 2.0F};
    CHECK(sampler->sample(logits, {.history = history}).status().message() ==
          "history: token 5 is outside the vocabulary of 2; give ids from 0 to 1");
}
