// SPDX-License-Identifier: Apache-2.0
//! The portable back end of cpu/simd.hpp, and the definition of what every operation means.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <string_view>
#include <utility>

#include "sluice/core/config.hpp"
#include "sluice/core/float16.hpp"

namespace sluice::simd {

inline constexpr std::size_t lanes = 16;

//! Tells the core that this thread is spinning.
SLUICE_INLINE void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

struct Scalar {
    static constexpr std::string_view name = "scalar";
    static constexpr std::size_t registers = 1;       //!< how many vectors a kernel may keep at once
    static constexpr std::size_t spread_columns = 0;  //!< taken at once with a unit unpacked before (Spread); 0: never

    struct F32 {
        std::array<float, 16> v;
    };
    struct I32 {
        std::array<std::int32_t, 16> v;
    };
    struct Bytes {
        std::array<std::uint8_t, 64> v;
    };
    struct Scales {
        std::array<std::int16_t, 16> v;
    };

    // ---- floats: every function acts lane by lane ----

    static F32 zero() { return set(0.0F); }
    static F32 set(float x) {
        F32 r;
        r.v.fill(x);
        return r;
    }
    static F32 load(const float* p) {
        F32 r;
        std::memcpy(r.v.data(), p, sizeof r.v);
        return r;
    }
    //! A half-precision number in all lanes, widened exactly.
    static F32 set(Half x) { return set(sluice::to_float(x)); }
    //! The first n <= 16 floats at p, zeros after them.
    static F32 load_first(const float* p, std::size_t n) {
        F32 r = zero();
        std::copy_n(p, n, r.v.begin());
        return r;
    }
    //! Sixteen half-precision numbers, widened exactly.
    static F32 load(const Half* p) {
        return map([&](std::size_t i) { return sluice::to_float(p[i]); });
    }
    //! Sixteen bfloat16 numbers, widened exactly.
    static F32 load(const BFloat16* p) {
        return map([&](std::size_t i) { return sluice::to_float(p[i]); });
    }
    static void store(float* p, F32 a) { std::memcpy(p, a.v.data(), sizeof a.v); }
    static void store_first(float* p, F32 a, std::size_t n) { std::copy_n(a.v.begin(), n, p); }
    //! Rounded to nearest even.
    static void store(Half* p, F32 a) {
        for (std::size_t i = 0; i < 16; ++i) p[i] = to_half(a.v[i]);
    }

