// SPDX-License-Identifier: Apache-2.0
#include "sluice/quant/activation.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <vector>

using namespace sluice::quant;

namespace {

template <std::size_t N>
struct Quantized {
    std::vector<std::byte> storage;
    Q8View<N> view;

    explicit Quantized(const std::vector<float>& x) : storage(Q8View<N>::row_bytes(x.size()) + 64, std::byte{0x55}) {
        const auto address = reinterpret_cast<std::uintptr_t>(storage.data());
        view = quantize_reference<N>(x, storage.data() + (64 - address % 64) % 64);
    }
};

std::vector<float> gaussian(std::size_t k) {
    std::mt19937 random(5);
    std::normal_distribution<float> normal;
    std::vector<float> x(k);
    for (float& value : x) value = normal(random);
    return x;
}

template <std::size_t N>
void check_row(std::size_t k) {
    const auto x = gaussian(k);
    const Quantized<N> row(x);
    for (std::size_t b = 0; b < k / N; ++b) {
        float amax = 0;
        for (std::size_t i = b * N; i < (b + 1) * N; ++i) amax = std::max(amax, std::fabs(x[i]));
        CHECK(std::fabs(row.view.d[b]) == doctest::Approx(amax / 127).epsilon(1e-6));
        for (std::size_t i = b * N; i < (b + 1) * N; ++i) {
            CHECK(std::fabs(row.view.q[i] * row.view.d[b] - x[i]) <= std::fabs(row.view.d[b]) * 0.5001F);
        }
    }
    for (std::size_t s = 0; s < k / 16; ++s) {
        int sum = 0;
        for (std::size_t i = s * 16; i < (s + 1) * 16; ++i) sum += row.view.q[i];
        CHECK(row.view.sums[s] == sum);
    }
    for (std::size_t i = k; i < Q8View<N>::padded(k); ++i) CHECK(row.view.q[i] == 0);
    for (std::size_t s = k / 16; s < Q8View<N>::padded(k) / 16; ++s) CHECK(row.view.sums[s] == 0);
    for (std::size_t b = k / N; b < (Q8View<N>::padded(k) + N - 1) / N; ++b) CHECK(row.view.d[b] == 0.0F);
}

}  // namespace

TEST_CASE("activation: levels, scales, sums and padding of a row") {
    for (const std::size_t k : {256U, 512U, 4096U}) check_row<256>(k);
    for (const std::size_t k : {32U, 64U, 96U, 768U, 2080U}) check_row<32>(k);
}

TEST_CASE("activation: the first of the largest elements becomes -127 in blocks of 256, and keeps its sign in 32") {
    std::vector<float> x(256, 0.0F);
    x[3] = 2.0F;
    x[7] = -2.0F;
    x[9] = 1.0F;
    CHECK(Quantized<256>(x).view.q[3] == -127);
    CHECK(Quantized<256>(x).view.q[7] == 127);
    CHECK(Quantized<256>(x).view.d[0] < 0.0F);
    x[3] = 1.0F;
    CHECK(Quantized<256>(x).view.q[7] == -127);
    CHECK(Quantized<32>(x).view.q[7] == -127);
    CHECK(Quantized<32>(x).view.q[9] == 64);  // 63.5 to even
}

TEST_CASE("activation: zero, tiny and non-finite blocks") {
    for (const float tiny : {0.0F, -0.0F, std::numeric_limits<float>::denorm_min(), 9.9e-37F}) {
        const std::vector<float> x(256, tiny);
        CHECK(Quantized<256>(x).view.d[0] == 0.0F);
        CHECK(Quantized<256>(x).view.q[255] == 0);
        CHECK(Quantized<32>(x).view.d[7] == 0.0F);
    }
    for (const float small : {1e-36F, -1e-36F}) {
        const std::vector<float> x(256, small);
        CHECK(Quantized<256>(x).view.q[0] == -127);
        CHECK(std::abs(Quantized<32>(x).view.q[0]) == 127);
    }
    const float huge = std::numeric_limits<float>::max(), nan = std::numeric_limits<float>::quiet_NaN();
    CHECK(Quantized<256>(std::vector<float>(256, huge)).view.q[0] == -127);
    CHECK(Quantized<32>(std::vector<float>(32, huge)).view.q[0] == 127);
    for (const float bad : {nan, -nan, std::numeric_limits<float>::infinity()}) {
        auto x = gaussian(512);
        x[300] = bad;
        const Quantized<256> k(x);
        CHECK(!std::isnan(k.view.d[0]));
        CHECK(std::isnan(k.view.d[1]));
        CHECK(k.view.q[310] == 0);
        const Quantized<32> legacy(x);
        CHECK(!std::isnan(legacy.view.d[8]));
        CHECK(std::isnan(legacy.view.d[9]));
    }
}
