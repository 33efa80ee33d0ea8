// SPDX-License-Identifier: Apache-2.0
#include "sluice/cuda/sampler.hpp"

#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <string>
#include <vector>

#include "cuda/on_row.hpp"
#include "sluice/sampler/standard.hpp"
#include "support/numbers.hpp"
#include "unit/sampler/support.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Order;

namespace {

//! The token, or the error's message.
template <class S>
std::string outcome(Expected<S> sampler, std::vector<float> logits, const SampleContext& context) {
    if (!sampler.ok()) return sampler.status().message();
    const Expected<Token> token = sampler->sample(logits, context);
    return token.ok() ? to_text(*token) : token.status().message();
}

//! What the CPU makes of a row, the device does too.
void check_same(const SamplingParams& params, const std::vector<float>& logits, const SampleContext& context = {},
                Order order = Order::descending) {
    CHECK(outcome(OnRow::make(params, order), logits, context) ==
          outcome(make_standard_sampler(params), logits, context));
}

//! Twice, in either order of its threads.
void check_draws(const SamplingParams& params, const std::vector<float>& logits) {
    check_same(params, logits, {.seed = 7, .sequence = 0, .position = 100}, Order::ascending);
    check_same(params, logits, {.seed = 7, .sequence = 1, .position = 101}, Order::descending);
}

}  // namespace

TEST_CASE("cuda sampler: ranks order as floats and ids do") {
    const std::vector<float> descending = {infinity, 3e38F, 2.0F,  1.5F,   1e-40F,   0.0F,
                                           -1e-40F,  -1.0F, -2.0F, -3e38F, -infinity};
    for (std::size_t i = 0; i < descending.size(); ++i) {
        for (std::uint32_t id : {0U, 8000000U}) {
            CHECK(cuda::logit_of(cuda::rank_key(descending[i], id)) == descending[i]);
            CHECK(cuda::id_of(cuda::rank_key(descending[i], id)) == id);
        }
        if (i > 0) CHECK(cuda::rank_key(descending[i - 1], 9) < cuda::rank_key(descending[i], 2));
    }
    CHECK(cuda::rank_key(-0.0F, 3) == cuda::rank_key(0.0F, 3));
    CHECK(cuda::rank_key(1.0F, 3) < cuda::rank_key(1.0F, 4));
}

TEST_CASE("cuda sampler: the CPU's tokens for every stage, alone and together") {
    const std::vector<SamplingParams> all = {
        {},
        {.temperature = 1.0F},
        {.temperature = 0.3F, .top_k = 5},
        {.temperature = 5.0F, .top_k = 1},
        {.temperature = 1.0F, .top_k = 40},
        {.temperature = 1.0F, .top_k = 2000},
        {.temperature = 1.0F, .top_p = 0.9F},
        {.temperature = 2.0F, .top_p = 0.999F},
        {.temperature = 1.0F, .top_p = 1e-30F},
        {.temperature = 1.0F, .min_p = 0.05F},
        {.temperature = 0.6F, .top_k = 20, .top_p = 0.95F, .min_p = 0.02F},
        {.temperature = 1e-30F, .top_p = 0.5F},
        {.temperature = 1e30F, .top_k = 700, .top_p = 0.5F},
    };
    for (const std::size_t vocab : {1UL, 1024UL, 3001UL}) {
        for (std::uint32_t kind = 0; kind < 4; ++kind) {
            const std::vector<float> logits = random_logits(40 + kind, vocab);
            for (const SamplingParams& params : all) {
                CAPTURE(vocab);
                CAPTURE(kind);
                CAPTURE(&params - all.data());
                check_draws(params, logits);
            }
        }
    }
}

TEST_CASE("cuda sampler: the cut through equal logits is at the CPU's id") {
    for (const std::size_t vocab : {300UL, 4000UL}) {
        std::vector<float> logits(vocab, 0.25F);
        for (const std::int32_t k : {2, 255, 256, 299}) check_draws({.temperature = 1.0F, .top_k = k}, logits);
        for (const float p : {0.001F, 0.5F, 0.9F}) check_draws({.temperature = 1.0F, .top_p = p}, logits);
        // Logits that only their last bits tell apart, at the same depth.
        for (std::size_t i = 0; i < vocab; ++i) logits[i] = static_cast<float>(i % 200) * 1e-30F;
        logits[7] = 1.0F;
        for (const std::int32_t k : {2, 100, 250})
            check_draws({.temperature = 1.0F, .top_k = k, .top_p = 0.7F}, logits);
    }
}

