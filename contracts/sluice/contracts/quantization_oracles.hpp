// SPDX-License-Identifier: Apache-2.0
//! Number formats from their published layouts: decoders that read bytes one by one, in double precision.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "sluice/contracts/oracles.hpp"
#include "sluice/core/format.hpp"

namespace sluice::contracts::oracle {

using Bytes = std::span<const unsigned char>;

//! An IEEE-like number format: a sign, an exponent, a mantissa. Exponents of ones are for infinity and NaN.
struct FloatLayout {
    int exponent_bits, mantissa_bits;
    int bias() const { return (1 << (exponent_bits - 1)) - 1; }
};
inline constexpr FloatLayout half{5, 10}, bfloat{8, 7}, single{8, 23};

//! The number that little-endian bytes stand for.
inline double float_at(FloatLayout layout, Bytes bytes) {
    std::uint32_t bits = 0;
    for (std::size_t i = bytes.size(); i > 0; --i) bits = bits << 8 | bytes[i - 1];
    const int m = layout.mantissa_bits, top = (1 << layout.exponent_bits) - 1;
    const double mantissa = static_cast<double>(bits & ((1U << m) - 1));
    const int exponent = static_cast<int>(bits >> m) & top;
    const double sign = (bits >> (layout.exponent_bits + m)) != 0 ? -1.0 : 1.0;
    if (exponent == top) {
        return sign *
               (mantissa == 0.0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN());
    }
    if (exponent == 0) return sign * std::ldexp(mantissa, 1 - layout.bias() - m);
    return sign * std::ldexp(mantissa + std::ldexp(1.0, m), exponent - layout.bias() - m);
}

//! The number of the format that is nearest to x, ties to even; beyond the largest one infinity.
inline double nearest(FloatLayout layout, double x) {
    if (x == 0.0 || !std::isfinite(x)) return x;
    const int exponent = std::max(std::ilogb(x), 1 - layout.bias());
    const double step = std::ldexp(1.0, exponent - layout.mantissa_bits);
    const double rounded = std::nearbyint(x / step) * step;
    const bool fits = std::fabs(rounded) < std::ldexp(1.0, layout.bias() + 1);
    return fits ? rounded : std::copysign(std::numeric_limits<double>::infinity(), x);
}
inline double nearest_half(double x) { return nearest(half, x); }
inline double nearest_bfloat(double x) { return nearest(bfloat, x); }
inline double nearest_single(double x) { return nearest(single, x); }

//! What Q8_0 makes of a row of whole blocks: a scale d, the largest magnitude / 127 as a half, and for each number
//! d * round(x / d), ties to even, at most 127 levels. A block with a number or a scale that is not finite is NaN.
inline void store_as_q8_0(std::span<float> row) {
    constexpr std::size_t block_size = 32;
    for (std::size_t first = 0; first < row.size(); first += block_size) {
        const std::span<float> block = row.subspan(first, block_size);
        const bool finite = std::all_of(block.begin(), block.end(), [](float x) { return std::isfinite(x); });
        double largest = 0.0;
        for (const float x : block) largest = std::max(largest, std::fabs(static_cast<double>(x)));
        const double d = nearest_half(nearest_single(largest / 127.0));
        for (float& x : block) {
            const double level = d > 0.0 ? std::nearbyint(std::clamp(nearest_single(x / d), -127.0, 127.0)) : 0.0;
            const bool is_number = finite && std::isfinite(d);
            x = is_number ? static_cast<float>(d * level) + 0.0F : std::numeric_limits<float>::quiet_NaN();
        }
    }
}

//! A block's numbers; and for each what its terms amount to without their signs, to which rounding is in proportion.
struct Decoded {
    Vector values, magnitudes;

