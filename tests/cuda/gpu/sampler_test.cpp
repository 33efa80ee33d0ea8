// SPDX-License-Identifier: Apache-2.0
//! The sampler's tokens and errors, on a GPU.
#include <cstddef>
#include <doctest/doctest.h>

#include "cuda/check_sampler.hpp"
#include "cuda/gpu/on_gpu.hpp"
#include "sluice/cuda/gpu.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Gpu;

namespace {
// More than a million logits are more tiles than are ranked.
constexpr std::size_t small_vocab = 3001, vast_vocab = (1U << 20) + 5;
}  // namespace

// Small, as it is run under compute-sanitizer too.
TEST_CASE("gpu sampler: the CPU's tokens of a small vocabulary") {
    on_gpu([](Gpu& gpu) {
        check_stages(gpu, small_vocab);
        check_ties(gpu, small_vocab);
        check_best_of_tiles(gpu);
        check_penalties(gpu, small_vocab);
        check_errors(gpu, small_vocab);
    });
}

TEST_CASE("gpu sampler: the CPU's tokens of the smallest vocabularies") {
    on_gpu([](Gpu& gpu) {
        for (const std::size_t vocab : {1UL, 2UL, 1024UL}) check_stages(gpu, vocab);
        check_ties(gpu, 300);
    });
}

TEST_CASE("gpu sampler: the CPU's tokens of a vocabulary of Qwen3's size, and of a larger one") {
    on_gpu([](Gpu& gpu) {
        check_stages(gpu, qwen3_vocab);
        check_ties(gpu, qwen3_vocab);
        check_penalties(gpu, qwen3_vocab);
        check_errors(gpu, qwen3_vocab);
        check_stages(gpu, vast_vocab);
    });
}
