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
#include "sluice/quant/packed_scales.hpp"

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
    static constexpr std::size_t registers = 8;  //!< how many vectors a kernel may keep at once

    struct F32 {
        std::array<float, 16> v;
    };
    struct I32 {
        std::array<std::int32_t, 16> v;
    };
    struct Bytes {
        std::array<std::uint8_t, 64> v;
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
    //! The first n <= 16 floats at p, zeros behind them.
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
    //! The absolute value.
    static F32 abs(F32 a) {
        return map([&](std::size_t i) { return std::fabs(a.v[i]); });
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
    //! The four bytes at base + offset[i].
    static I32 gather(const std::byte* base, I32 offset) {
        return map_i32([&](std::size_t i) {
            std::int32_t word = 0;
            std::memcpy(&word, base + offset.v[i], 4);
            return word;
        });
    }
    static I32 add(I32 a, I32 b) {
        return map_i32([&](std::size_t i) { return a.v[i] + b.v[i]; });
    }
    static I32 sub(I32 a, I32 b) {
        return map_i32([&](std::size_t i) { return a.v[i] - b.v[i]; });
    }
    static I32 mul(I32 a, I32 b) {
        return map_i32([&](std::size_t i) { return a.v[i] * b.v[i]; });
    }
    //! Lane i: low[i] in the low 16 bits, high[i] in the upper 16.
    static I32 pair(I32 low, I32 high) {
        return map_i32(
            [&](std::size_t i) { return static_cast<std::int32_t>(low16(low.v[i]) | low16(high.v[i]) << 16); });
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
    static F32 low_half(I32 a) {
        return map([&](std::size_t i) { return sluice::to_float(Half{static_cast<std::uint16_t>(low16(a.v[i]))}); });
    }
    //! The half-precision numbers in the upper 16 bits of each lane.
    static F32 high_half(I32 a) {
        return map([&](std::size_t i) {
            return sluice::to_float(Half{static_cast<std::uint16_t>(static_cast<std::uint32_t>(a.v[i]) >> 16)});
        });
    }

    // ---- bytes, thought of as four 16-byte parts ----

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
    //! The same 32 bytes twice.
    static Bytes load_twice(const void* p) { return load_halves(p, p); }
    //! 32 bytes from `low`, then 32 from `high`.
    static Bytes load_halves(const void* low, const void* high) {
        Bytes r;
        std::memcpy(r.v.data(), low, 32);
        std::memcpy(r.v.data() + 32, high, 32);
        return r;
    }
    //! The 16 bytes at `low` twice, then the 16 at `high` twice.
    static Bytes load_quarters(const void* low, const void* high) {
        Bytes r;
        for (std::size_t i = 0; i < 4; ++i) std::memcpy(r.v.data() + 16 * i, i < 2 ? low : high, 16);
        return r;
    }
    //! 16 bytes from each.
    static Bytes load_parts(const void* p0, const void* p1, const void* p2, const void* p3) {
        Bytes r;
        const void* const parts[] = {p0, p1, p2, p3};
        for (std::size_t i = 0; i < 4; ++i) std::memcpy(r.v.data() + 16 * i, parts[i], 16);
        return r;
    }
    static void store_bytes(void* p, Bytes a) { std::memcpy(p, a.v.data(), 64); }
    //! Each byte of part i shifted right by the i-th number, or left where it is negative. The vacated bits are not
    //! specified: mask them.
    template <int S0, int S1, int S2, int S3>
    static Bytes shift(Bytes a) {
        constexpr int by[] = {S0, S1, S2, S3};
        return map_bytes([&](std::size_t i) {
            const int s = by[i / 16];
            return static_cast<std::uint8_t>(s >= 0 ? a.v[i] >> s : a.v[i] << -s);
        });
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
    //! a, with `bit` set in byte i where bit i of the two 32-bit words (little-endian) is set.
    static Bytes merge_bits(Bytes a, const std::uint8_t* low, const std::uint8_t* high, std::uint8_t bit) {
        return map_bytes([&](std::size_t i) {
            const std::uint8_t* word = i < 32 ? low : high;
            const bool is_set = ((word[i % 32 / 8] >> (i % 8)) & 1) != 0;
            return static_cast<std::uint8_t>(is_set ? a.v[i] | bit : a.v[i]);
        });
    }
    //! In each part, the scales and minima of the quant::PackedScales that its last 12 bytes are: 8 and 8 bytes.
    static Bytes unpack_scales(Bytes headers) {
        Bytes r;
        for (std::size_t part = 0; part < 64; part += 16) {
            quant::PackedScales packed;
            std::memcpy(packed.bytes, headers.v.data() + part + 4, 12);
            std::int8_t scales[8];
            packed.unpack(scales, r.v.data() + part + 8);
            std::memcpy(r.v.data() + part, scales, 8);
        }
        return r;
    }
    //! 32 int16: number j is the one of `numbers` [Count = 8 or 16] that `index` [64] names at 2j, if all numbers are
    //! positive, or at 2j + 1, if they are signed; the other index is 0x80.
    template <std::size_t Count, bool IsSigned>
    static Bytes spread(const std::int8_t* numbers, const std::uint8_t* index) {
        Bytes r;
        for (std::size_t j = 0; j < 32; ++j) {
            const auto value = static_cast<std::int16_t>(numbers[index[2 * j + (IsSigned ? 1 : 0)]]);
            std::memcpy(r.v.data() + 2 * j, &value, 2);
        }
        return r;
    }
    //! Word s of row r becomes word r of row s.
    template <class T>
    static void transpose(T (&rows)[16]) {
        std::int32_t words[16][16];
        for (std::size_t r = 0; r < 16; ++r) std::memcpy(words[r], &rows[r], 64);
        for (std::size_t r = 0; r < 16; ++r) {
            for (std::size_t s = 0; s < r; ++s) std::swap(words[r][s], words[s][r]);
        }
        for (std::size_t r = 0; r < 16; ++r) std::memcpy(&rows[r], words[r], 64);
    }

    // ---- integer dot products, exact ----

    //! Lane i: acc + the sum over j < 4 of level[4i + j] * x[4i + j], levels unsigned and <= Max, x signed and > -128.
    template <int Max>
    static I32 dot4(I32 acc, Bytes level, Bytes x) {
        return map_i32([&](std::size_t i) {
            std::int32_t sum = acc.v[i];
            for (std::size_t j = 4 * i; j < 4 * i + 4; ++j) sum += level.v[j] * static_cast<std::int8_t>(x.v[j]);
            return sum;
        });
    }
    //! The same with the same four x for all lanes.
    template <int Max>
    static I32 dot4_each(I32 acc, Bytes level, const std::int8_t* x) {
        return map_i32([&](std::size_t i) {
            std::int32_t sum = acc.v[i];
            for (std::size_t j = 0; j < 4; ++j) sum += level.v[4 * i + j] * x[j];
            return sum;
        });
    }
    //! Lane i: acc + low[i] * x[0] + high[i] * x[1], for lanes made by pair().
    static I32 dot2_each(I32 acc, I32 pairs, const std::int16_t* x) {
        return map_i32([&](std::size_t i) {
            const auto low = static_cast<std::int16_t>(low16(pairs.v[i]));
            return acc.v[i] + low * x[0] + (pairs.v[i] >> 16) * x[1];
        });
    }
    //! acc + the products of int16 weights with the words of a and b (each of which must fit int16), in some order of
    //! lanes: in part p, weights 8p .. 8p + 3 belong to words 4p .. 4p + 3 of a, weights 8p + 4 .. 8p + 7 to those of
    //! b.
    static I32 weigh(I32 acc, I32 a, I32 b, Bytes weights) {
        std::int16_t w[32];
        std::memcpy(w, weights.v.data(), 64);
        return map_i32([&](std::size_t i) {
            const std::size_t part = i / 4, first = i % 4 * 2;  // of the part's eight words: four of a, four of b
            const I32& from = first < 4 ? a : b;
            const std::size_t word = part * 4 + first % 4;
            return acc.v[i] + w[part * 8 + first] * from.v[word] + w[part * 8 + first + 1] * from.v[word + 1];
        });
    }
    //! Lane r: the sum over j < 8 of rows[r][8 + j] * x[j], for positive numbers.
    static I32 dot8(const std::int8_t (&rows)[16][16], const std::int16_t* x) {
        return map_i32([&](std::size_t r) {
            std::int32_t sum = 0;
            for (std::size_t j = 0; j < 8; ++j) sum += rows[r][8 + j] * x[j];
            return sum;
        });
    }
    //! first, lane r: the sum of lanes 0-7 of rows[r]; second: of lanes 8-15.
    static void sum_halves(const I32 (&rows)[16], I32& first, I32& second) {
        const auto sum8 = [&](std::size_t r, std::size_t from) {
            return std::accumulate(rows[r].v.begin() + from, rows[r].v.begin() + from + 8, 0);
        };
        first = map_i32([&](std::size_t r) { return sum8(r, 0); });
        second = map_i32([&](std::size_t r) { return sum8(r, 8); });
    }
    //! Asks for the cache line of p in the second-level cache. p may lie behind the end of everything.
    static void prefetch(const void*) {}

private:
    static std::uint32_t low16(std::int32_t x) { return static_cast<std::uint32_t>(x) & 0xFFFFU; }
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
    static F32 map(F lane) {
        F32 r;
        for (std::size_t i = 0; i < 16; ++i) r.v[i] = lane(i);
        return r;
    }
};

}  // namespace sluice::simd