    void add(double product, double minimum = 0.0) {
        values.push_back(product - minimum);
        magnitudes.push_back(std::fabs(product) + std::fabs(minimum));
    }
};

//! What is published of a format. Of your own format state the same.
struct BlockLayout {
    std::size_t block_size = 1, block_bytes = 0;
    Decoded (*decode)(Bytes block) = nullptr;
    std::vector<std::size_t> scales = {};  //!< where half-precision scales lie in a block
    //! Of float formats: what a number is rounded to.
    double (*nearest)(double) = nullptr;
    //! Of integer formats: the numbers that share a scale; whether they share a minimum too; and the root mean square
    //! of a group's errors that an encoder may make, relative to the block's range: from the least to the greatest
    //! number, 0 included, or where there is no minimum the greatest magnitude.
    std::size_t group = 0;
    bool has_min = false;
    double encoding_error = 0.0;
    double largest_code = 0.0;  //!< level times scale: what an error of the block's scale is multiplied by
};

namespace detail {

inline double half_at(Bytes block, std::size_t at) { return float_at(half, block.subspan(at, 2)); }
inline int low_nibble(unsigned char byte) { return byte & 15; }
inline int high_nibble(unsigned char byte) { return byte >> 4; }
inline int signed_byte(unsigned char byte) { return byte < 128 ? byte : byte - 256; }

template <const FloatLayout& Layout>
Decoded decode_float(Bytes block) {
    Decoded d;
    d.add(float_at(Layout, block));
    return d;
}

//! 2 bytes d, 32 signed bytes.
inline Decoded decode_q8_0(Bytes block) {
    Decoded decoded;
    for (std::size_t i = 0; i < 32; ++i) decoded.add(half_at(block, 0) * signed_byte(block[2 + i]));
    return decoded;
}

//! 2 bytes d, 16 bytes: the low nibbles are elements 0-15, the high ones 16-31, each 8 too large.
inline Decoded decode_q4_0(Bytes block) {
    Decoded decoded;
    for (std::size_t i = 0; i < 32; ++i) {
        const int q = i < 16 ? low_nibble(block[2 + i]) : high_nibble(block[2 + i - 16]);
        decoded.add(half_at(block, 0) * (q - 8));
    }
    return decoded;
}

//! 2 bytes d, 4 bytes of fifth bits (little-endian, bit i is element i's), 16 bytes as in Q4_0, each 16 too large.
inline Decoded decode_q5_0(Bytes block) {
    Decoded decoded;
    for (std::size_t i = 0; i < 32; ++i) {
        const int low = i < 16 ? low_nibble(block[6 + i]) : high_nibble(block[6 + i - 16]);
        const int fifth = block[2 + i / 8] >> (i % 8) & 1;
        decoded.add(half_at(block, 0) * (low + 16 * fifth - 16));
    }
    return decoded;
}

//! Scale and minimum of group g of eight: twelve bytes, the first four pairs whole, the others in pieces.
inline int packed_scale(Bytes scales, std::size_t g) {
    return g < 4 ? scales[g] % 64 : low_nibble(scales[g + 4]) + scales[g - 4] / 64 * 16;
}
inline int packed_min(Bytes scales, std::size_t g) {
    return g < 4 ? scales[g + 4] % 64 : high_nibble(scales[g + 4]) + scales[g] / 64 * 16;
}

//! 2 bytes d, 2 dmin, 12 scales and minima, then (Q5_K) 32 of fifth bits, then 4 rows of 32: in row r the low nibbles
//! are elements 64r .. 64r + 31, the high ones the next 32. Bit g of byte i of the fifth bits is element 32g + i's.
inline Decoded decode_k(Bytes block, bool fifth_bits) {
    const Bytes scales = block.subspan(4, 12), fifth = block.subspan(16, 32),
                rows = block.subspan(fifth_bits ? 48 : 16);
    Decoded decoded;
    for (std::size_t i = 0; i < 256; ++i) {
        const std::size_t g = i / 32;
        const unsigned char byte = rows[i / 64 * 32 + i % 32];
        int q = g % 2 == 0 ? low_nibble(byte) : high_nibble(byte);
        if (fifth_bits) q += (fifth[i % 32] >> g & 1) * 16;
        decoded.add(half_at(block, 0) * packed_scale(scales, g) * q, half_at(block, 2) * packed_min(scales, g));
    }
    return decoded;
}
inline Decoded decode_q4_k(Bytes block) { return decode_k(block, false); }
inline Decoded decode_q5_k(Bytes block) { return decode_k(block, true); }

//! 128 bytes of low nibbles, 64 of high bit pairs, 16 signed scales, 2 bytes d; each half of the block has half of the
//! first two. In a half, elements 0-31, 32-63, 64-95, 96-127: nibbles low, low, high, high of bytes 0-31, 32-63, 0-31,
//! 32-63; bit pairs 0, 1, 2, 3 of bytes 0-31. Each is 32 too large.
inline Decoded decode_q6_k(Bytes block) {
    Decoded decoded;
    for (std::size_t i = 0; i < 256; ++i) {
        const std::size_t part = i / 128, quarter = i % 128 / 32, l = i % 32;
        const unsigned char low = block[64 * part + quarter % 2 * 32 + l], high = block[128 + 32 * part + l];
        const int q = (quarter < 2 ? low_nibble(low) : high_nibble(low)) + (high >> 2 * quarter & 3) * 16;
        decoded.add(half_at(block, 208) * signed_byte(block[192 + i / 16]) * (q - 32));
    }
    return decoded;
}

}  // namespace detail

//! The layout of a format of the library. Encoding errors: half a step where the range takes all steps but one; and
//! what the rounding of the group's scale, and of its minimum, adds at the last step.
inline BlockLayout layout_of(quant::Format format) {
    using namespace detail;
    using quant::Format;
    switch (format) {
        case Format::F32:
            return {.block_bytes = 4, .decode = decode_float<single>, .nearest = nearest_single};
        case Format::F16:
            return {.block_bytes = 2, .decode = decode_float<half>, .nearest = nearest_half};
        case Format::BF16:
            return {.block_bytes = 2, .decode = decode_float<bfloat>, .nearest = nearest_bfloat};
        case Format::Q8_0:
            return {32, 34, decode_q8_0, {0}, nullptr, 32, false, 0.5 / 127 + 0x1p-11, 128};
        case Format::Q4_0:
            return {32, 18, decode_q4_0, {0}, nullptr, 32, false, 0.5 / 7 + 0x1p-11, 8};
        case Format::Q5_0:
            return {32, 22, decode_q5_0, {0}, nullptr, 32, false, 0.5 / 15 + 0x1p-11, 16};
        case Format::Q4_K:
            return {256, 144, decode_q4_k, {0, 2}, nullptr, 32, true, 0.5 / 15 + 2 * 0.55 / 63, 63 * (15 + 1)};
        case Format::Q5_K:
            return {256, 176, decode_q5_k, {0, 2}, nullptr, 32, true, 0.5 / 31 + 2 * 0.55 / 63, 63 * (31 + 1)};
        case Format::Q6_K:
            return {256, 210, decode_q6_k, {208}, nullptr, 16, false, 0.5 / 31 + 1.1 / 127, 128 * 32};
        default:
            throw std::invalid_argument("no oracle for the format " + std::string(format_name(format)));
    }
}

}  // namespace sluice::contracts::oracle
