// SPDX-License-Identifier: Apache-2.0
//! Shared by the tests of the model core: random numbers, and ways to compare rows of them.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <vector>

#include "sluice/core/types.hpp"

namespace sluice::test {

constexpr std::uint64_t max_u64 = std::numeric_limits<std::uint64_t>::max();
constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

//! Numbers about normally distributed around 0 with this standard deviation, the same on every machine.
inline std::vector<float> random_floats(std::size_t count, std::uint32_t seed, double deviation = 1.0) {
    std::mt19937 random(seed);
    std::vector<float> numbers(count);
    for (float& x : numbers) {
        double sum = 0.0;  // of four uniform numbers: variance 1/3
        for (int i = 0; i < 4; ++i) sum += static_cast<double>(random()) * 0x1p-32 - 0.5;
        x = static_cast<float>(sum * deviation * std::sqrt(3.0));
    }
    return numbers;
}

inline std::vector<Token> random_tokens(std::size_t count, std::uint32_t seed, std::size_t vocab) {
    std::mt19937 random(seed);
    std::vector<Token> tokens(count);
    for (Token& token : tokens) token = static_cast<Token>(random() % vocab);
    return tokens;
}

//! sum((got - wanted)^2) / sum(wanted^2); infinite if anything is not a number.
template <class Got, class Wanted>
double nmse(const Got& got, const Wanted& wanted) {
    if (std::size(got) != std::size(wanted)) return std::numeric_limits<double>::infinity();
    double error = 0.0, square = 0.0;
    for (std::size_t i = 0; i < std::size(got); ++i) {
        const double g = static_cast<double>(got[i]), w = static_cast<double>(wanted[i]);
        error += (g - w) * (g - w);
        square += w * w;
    }
    return std::isfinite(error) ? error / square : std::numeric_limits<double>::infinity();
}

//! Whether two numbers are the same to the bit; NaNs are, whatever their payload.
inline bool same_bits(float a, float b) {
    return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) || (std::isnan(a) && std::isnan(b));
}

inline bool same_bits(std::span<const float> a, std::span<const float> b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](float x, float y) { return same_bits(x, y); });
}

}  // namespace sluice::test
