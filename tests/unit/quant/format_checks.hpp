// SPDX-License-Identifier: Apache-2.0
//! What every number format's test asks of it.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <doctest/doctest.h>
#include <initializer_list>
#include <limits>
#include <random>
#include <vector>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/float16.hpp"
#include "sluice/quant/row.hpp"

namespace sluice::test {

//! A block of random bytes, its scales (at the given byte offsets) among all finite halves, large and small.
template <BlockFormat F>
typename F::Block random_block(std::mt19937& random, std::initializer_list<std::size_t> half_offsets) {
    unsigned char bytes[sizeof(typename F::Block)];
    for (auto& byte : bytes) byte = static_cast<unsigned char>(random());
    for (const std::size_t offset : half_offsets) {
        if ((bytes[offset + 1] & 0x7C) == 0x7C) bytes[offset + 1] ^= 0x40;
    }
    typename F::Block block;
    std::memcpy(&block, bytes, sizeof block);
    return block;
}

//! `value_at(bytes, i)`: element i by the format's published layout, in doubles, from a block's bytes.
template <IntegerFormat F, class ValueAt>
void check_decode(std::initializer_list<std::size_t> half_offsets, ValueAt value_at) {
    std::mt19937 random(1);
    int wrong = 0;
    for (int n = 0; n < 2000; ++n) {
        const auto block = random_block<F>(random, half_offsets);
        unsigned char bytes[sizeof block];
        std::memcpy(bytes, &block, sizeof block);
        float values[F::block_size];
        quant::decode<F>(block, values);
        for (std::size_t i = 0; i < F::block_size; ++i) {
            const auto [value, magnitude] = value_at(bytes, i);  // magnitude: of the largest term
            wrong += !(std::fabs(values[i] - value) <= magnitude * 0x1p-22);
        }
    }
    CHECK(wrong == 0);
}

struct ValueAndMagnitude {
    double value, magnitude;
};

//! A half at `p` by its definition.
inline double half_at(const unsigned char* p) {
    const int exponent = (p[1] >> 2) & 31, mantissa = (p[1] & 3) * 256 + p[0];
    const double magnitude = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    return (p[1] & 0x80) != 0 ? -magnitude : magnitude;
}

//! |decode(encode(x)) - x| / |x| over Gaussian numbers of the given standard deviation.
template <BlockFormat F>
double relative_error(float deviation) {
    constexpr std::size_t k = 1 << 15;
    std::mt19937 random(7);
    std::normal_distribution<float> normal(0.0F, deviation);
    std::vector<float> x(k), y(k);
    for (float& value : x) value = normal(random);
    std::vector<typename F::Block> row(k / F::block_size);
    const auto bytes = reinterpret_cast<std::byte*>(row.data());
    quant::encode_row<F>(x.data(), k, bytes);
    quant::decode_row<F>(bytes, k, y.data());
    double error = 0, norm = 0;
    for (std::size_t i = 0; i < k; ++i) {
        error += std::pow(static_cast<double>(x[i]) - y[i], 2);
        norm += std::pow(static_cast<double>(x[i]), 2);
    }
    return std::sqrt(error / norm);
}

template <IntegerFormat F>
std::vector<float> round_trip(const std::vector<float>& x) {
    std::vector<float> y(F::block_size);
    quant::decode<F>(F::encode(x.data()), y.data());
    return y;
}

//! Zero, constant, one-sided, huge, tiny and non-finite blocks; and hostile scales.
template <IntegerFormat F>
void check_extremes(std::initializer_list<std::size_t> half_offsets) {
    constexpr std::size_t n = F::block_size;
    const float step = 1.0F / 7;  // no format here has fewer than 7 levels on each side, in one group
    for (const float constant : {0.0F, 1.0F, -1.0F, 3e-3F, -777.0F}) {
        for (const float value : round_trip<F>(std::vector<float>(n, constant))) {
            CHECK(value == doctest::Approx(constant).epsilon(0.02));
        }
    }
    for (const float sign : {1.0F, -1.0F}) {
        std::vector<float> x(n);
        for (std::size_t i = 0; i < n; ++i) x[i] = sign * static_cast<float>(i % 16) / 15;
        const auto y = round_trip<F>(x);
        for (std::size_t i = 0; i < n; ++i) CHECK(std::fabs(x[i] - y[i]) <= step);
    }
    std::vector<float> spike(n, 0.0F);
    spike[n / 3] = -5.0F;
    const auto y = round_trip<F>(spike);
    for (std::size_t i = 0; i < n; ++i) CHECK(std::fabs(spike[i] - y[i]) <= 0.1F);

    for (const float huge : {1e30F, std::numeric_limits<float>::max()}) {
        for (const float value : round_trip<F>(std::vector<float>(n, huge)))
            CHECK((std::isfinite(value) && value > 1e5F));
    }
    for (const float tiny : {1e-9F, std::numeric_limits<float>::denorm_min()}) {
        for (const float value : round_trip<F>(std::vector<float>(n, -tiny))) CHECK(std::fabs(value) <= 0x1p-21F);
    }
    for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
        std::vector<float> x(n, 1.0F);
        x[n - 1] = bad;
        for (const float value : round_trip<F>(x)) CHECK(std::isnan(value));
    }

    std::mt19937 random(3);
    auto hostile = random_block<F>(random, half_offsets);
    for (const Half scale : {Half{0x7C00}, Half{0xFC00}, Half{0x7C01}, Half{0xFFFF}}) {
        for (const std::size_t offset : half_offsets) {
            std::memcpy(reinterpret_cast<unsigned char*>(&hostile) + offset, &scale, sizeof scale);
        }
        float values[n];
        quant::decode<F>(hostile, values);
        CHECK(!std::isfinite(values[0] + values[n / 2] + values[n - 1]));
    }
}

}  // namespace sluice::test
