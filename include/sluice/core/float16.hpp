// SPDX-License-Identifier: Apache-2.0
//! Half precision (IEEE binary16) and bfloat16 as storage types, with exact conversions in integer arithmetic.
#pragma once

#include <bit>
#include <cstdint>

#include "sluice/core/config.hpp"

namespace sluice {

//! An IEEE binary16 number: 1 sign, 5 exponent, 10 mantissa bits.
struct Half {
    std::uint16_t bits;
};

//! The upper half of an IEEE binary32 number: 1 sign, 8 exponent, 7 mantissa bits.
struct BFloat16 {
    std::uint16_t bits;
};

//! The same number as a float; a signalling NaN becomes quiet.
SLUICE_HD constexpr float to_float(Half half) {
    const std::uint32_t sign = (half.bits & 0x8000U) << 16;
    const std::uint32_t exponent = (half.bits >> 10) & 0x1FU;
    const std::uint32_t mantissa = half.bits & 0x3FFU;
    if (exponent == 0x1F) {
        const std::uint32_t quiet = mantissa != 0 ? 0x00400000U : 0U;
        return std::bit_cast<float>(sign | 0x7F800000U | quiet | (mantissa << 13));
    }
    if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24, exact in a float
        const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
        return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
    }
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

//! Rounded to nearest even; beyond the range to infinity; NaN stays NaN (quiet, with the upper payload bits).
SLUICE_HD constexpr Half to_half(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = (bits >> 16) & 0x8000U;
    const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
    std::uint32_t result = 0;
    if (magnitude > 0x7F800000U) {
        result = 0x7E00U | ((magnitude >> 13) & 0x3FFU);
    } else if (magnitude >= 0x477FF000U) {  // 65520, half-way from the largest number to 2^16
        result = 0x7C00U;
    } else if (magnitude >= 0x38800000U) {  // 2^-14, the smallest normal number: rebias, round away 13 bits
        result = (magnitude - 0x38000000U + 0x0FFFU + ((magnitude >> 13) & 1U)) >> 13;
    } else {  // subnormal: adding 0.5 leaves the multiple of 2^-24 in the low mantissa bits, rounded by the addition
        const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
        result = std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(0.5F);
    }
    return {static_cast<std::uint16_t>(sign | result)};
}

//! The same number as a float.
SLUICE_HD constexpr float to_float(BFloat16 value) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}

//! Rounded to nearest even; NaN stays NaN (quiet, with the upper payload bits).
SLUICE_HD constexpr BFloat16 to_bfloat16(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const bool is_nan = (bits & 0x7FFFFFFFU) > 0x7F800000U;
    const std::uint32_t rounded = is_nan ? bits | 0x00400000U : bits + 0x7FFFU + ((bits >> 16) & 1U);
    return {static_cast<std::uint16_t>(rounded >> 16)};
}

}  // namespace sluice
