// SPDX-License-Identifier: Apache-2.0
//! A device's sampler beside the CPU's: the same rows give the same tokens and the same errors. For the emulated device
//! and for a GPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cuda/on_row.hpp"
#include "sluice/concepts/sampler.hpp"
#include "sluice/core/to_text.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cuda/candidates.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/cuda/sampler.hpp"
#include "sluice/sampler/standard.hpp"
#include "support/numbers.hpp"
#include "unit/sampler/support.hpp"

namespace sluice::test {

inline constexpr std::size_t qwen3_vocab = 151936;

//! The token, or the error's message.
template <class S>
std::string outcome(Expected<S> sampler, std::vector<float> logits, const SampleContext& context) {
    if (!sampler.ok()) return sampler.status().message();
    const Expected<Token> token = sampler->sample(logits, context);
    return token.ok() ? to_text(*token) : token.status().message();
}

template <cuda::Device D>
class SamplerOnBoth {
public:
    explicit SamplerOnBoth(D& device) : device_(device) {}

    void check(const SamplingParams& params, const std::vector<float>& logits,
               const SampleContext& context = {}) const {
        CHECK(outcome(OnRow<D>::make(device_, params), logits, context) ==
              outcome(make_standard_sampler(params), logits, context));
    }
    //! With two random numbers.
    void check_draws(const SamplingParams& params, const std::vector<float>& logits) const {
        check(params, logits, {.seed = 7, .sequence = 0, .position = 100});
        check(params, logits, {.seed = 7, .sequence = 1, .position = 101});
    }

private:
    D& device_;
};

//! Every stage, alone and together.
template <cuda::Device D>
void check_stages(D& device, std::size_t vocab) {
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
    const SamplerOnBoth both(device);
    for (std::uint32_t kind = 0; kind < 4; ++kind) {
        const std::vector<float> logits = random_logits(40 + kind, vocab);
        for (const SamplingParams& params : all) {
            CAPTURE(vocab);
            CAPTURE(kind);
            CAPTURE(&params - all.data());
            both.check_draws(params, logits);
        }
    }
}

//! The cut through equal logits is at the CPU's id.
template <cuda::Device D>
void check_ties(D& device, std::size_t vocab) {
    const SamplerOnBoth both(device);
    std::vector<float> logits(vocab, 0.25F);
    for (const std::int32_t k : {2, 255, 256, 299}) both.check_draws({.temperature = 1.0F, .top_k = k}, logits);
    for (const float p : {0.001F, 0.5F, 0.9F}) both.check_draws({.temperature = 1.0F, .top_p = p}, logits);
    // Logits that only their last bits tell apart, at the same depth.
    for (std::size_t i = 0; i < vocab; ++i) logits[i] = static_cast<float>(i % 200) * 1e-30F;
    logits[7] = 1.0F;
    for (const std::int32_t k : {2, 100, 250}) {
        both.check_draws({.temperature = 1.0F, .top_k = k, .top_p = 0.7F}, logits);
    }
}

//! The best of every tile stays, if top-k asks for as many.
template <cuda::Device D>
void check_best_of_tiles(D& device) {
    const SamplerOnBoth both(device);
    std::vector<float> logits = random_logits(3, 3000);
    for (const std::size_t i : {100UL, 1500UL, 2999UL}) logits[i] = 20.0F + static_cast<float>(i) * 1e-5F;
    for (std::uint32_t i = 0; i < 8; ++i) {
        both.check({.temperature = 50.0F, .top_k = 3}, logits, {.position = i});
        both.check({.temperature = 50.0F, .top_k = 2}, logits, {.position = i});
    }
}

//! Penalties and biases: the bits of the logits, then the tokens. More distinct tokens than a launch takes, up to the
//! last one.
template <cuda::Device D>
void check_penalties(D& device, std::size_t vocab) {
    static_assert(cuda::Penalize::most < 600 && cuda::AddBiases::most < 600);
    const std::vector<float> logits = random_logits(9, vocab);
    const auto last = static_cast<Token>(vocab) - 1;
    std::vector<Token> history = {last};
    for (Token i = 0; i < 900; ++i) history.push_back(i * 7 % 600);
    history.push_back(last);
    std::vector<TokenBias> biases = {{3, 0.1F}, {5, -infinity}, {3, 0.2F}, {3, 0.7F}, {last, 2.0F}};
    for (Token i = 0; i < 600; ++i) biases.push_back({i % 250, 0.01F * static_cast<float>(i)});
    const SamplingParams everything = {.repetition_penalty = 1.3F,
                                       .presence_penalty = 0.3F,
                                       .frequency_penalty = 0.07F,
                                       .repeat_last_n = -1,
                                       .logit_bias = biases};
    const auto wanted = narrow(logits, {.history = history}, RepetitionPenalty(1.3F, -1),
                               PresenceFrequencyPenalty(0.3F, 0.07F, -1), LogitBias(biases));
    REQUIRE(wanted.ok());
    RowOnDevice<D> row(device, vocab);
    REQUIRE(cuda::DeviceSampler::make(everything)->sample(row.fill(logits), {.history = history}).ok());
    const std::vector<float> got = row.read();
    bool all = true;
    for (std::size_t i = 0; i < got.size(); ++i) all = all && same_bits(got[i], (*wanted)[i].logit);
    CHECK(all);

    for (const std::int32_t window : {-1, 0, 64}) {
        for (const float temperature : {0.0F, 1.0F}) {
            const auto check = [&](const SamplingParams& params) {
                SamplerOnBoth(device).check(params, logits, {.history = history});
            };
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

//! Tokens outside the vocabulary, bad parameters, and logits of which nothing can be made.
template <cuda::Device D>
void check_errors(D& device, std::size_t vocab) {
    const SamplerOnBoth both(device);
    const std::vector<float> logits = random_logits(8, vocab);
    const auto outside = static_cast<Token>(vocab);
    const std::vector<Token> history = {1, 2, outside};
    both.check({.repetition_penalty = 1.1F}, logits, {.history = history});
    both.check({.presence_penalty = 1.1F}, logits, {.history = history});
    both.check({.logit_bias = {{outside - 1, 1.0F}, {outside, 1.0F}}}, logits);
    both.check({.temperature = -1.0F}, logits);
    const std::vector<SamplingParams> all = {
        {}, {.temperature = 1.0F}, {.temperature = 1.0F, .top_k = 10, .top_p = 0.5F, .min_p = 0.1F}};
    for (const SamplingParams& params : all) {
        for (const float bad : {not_a_number, infinity}) {
            std::vector<float> broken = logits;
            broken[vocab - 500] = bad;
            broken[vocab - 100] = not_a_number;
            both.check(params, broken);
            both.check(params, std::vector<float>(20, bad));
        }
        both.check(params, std::vector<float>(1100, -infinity));
    }
}

}  // namespace sluice::test
