// SPDX-License-Identifier: Apache-2.0
#include "sluice/core/float16.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <random>

using namespace sluice;

namespace {

//! The value of a finite half by the definition of the format.
double half_value(std::uint16_t bits) {
    const int exponent = (bits >> 10) & 31, mantissa = bits & 1023;
    const double magnitude = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

bool finite(std::uint16_t half_bits) { return (half_bits & 0x7C00) != 0x7C00; }

}  // namespace

TEST_CASE("float16: every finite half widens exactly and comes back") {
    int wrong = 0;
    for (std::uint32_t i = 0; i < 0x10000; ++i) {
        const auto bits = static_cast<std::uint16_t>(i);
        if (!finite(bits)) continue;
        const float value = to_float(Half{bits});
        wrong += static_cast<double>(value) != half_value(bits) || std::signbit(value) != ((bits >> 15) != 0) ||
                 to_half(value).bits != bits;
    }
    CHECK(wrong == 0);
}

TEST_CASE("float16: rounding to half goes to the nearest, ties to even") {
    int wrong = 0;
    for (std::uint16_t bits = 0; bits < 0x7BFF; ++bits) {  // between each two neighbours: the tie and its two sides
        const double below = half_value(bits), above = half_value(static_cast<std::uint16_t>(bits + 1));
        const auto tie = static_cast<float>((below + above) / 2);
        const auto even = static_cast<std::uint16_t>((bits & 1) == 0 ? bits : bits + 1);
        wrong += to_half(tie).bits != even;
        wrong += to_half(std::nextafter(tie, 0.0F)).bits != bits;
        wrong += to_half(std::nextafter(tie, 1e9F)).bits != bits + 1;
        wrong += to_half(-tie).bits != (even | 0x8000);
    }
    CHECK(wrong == 0);
}

TEST_CASE("float16: halves at the ends of the range") {
    CHECK(to_half(65504.0F).bits == 0x7BFF);
    CHECK(to_half(std::nextafter(65520.0F, 0.0F)).bits == 0x7BFF);
    CHECK(to_half(65520.0F).bits == 0x7C00);
    CHECK(to_half(-std::numeric_limits<float>::infinity()).bits == 0xFC00);
    CHECK(to_half(std::numeric_limits<float>::denorm_min()).bits == 0);
    CHECK(to_half(-0.0F).bits == 0x8000);
    CHECK(std::isinf(to_float(Half{0x7C00})));
    for (std::uint16_t payload = 1; payload < 0x400; ++payload) {
        const float value = to_float(Half{static_cast<std::uint16_t>(0xFC00 | payload)});
        CHECK(std::isnan(value));
        CHECK(to_half(value).bits == (0xFE00 | payload));
    }
}

TEST_CASE("float16: bfloat16 rounds to nearest even and keeps NaN and infinity") {
    for (std::uint32_t i = 0; i < 0x10000; ++i) {
        const BFloat16 value{static_cast<std::uint16_t>(i)};
        if (std::isnan(to_float(value))) {
            CHECK(to_bfloat16(to_float(value)).bits == (i | 0x40));
        } else {
            CHECK(to_bfloat16(to_float(value)).bits == i);
        }
    }
    CHECK(to_bfloat16(std::bit_cast<float>(0x3F808000U)).bits == 0x3F80);  // ties
    CHECK(to_bfloat16(std::bit_cast<float>(0x3F818000U)).bits == 0x3F82);
    CHECK(to_bfloat16(std::bit_cast<float>(0x3F808001U)).bits == 0x3F81);
    CHECK(to_bfloat16(std::numeric_limits<float>::max()).bits == 0x7F80);
    CHECK(std::isnan(to_float(to_bfloat16(std::bit_cast<float>(0x7F800001U)))));
}

#if defined(__F16C__)
#include <immintrin.h>

TEST_CASE("float16: the same bits as the processor's own conversion") {
    int wrong = 0;
    for (std::uint32_t i = 0; i < 0x10000; ++i) {
        const auto bits = static_cast<std::uint16_t>(i);
        wrong += std::bit_cast<std::uint32_t>(to_float(Half{bits})) != std::bit_cast<std::uint32_t>(_cvtsh_ss(bits));
    }
    std::mt19937 random(1);
    for (int i = 0; i < 1'000'000; ++i) {
        const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
        const int expected = _mm_extract_epi16(_mm_cvtps_ph(_mm_set_ss(value), _MM_FROUND_TO_NEAREST_INT), 0);
        wrong += to_half(value).bits != expected;
    }
    CHECK(wrong == 0);
}
#endif
