// SPDX-License-Identifier: Apache-2.0
#include "sluice/cpu/quantize.hpp"

#include <cstddef>
#include <cstring>
#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <vector>

#include "sluice/core/buffer.hpp"
#include "sluice/cpu/simd.hpp"

using namespace sluice;

namespace {

//! Blocks of all kinds: Gaussian, tied extremes of both signs, zero, tiny, huge, with infinities and NaN.
std::vector<float> activations(std::size_t k, std::mt19937& random) {
    std::normal_distribution<float> normal;
    const float scales[] = {1.0F, 1e-30F, 2e-37F, 1e-39F, 1e37F, 0.0F};  // 2e-37: around the smallest block
    const float bad[] = {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                         std::numeric_limits<float>::quiet_NaN()};
    std::vector<float> x(k);
    for (std::size_t begin = 0; begin < k; begin += 32) {
        const float scale = scales[random() % 6];
        for (std::size_t i = begin; i < begin + 32; ++i) x[i] = scale * normal(random);
        if (random() % 4 == 0) x[begin + random() % 32] = scale * 5.0F;
        if (random() % 4 == 0) x[begin + random() % 32] = scale * -5.0F;
        if (random() % 16 == 0) x[begin + random() % 32] = bad[random() % 3];
    }
    return x;
}

template <std::size_t N, class V>
int differing_rows() {
    std::mt19937 random(9);
    int differing = 0;
    for (std::size_t n = 0; n < 4000; ++n) {
        const std::size_t k = N * (1 + n % 5), bytes = quant::Q8View<N>::row_bytes(k);
        const auto x = activations(k, random);
        Buffer<std::byte> expected(bytes), actual(bytes);
        std::memset(expected.data(), 0, bytes);
        std::memset(actual.data(), 0, bytes);
        quant::quantize_reference<N>(x, expected.data());
        cpu::quantize_row<N, V>(x, actual.data());
        differing += std::memcmp(expected.data(), actual.data(), bytes) != 0;
    }
    return differing;
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("quantize: the bits of the reference", V, quantize_backends) {
    CHECK(differing_rows<32, V>() == 0);
    CHECK(differing_rows<256, V>() == 0);
}
TEST_CASE_TEMPLATE_APPLY(quantize_backends, simd::Backends);