    static F32 add(F32 a, F32 b) {
        return map([&](std::size_t i) { return a.v[i] + b.v[i]; });
    }
    static F32 sub(F32 a, F32 b) {
        return map([&](std::size_t i) { return a.v[i] - b.v[i]; });
    }
    static F32 mul(F32 a, F32 b) {
        return map([&](std::size_t i) { return a.v[i] * b.v[i]; });
    }
    static F32 div(F32 a, F32 b) {
        return map([&](std::size_t i) { return a.v[i] / b.v[i]; });
    }
    //! a * b + c, rounded once.
    static F32 fma(F32 a, F32 b, F32 c) {
        return map([&](std::size_t i) { return ::fmaf(a.v[i], b.v[i], c.v[i]); });
    }
    //! a > b ? a : b, so b where either is NaN.
    static F32 max(F32 a, F32 b) {
        return map([&](std::size_t i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
    }
    //! a < b ? a : b, so b where either is NaN.
    static F32 min(F32 a, F32 b) {
        return map([&](std::size_t i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
    }
    //! `value`, or 0 where x < bound.
    static F32 zero_if_less(F32 value, F32 x, float bound) {
        return map([&](std::size_t i) { return x.v[i] < bound ? 0.0F : value.v[i]; });
    }
    //! 2^n for n in the low bits of `shifted` = n + 1.5 * 2^23, -126 <= n <= 127.
    static F32 exp2_of_shifted(F32 shifted) {
        return map([&](std::size_t i) {
            return std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted.v[i]) + 127U) << 23);
        });
    }
    //! The sum of the lanes by the fixed tree: lane j gets lane j + 8, then j + 4, j + 2, j + 1.
    static float sum(F32 a) {
        for (std::size_t half = 8; half > 0; half /= 2) {
            for (std::size_t j = 0; j < half; ++j) a.v[j] += a.v[j + half];
        }
        return a.v[0];
    }
    //! Lane i is sum(v[i]), by the same tree.
    static F32 sums(const F32 (&v)[16]) {
        return map([&](std::size_t i) { return sum(v[i]); });
    }
    //! The largest lane; unspecified if a lane is NaN.
    static float max_lane(F32 a) { return *std::max_element(a.v.begin(), a.v.end()); }

    // ---- integers ----

    static I32 zero_i32() { return set_i32(0); }
    static I32 set_i32(std::int32_t x) {
        I32 r;
        r.v.fill(x);
        return r;
    }
    static I32 load(const std::int32_t* p) {
        I32 r;
        std::memcpy(r.v.data(), p, sizeof r.v);
        return r;
    }
    //! Sixteen bytes, sign extended.
    static I32 load(const std::int8_t* p) {
        return map_i32([&](std::size_t i) { return p[i]; });
    }
    static void store(std::int32_t* p, I32 a) { std::memcpy(p, a.v.data(), sizeof a.v); }
    static I32 add(I32 a, I32 b) {
        return map_i32([&](std::size_t i) { return a.v[i] + b.v[i]; });
    }
    static I32 sub(I32 a, I32 b) {
        return map_i32([&](std::size_t i) { return a.v[i] - b.v[i]; });
    }
    static I32 mul(I32 a, I32 b) {
        return map_i32([&](std::size_t i) { return a.v[i] * b.v[i]; });
    }
    //! Lane i is the sum of the lanes of v[i].
    static I32 sums(const I32 (&v)[16]) {
        return map_i32([&](std::size_t i) { return sum(v[i]); });
    }
    static std::int32_t sum(I32 a) { return std::accumulate(a.v.begin(), a.v.end(), 0); }
    //! The low byte of each lane.
    static void store(std::int8_t* p, I32 a) {
        for (std::size_t i = 0; i < 16; ++i) p[i] = static_cast<std::int8_t>(a.v[i]);
    }
    //! The nearest integers to |a| < 2^22, ties to even.
    static I32 round(F32 a) {
        constexpr float shift = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer
        return map_i32([&](std::size_t i) { return static_cast<std::int32_t>((a.v[i] + shift) - shift); });
    }
    static F32 to_float(I32 a) {
        return map([&](std::size_t i) { return static_cast<float>(a.v[i]); });
    }
    //! The half-precision numbers in the low 16 bits of each lane.
    static F32 low_half(Bytes a) {
        return map([&](std::size_t i) { return sluice::to_float(Half{static_cast<std::uint16_t>(word(a, i))}); });
    }
    //! The half-precision numbers in the upper 16 bits of each lane.
    static F32 high_half(Bytes a) {
        return map([&](std::size_t i) { return sluice::to_float(Half{static_cast<std::uint16_t>(word(a, i) >> 16)}); });
    }

    // ---- bytes, thought of as sixteen little-endian words ----

    static Bytes set_bytes(std::uint8_t x) {
        Bytes r;
        r.v.fill(x);
        return r;
    }
    static Bytes load_bytes(const void* p) {
        Bytes r;
        std::memcpy(r.v.data(), p, 64);
        return r;
    }
    //! Word i: the J-th word of the 16 bytes at base + offset[i].
    template <std::size_t J>
    static Bytes row_words(const std::byte* base, const std::int32_t* offset) {
        Bytes r;
        for (std::size_t i = 0; i < 16; ++i) std::memcpy(r.v.data() + 4 * i, base + offset[i] + 4 * J, 4);
        return r;
    }
    //! Writes N / 4 vectors to `out`: word i of vector j is word j of the N = 16 or 32 bytes at base + offset[i].
    template <std::size_t N>
    static void interleave(const std::byte* base, const std::int32_t* offset, std::byte* out) {
        for (std::size_t j = 0; j < N; j += 4) store_bytes(out + 16 * j, row_words<0>(base + j, offset));
    }
    static void store_bytes(void* p, Bytes a) { std::memcpy(p, a.v.data(), 64); }
    //! Each byte shifted right by Count, or left if that is negative. The vacated bits are not specified: mask them.
    template <int Count>
    static Bytes shift(Bytes a) {
        return map_bytes(
            [&](std::size_t i) { return static_cast<std::uint8_t>(Count >= 0 ? a.v[i] >> Count : a.v[i] << -Count); });
    }
    //! The same with a count that is known only when the program runs, not negative.
    static Bytes shift_right(Bytes a, int count) {
        return map_bytes([&](std::size_t i) { return static_cast<std::uint8_t>(a.v[i] >> count); });
    }
    //! The 32 bytes at p twice, the first shifted right by First, the second by Second, as shift() does:
    //! mask the vacated bits.
    template <int First, int Second>
    static Bytes shift_twice(const void* p) {
        Bytes twice;
        std::memcpy(twice.v.data(), p, 32);
        std::memcpy(twice.v.data() + 32, p, 32);
        const Bytes first = shift<First>(twice), second = shift<Second>(twice);
        return map_bytes([&](std::size_t i) { return i < 32 ? first.v[i] : second.v[i]; });
    }
    static Bytes keep(Bytes a, std::uint8_t mask) {
        return map_bytes([&](std::size_t i) { return static_cast<std::uint8_t>(a.v[i] & mask); });
    }
    static Bytes flip(Bytes a, std::uint8_t mask) {
        return map_bytes([&](std::size_t i) { return static_cast<std::uint8_t>(a.v[i] ^ mask); });
    }
    //! a | (b & mask).
    static Bytes merge(Bytes a, Bytes b, std::uint8_t mask) {
        return map_bytes([&](std::size_t i) { return static_cast<std::uint8_t>(a.v[i] | (b.v[i] & mask)); });
    }
    //! In each word, bits i and i + Shift change places for each bit i of `mask`.
    template <int Shift>
    static Bytes exchange(Bytes a, std::uint32_t mask) {
        return map_words([&](std::size_t i) {
            const std::uint32_t x = word(a, i), differ = (x ^ x >> Shift) & mask;
            return x ^ differ ^ differ << Shift;
        });
    }
    //! Lane i: the low halves of words i of both.
    static Bytes low_halves(Bytes low, Bytes high) {
        return map_words([&](std::size_t i) { return (word(low, i) & 0xFFFFU) | word(high, i) << 16; });
    }
    //! Lane i: byte I of word i.
    template <int I>
    static I32 byte(Bytes a) {
        return map_i32([&](std::size_t i) { return a.v[4 * i + I]; });
    }
    template <int I>
    static I32 signed_byte(Bytes a) {
        return map_i32([&](std::size_t i) { return static_cast<std::int8_t>(a.v[4 * i + I]); });
    }
    //! Lane i: bytes I and I + 1 of word i, each sign extended to 16 bits.
    template <int I>
    static I32 signed_byte_pair(Bytes a) {
        return map_i32([&](std::size_t i) {
            const auto low = static_cast<std::int8_t>(a.v[4 * i + I]),
                       high = static_cast<std::int8_t>(a.v[4 * i + I + 1]);
            return (low & 0xFFFF) | high * 0x10000;
        });
    }
    //! Lane i: byte I of word i in both halves.
    template <int I>
    static I32 byte_twice(Bytes a) {
        return map_i32([&](std::size_t i) { return a.v[4 * i + I] * 0x10001; });
    }

    // ---- integer dot products, exact ----

    //! The sum of at most dots_fit<Max> results of dot4_each<Max>(), begun with no_dots<Max>() and ended by add_dots()
    //! or add_scaled(). A back end may keep a lane in parts of fewer bits.
    template <int Max>
    using Dots = I32;
    template <int Max>
    static constexpr std::size_t dots_fit = 256;
    template <int Max>
    static Dots<Max> no_dots() {
        return zero_i32();
    }
    //! Lane i: sum + the sum over j < 4 of level[4i + j] * x[j], levels unsigned and <= Max, x signed and > -128.
    template <int Max>
    static Dots<Max> dot4_each(Dots<Max> sum, Bytes level, const std::int8_t* x) {
        return map_i32([&](std::size_t i) {
            std::int32_t lane = sum.v[i];
            for (std::size_t j = 0; j < 4; ++j) lane += level.v[4 * i + j] * x[j];
            return lane;
        });
    }
    //! A hint: better in memory between its uses than in a register, where those are few.
    static void keep_in_memory(I32&) {}
    //! acc + sum.
    template <int Max>
    static I32 add_dots(I32 acc, Dots<Max> sum) {
        return add(acc, sum);
    }
    //! acc + sum * scale; scales of 16 bits.
    template <int Max>
    static I32 add_scaled(I32 acc, Dots<Max> sum, I32 scale) {
        return add(acc, mul(sum, scale));
    }
    //! Lane i: acc + the low half of pairs[i] * x[0] + the upper one * x[1], all signed.
    static I32 dot2_each(I32 acc, I32 pairs, const std::int16_t* x) {
        return map_i32([&](std::size_t i) {
            const auto low = static_cast<std::int16_t>(pairs.v[i]);
            return acc.v[i] + low * x[0] + (pairs.v[i] >> 16) * x[1];
        });
    }
    //! N = 8 or 16 numbers for dot_scaled().
    template <std::size_t N>
    static Scales load_scales(const std::int8_t* p) {
        Scales r = {};
        std::copy_n(p, N, r.v.begin());
        return r;
    }
    //! Lane i: acc + the sum over j < 4 of level[4i + j] * x[4i + j] times a scale, levels unsigned and <= 128, x
    //! signed and > -128. The scales are numbers Each * I, Each * I + 1, ..., each for the next 64 / Each levels.
    template <std::size_t Each, std::size_t I>
    static I32 dot_scaled(I32 acc, Bytes level, Bytes x, const Scales& scales) {
        return map_i32([&](std::size_t i) {
            std::int32_t sum = 0;
            for (std::size_t j = 4 * i; j < 4 * i + 4; ++j) sum += level.v[j] * static_cast<std::int8_t>(x.v[j]);
            return acc.v[i] + sum * scales.v[Each * I + 4 * i * Each / 64];
        });
    }
    //! Asks for the cache line of p in the second-level cache.
    static void prefetch(const void*) {}

private:
    static std::uint32_t word(const Bytes& a, std::size_t i) {
        std::uint32_t bits = 0;
        std::memcpy(&bits, a.v.data() + 4 * i, 4);
        return bits;
    }
    template <class F>
    static I32 map_i32(F lane) {
        I32 r;
        for (std::size_t i = 0; i < 16; ++i) r.v[i] = lane(i);
        return r;
    }
    template <class F>
    static Bytes map_bytes(F lane) {
        Bytes r;
        for (std::size_t i = 0; i < 64; ++i) r.v[i] = lane(i);
        return r;
    }
    template <class F>
    static Bytes map_words(F lane) {
        Bytes r;
        for (std::size_t i = 0; i < 16; ++i) {
            const std::uint32_t bits = lane(i);
            std::memcpy(r.v.data() + 4 * i, &bits, 4);
        }
        return r;
    }
    template <class F>
    static F32 map(F lane) {
        F32 r;
        for (std::size_t i = 0; i < 16; ++i) r.v[i] = lane(i);
        return r;
    }
};

}  // namespace sluice::simd
