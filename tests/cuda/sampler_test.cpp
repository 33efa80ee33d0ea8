// SPDX-License-Identifier: Apache-2.0
#include "sluice/cuda/sampler.hpp"

#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <vector>

#include "cuda/check_sampler.hpp"
#include "cuda/each_order.hpp"
#include "sluice/cuda/emulated.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Emulated;

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
    in_each_order([](Emulated& device) {
        for (const std::size_t vocab : {1UL, 1024UL, 3001UL}) check_stages(device, vocab);
    });
}

TEST_CASE("cuda sampler: the CPU's tokens of a vocabulary of Qwen3's size") {
    Emulated device({.order = cuda::Order::descending});
    const SamplerOnBoth both(device);
    std::vector<float> logits = random_logits(40, qwen3_vocab);
    for (const float temperature : {0.0F, 1.0F}) {
        both.check({.temperature = temperature}, logits);
        both.check({.temperature = temperature, .top_k = 20, .top_p = 0.95F, .min_p = 0.02F}, logits);
    }
    logits[qwen3_vocab - 1] = not_a_number;
    both.check({}, logits);
    both.check({.temperature = 1.0F, .top_k = 40}, std::vector<float>(qwen3_vocab, 0.25F));
}

TEST_CASE("cuda sampler: the cut through equal logits is at the CPU's id") {
    in_each_order([](Emulated& device) {
        for (const std::size_t vocab : {300UL, 4000UL}) check_ties(device, vocab);
    });
}

TEST_CASE("cuda sampler: the best of every tile stays, if top-k asks for as many") {
    in_each_order([](Emulated& device) { check_best_of_tiles(device); });
}

TEST_CASE("cuda sampler: the CPU's penalties and biases, with more tokens than a launch takes") {
    in_each_order([](Emulated& device) { check_penalties(device, 1500); });
}

TEST_CASE("cuda sampler: the CPU's errors") {
    in_each_order([](Emulated& device) { check_errors(device, 3000); });
}