TEST_CASE("cuda sampler: the best of every tile stays, if top-k asks for as many") {
    std::vector<float> logits = random_logits(3, 3000);
    for (const std::size_t i : {100UL, 1500UL, 2999UL}) logits[i] = 20.0F + static_cast<float>(i) * 1e-5F;
    for (std::uint32_t i = 0; i < 8; ++i) {
        check_same({.temperature = 50.0F, .top_k = 3}, logits, {.position = i});
        check_same({.temperature = 50.0F, .top_k = 2}, logits, {.position = i});
    }
}

TEST_CASE("cuda sampler: the CPU's penalties and biases, with more tokens than a launch takes") {
    const std::vector<float> logits = random_logits(9, 1500);
    std::vector<Token> history;
    for (Token i = 0; i < 900; ++i) history.push_back(i * i % 700);
    std::vector<TokenBias> biases = {{3, 0.1F}, {5, -infinity}, {3, 0.2F}, {3, 0.7F}};
    for (Token i = 0; i < 600; ++i) biases.push_back({i % 250, 0.01F * static_cast<float>(i)});
    const SamplingParams everything = {.repetition_penalty = 1.3F,
                                       .presence_penalty = 0.3F,
                                       .frequency_penalty = 0.07F,
                                       .repeat_last_n = -1,
                                       .logit_bias = biases};
    const auto wanted = narrow(logits, {.history = history}, RepetitionPenalty(1.3F, -1),
                               PresenceFrequencyPenalty(0.3F, 0.07F, -1), LogitBias(biases));
    REQUIRE(wanted.ok());
    for (const Order order : {Order::ascending, Order::descending}) {
        cuda::Emulated device({.order = order});
        RowOnDevice row(logits);
        const auto on_device = row.on(device);
        REQUIRE(cuda::DeviceSampler::make(everything)->sample(on_device.row(0), {.history = history}).ok());
        std::vector<float> got(logits.size());
        REQUIRE(on_device.read(0, got).ok());
        for (std::size_t i = 0; i < got.size(); ++i) CHECK(same_bits(got[i], (*wanted)[i].logit));
    }
    for (const std::int32_t window : {-1, 0, 64}) {
        for (const float temperature : {0.0F, 1.0F}) {
            const auto check = [&](const SamplingParams& params) { check_same(params, logits, {.history = history}); };
            check({.temperature = temperature, .repetition_penalty = 1.3F, .repeat_last_n = window});
            check({.temperature = temperature, .presence_penalty = 0.5F, .repeat_last_n = window});
            check({.temperature = temperature, .frequency_penalty = -0.4F, .repeat_last_n = window});
            check({.temperature = temperature,
                   .top_k = 30,
                   .repetition_penalty = 0.8F,
                   .presence_penalty = 0.25F,
                   .frequency_penalty = 0.125F,
                   .repeat_last_n = window,
                   .logit_bias = biases});
        }
    }
}

TEST_CASE("cuda sampler: the CPU's errors") {
    std::vector<float> logits = random_logits(8, 3000);
    const std::vector<Token> history = {1, 2, 3000};
    check_same({.repetition_penalty = 1.1F}, logits, {.history = history});
    check_same({.presence_penalty = 1.1F}, logits, {.history = history});
    check_same({.logit_bias = {{2999, 1.0F}, {3000, 1.0F}}}, logits);
    check_same({.temperature = -1.0F}, logits);
    const std::vector<SamplingParams> all = {
        {}, {.temperature = 1.0F}, {.temperature = 1.0F, .top_k = 10, .top_p = 0.5F, .min_p = 0.1F}};
    for (const SamplingParams& params : all) {
        for (const float bad : {not_a_number, infinity}) {
            std::vector<float> broken = logits;
            broken[2500] = bad;
            broken[2900] = not_a_number;
            check_same(params, broken);
            check_same(params, std::vector<float>(20, bad));
        }
        check_same(params, std::vector<float>(1100, -infinity));
    }
}
