// SPDX-License-Identifier: Apache-2.0
//! The AVX-512 (F, BW, VL, DQ, VNNI) back end of cpu/simd.hpp: one register per vector. See simd_scalar.hpp for the
//! meaning.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <immintrin.h>
#include <string_view>

#include "sluice/core/config.hpp"
#include "sluice/core/float16.hpp"

namespace sluice::simd {

#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 takes the deliberately undefined operands in its own intrinsics for mistakes (GCC bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

struct Avx512 {
    static constexpr std::string_view name = "AVX-512 VNNI";
    static constexpr std::size_t registers = 32;
    static constexpr std::size_t spread_columns = 8;

    struct F32 {
        __m512 v;
    };
    struct I32 {
        __m512i v;
    };
    struct Bytes {
        __m512i v;
    };
    struct Scales {
        __m512i eights[2];  // each four times: eight numbers as words
    };

    static SLUICE_INLINE F32 zero() { return {_mm512_setzero_ps()}; }
    static SLUICE_INLINE F32 set(float x) { return {_mm512_set1_ps(x)}; }
    static SLUICE_INLINE F32 set(Half x) {
        return {_mm512_cvtph_ps(_mm256_set1_epi16(static_cast<std::int16_t>(x.bits)))};
    }
    static SLUICE_INLINE F32 load(const float* p) { return {_mm512_loadu_ps(p)}; }
    static SLUICE_INLINE F32 load_first(const float* p, std::size_t n) { return {_mm512_maskz_loadu_ps(mask(n), p)}; }
    static SLUICE_INLINE F32 load(const Half* p) {
        return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
    }
    static SLUICE_INLINE F32 load(const BFloat16* p) {
        const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
        return {_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))};
    }
    static SLUICE_INLINE void store(float* p, F32 a) { _mm512_storeu_ps(p, a.v); }
    static SLUICE_INLINE void store_first(float* p, F32 a, std::size_t n) { _mm512_mask_storeu_ps(p, mask(n), a.v); }
    static SLUICE_INLINE void store(Half* p, F32 a) {
        constexpr int nearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(a.v, nearest));
    }

    static SLUICE_INLINE F32 add(F32 a, F32 b) { return {_mm512_add_ps(a.v, b.v)}; }
    static SLUICE_INLINE F32 sub(F32 a, F32 b) { return {_mm512_sub_ps(a.v, b.v)}; }
    static SLUICE_INLINE F32 mul(F32 a, F32 b) { return {_mm512_mul_ps(a.v, b.v)}; }
    static SLUICE_INLINE F32 div(F32 a, F32 b) { return {_mm512_div_ps(a.v, b.v)}; }
    static SLUICE_INLINE F32 fma(F32 a, F32 b, F32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
    static SLUICE_INLINE F32 max(F32 a, F32 b) { return {_mm512_max_ps(a.v, b.v)}; }
    static SLUICE_INLINE F32 min(F32 a, F32 b) { return {_mm512_min_ps(a.v, b.v)}; }
    static SLUICE_INLINE F32 zero_if_less(F32 value, F32 x, float bound) {
        const __mmask16 keep = _mm512_cmp_ps_mask(x.v, _mm512_set1_ps(bound), _CMP_NLT_UQ);
        return {_mm512_maskz_mov_ps(keep, value.v)};
    }
    static SLUICE_INLINE F32 exp2_of_shifted(F32 shifted) {
        const __m512i biased = _mm512_add_epi32(_mm512_castps_si512(shifted.v), _mm512_set1_epi32(127));
        return {_mm512_castsi512_ps(_mm512_slli_epi32(biased, 23))};
    }
    static SLUICE_INLINE float sum(F32 a) {
        const __m256 eight = _mm256_add_ps(low(a.v), high(a.v));
        const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
        const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
    }
    static SLUICE_INLINE F32 sums(const F32 (&v)[16]) {
        return {sums_of(v, [](__m512 a, __m512 b) { return _mm512_add_ps(a, b); })};
    }
    static SLUICE_INLINE float max_lane(F32 a) {
        const __m256 eight = _mm256_max_ps(low(a.v), high(a.v));
        const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
        const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
    }

    static SLUICE_INLINE I32 zero_i32() { return {_mm512_setzero_si512()}; }
    static SLUICE_INLINE I32 set_i32(std::int32_t x) { return {_mm512_set1_epi32(x)}; }
    static SLUICE_INLINE I32 load(const std::int32_t* p) { return {_mm512_loadu_si512(p)}; }
    static SLUICE_INLINE I32 load(const std::int8_t* p) { return {_mm512_cvtepi8_epi32(load128(p))}; }
    static SLUICE_INLINE void store(std::int32_t* p, I32 a) { _mm512_storeu_si512(p, a.v); }
    static SLUICE_INLINE I32 add(I32 a, I32 b) { return {_mm512_add_epi32(a.v, b.v)}; }
    static SLUICE_INLINE I32 sub(I32 a, I32 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
    static SLUICE_INLINE I32 mul(I32 a, I32 b) { return {_mm512_mullo_epi32(a.v, b.v)}; }
    static SLUICE_INLINE I32 sums(const I32 (&v)[16]) {
        F32 bits[16];
        SLUICE_UNROLL
        for (int r = 0; r < 16; ++r) bits[r] = {_mm512_castsi512_ps(v[r].v)};
        return {_mm512_castps_si512(sums_of(bits, [](__m512 a, __m512 b) {
            return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
        }))};
    }
    static SLUICE_INLINE std::int32_t sum(I32 a) { return _mm512_reduce_add_epi32(a.v); }
    static SLUICE_INLINE void store(std::int8_t* p, I32 a) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.v));
    }
    static SLUICE_INLINE I32 round(F32 a) {
        return {_mm512_cvt_roundps_epi32(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
    }
    static SLUICE_INLINE F32 to_float(I32 a) { return {_mm512_cvtepi32_ps(a.v)}; }
    static SLUICE_INLINE F32 low_half(Bytes a) { return {_mm512_cvtph_ps(_mm512_cvtepi32_epi16(a.v))}; }
    static SLUICE_INLINE F32 high_half(Bytes a) { return low_half({_mm512_srli_epi32(a.v, 16)}); }

    static SLUICE_INLINE Bytes set_bytes(std::uint8_t x) { return {_mm512_set1_epi8(static_cast<char>(x))}; }
    static SLUICE_INLINE Bytes load_bytes(const void* p) { return {_mm512_loadu_si512(p)}; }
    template <std::size_t J>
    static SLUICE_INLINE Bytes row_words(const std::byte* base, const std::int32_t* offset) {
        const Quads rows = load_quads(base, offset);
        const __m512i ab =
            J < 2 ? _mm512_unpacklo_epi32(rows.v[0], rows.v[1]) : _mm512_unpackhi_epi32(rows.v[0], rows.v[1]);
        const __m512i cd =
            J < 2 ? _mm512_unpacklo_epi32(rows.v[2], rows.v[3]) : _mm512_unpackhi_epi32(rows.v[2], rows.v[3]);
        return {J % 2 == 0 ? _mm512_unpacklo_epi64(ab, cd) : _mm512_unpackhi_epi64(ab, cd)};
    }
    template <std::size_t N>
    static SLUICE_INLINE void interleave(const std::byte* base, const std::int32_t* offset, std::byte* out) {
        if constexpr (N == 16) {
            const Quads words = transpose(load_quads(base, offset));
            SLUICE_UNROLL
            for (int j = 0; j < 4; ++j) _mm512_storeu_si512(out + 64 * j, words.v[j]);
        } else {
            static_assert(N == 32);
            Quads rows[2];  // rows i of the first, i + 4 of the second: two quads, then those of row i + 8
            SLUICE_UNROLL
            for (int i = 0; i < 8; ++i) {
                const __m512i first = _mm512_castsi256_si512(load256(base + offset[i]));
                rows[i / 4].v[i % 4] = _mm512_inserti64x4(first, load256(base + offset[i + 8]), 1);
            }
            const Quads low = transpose(rows[0]),
                        high = transpose(rows[1]);  // words j: rows 0-3 and 8-11; 4-7 and 12-15
            const __m512i first_quads = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
            const __m512i second_quads = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
            SLUICE_UNROLL
            for (int j = 0; j < 4; ++j) {
                _mm512_storeu_si512(out + 64 * j, _mm512_permutex2var_epi64(low.v[j], first_quads, high.v[j]));
                _mm512_storeu_si512(out + 64 * (j + 4), _mm512_permutex2var_epi64(low.v[j], second_quads, high.v[j]));
            }
        }
    }
    static SLUICE_INLINE void store_bytes(void* p, Bytes a) { _mm512_storeu_si512(p, a.v); }
    template <int Count>
    static SLUICE_INLINE Bytes shift(Bytes a) {
        if constexpr (Count >= 0) return {_mm512_srli_epi64(a.v, Count)};
        return {_mm512_slli_epi64(a.v, static_cast<unsigned>(Count < 0 ? -Count : 0))};
    }
    template <int First, int Second>
    static SLUICE_INLINE Bytes shift_twice(const void* p) {
        const __m512i counts = _mm512_setr_epi64(First, First, First, First, Second, Second, Second, Second);
        return {_mm512_rorv_epi64(_mm512_broadcast_i64x4(load256(p)), counts)};
    }
    static SLUICE_INLINE Bytes shift_right(Bytes a, int count) {
        return {_mm512_srl_epi64(a.v, _mm_cvtsi32_si128(count))};
    }
    static SLUICE_INLINE Bytes keep(Bytes a, std::uint8_t mask) { return {_mm512_and_si512(a.v, set_bytes(mask).v)}; }
    static SLUICE_INLINE Bytes flip(Bytes a, std::uint8_t mask) { return {_mm512_xor_si512(a.v, set_bytes(mask).v)}; }
    static SLUICE_INLINE Bytes merge(Bytes a, Bytes b, std::uint8_t mask) {
        constexpr int or_and = 0xF8;  // a | (b & c)
        return {_mm512_ternarylogic_epi64(a.v, b.v, set_bytes(mask).v, or_and)};
    }
    template <int Shift>
    static SLUICE_INLINE Bytes exchange(Bytes a, std::uint32_t mask) {
        const __m512i m = _mm512_set1_epi32(static_cast<int>(mask));
        const __m512i differ = _mm512_and_si512(_mm512_xor_si512(a.v, _mm512_srli_epi32(a.v, Shift)), m);
        return {_mm512_xor_si512(_mm512_xor_si512(a.v, differ), _mm512_slli_epi32(differ, Shift))};
    }
    static SLUICE_INLINE Bytes low_halves(Bytes low, Bytes high) {
        return {_mm512_mask_blend_epi16(0xAAAAAAAAU, low.v, _mm512_slli_epi32(high.v, 16))};
    }
    template <int I>
    static SLUICE_INLINE I32 byte(Bytes a) {
        if constexpr (I == 3) return {_mm512_srli_epi32(a.v, 24)};
        return {_mm512_and_si512(_mm512_srli_epi32(a.v, 8 * I), _mm512_set1_epi32(255))};
    }
    template <int I>
    static SLUICE_INLINE I32 signed_byte(Bytes a) {
        return {_mm512_srai_epi32(_mm512_slli_epi32(a.v, 24 - 8 * I), 24)};
    }
    template <int I>
    static SLUICE_INLINE I32 signed_byte_pair(Bytes a) {
        const __m128i order =
            _mm_setr_epi8(-1, I, -1, I + 1, -1, I + 4, -1, I + 5, -1, I + 8, -1, I + 9, -1, I + 12, -1, I + 13);
        return {_mm512_srai_epi16(_mm512_shuffle_epi8(a.v, _mm512_broadcast_i32x4(order)), 8)};
    }
    template <int I>
    static SLUICE_INLINE I32 byte_twice(Bytes a) {
        const __m128i order =
            _mm_setr_epi8(I, -1, I, -1, I + 4, -1, I + 4, -1, I + 8, -1, I + 8, -1, I + 12, -1, I + 12, -1);
        return {_mm512_shuffle_epi8(a.v, _mm512_broadcast_i32x4(order))};
    }

    template <int Max>
    using Dots = I32;
    template <int Max>
    static constexpr std::size_t dots_fit = 256;
    template <int Max>
    static SLUICE_INLINE Dots<Max> no_dots() {
        return zero_i32();
    }
    template <int Max>
    static SLUICE_INLINE Dots<Max> dot4_each(Dots<Max> sum, Bytes level, const std::int8_t* x) {
        std::int32_t four = 0;
        std::memcpy(&four, x, 4);
        return {_mm512_dpbusd_epi32(sum.v, level.v, _mm512_set1_epi32(four))};
    }
    static SLUICE_INLINE void keep_in_memory(I32&) {}
    template <int Max>
    static SLUICE_INLINE I32 add_dots(I32 acc, Dots<Max> sum) {
        return add(acc, sum);
    }
    template <int Max>
    static SLUICE_INLINE I32 add_scaled(I32 acc, Dots<Max> sum, I32 scale) {
        return add(acc, mul(sum, scale));
    }
    static SLUICE_INLINE I32 dot2_each(I32 acc, I32 pairs, const std::int16_t* x) {
        std::int32_t two = 0;
        std::memcpy(&two, x, 4);
        return {_mm512_dpwssd_epi32(acc.v, pairs.v, _mm512_set1_epi32(two))};
    }
    template <std::size_t N>
    static SLUICE_INLINE Scales load_scales(const std::int8_t* p) {
        const __m128i bytes = N == 8 ? _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)) : load128(p);
        return {_mm512_broadcast_i32x4(_mm_cvtepi8_epi16(bytes)),
                _mm512_broadcast_i32x4(_mm_cvtepi8_epi16(_mm_srli_si128(bytes, 8)))};
    }
    template <std::size_t Each, std::size_t I>
    static SLUICE_INLINE I32 dot_scaled(I32 acc, Bytes level, Bytes x, const Scales& scales) {
        static_assert(Each == 2 || Each == 4);
        constexpr std::size_t first = Each * I % 8;
        constexpr int a = word_twice(first), b = word_twice(first + Each / 4), c = word_twice(first + Each / 2),
                      d = word_twice(first + Each - 1);
        const __m512i order = _mm512_setr_epi32(a, a, a, a, b, b, b, b, c, c, c, c, d, d, d, d);
        const __m512i each = _mm512_shuffle_epi8(scales.eights[Each * I / 8], order);
        return {_mm512_dpwssd_epi32(acc.v, _mm512_maddubs_epi16(level.v, x.v), each)};
    }
    static SLUICE_INLINE void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1); }

private:
    //! Four vectors of quads: 16-byte parts.
    struct Quads {
        __m512i v[4];
    };
    //! Part p of vector i: the quad of row 4p + i.
    static SLUICE_INLINE Quads load_quads(const std::byte* base, const std::int32_t* offset) {
        Quads rows;
        SLUICE_UNROLL
        for (int i = 0; i < 4; ++i) {
            const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(load128(base + offset[i])),
                                                        load128(base + offset[i + 4]), 1);
            const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(load128(base + offset[i + 8])),
                                                         load128(base + offset[i + 12]), 1);
            rows.v[i] = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
        }
        return rows;
    }
    //! In each part, word i of vector j becomes word j of vector i.
    static SLUICE_INLINE Quads transpose(const Quads& a) {
        const __m512i ab_low = _mm512_unpacklo_epi32(a.v[0], a.v[1]), ab_high = _mm512_unpackhi_epi32(a.v[0], a.v[1]);
        const __m512i cd_low = _mm512_unpacklo_epi32(a.v[2], a.v[3]), cd_high = _mm512_unpackhi_epi32(a.v[2], a.v[3]);
        return {{_mm512_unpacklo_epi64(ab_low, cd_low), _mm512_unpackhi_epi64(ab_low, cd_low),
                 _mm512_unpacklo_epi64(ab_high, cd_high), _mm512_unpackhi_epi64(ab_high, cd_high)}};
    }
    static SLUICE_INLINE __m256i load256(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
    static SLUICE_INLINE __m128i load128(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
    //! Where a shuffle of bytes finds word i, twice.
    static constexpr int word_twice(std::size_t i) { return static_cast<int>(0x01000100U + 0x02020202U * i); }
    //! Lane i is the sum of v[i]. Each step adds the halves of what is left of two vectors and puts the results side by
    //! side.
    template <class Add>
    static SLUICE_INLINE __m512 sums_of(const F32 (&v)[16], Add add) {
        const auto add_halves = [&](__m512 a, __m512 b) {
            return add(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xEE));
        };
        __m512 four[4];
        SLUICE_UNROLL
        for (int r = 0; r < 4; ++r) {
            const __m512 ab = add_halves(v[r].v, v[r + 4].v), cd = add_halves(v[r + 8].v, v[r + 12].v);
            four[r] = add(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xDD));
        }
        const auto add_pairs = [&](__m512 a, __m512 b) {
            return add(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xEE));
        };
        const __m512 even = add_pairs(four[0], four[1]), odd = add_pairs(four[2], four[3]);
        return add(_mm512_shuffle_ps(even, odd, 0x88), _mm512_shuffle_ps(even, odd, 0xDD));
    }
    static SLUICE_INLINE __m256 low(__m512 v) { return __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7); }
    static SLUICE_INLINE __m256 high(__m512 v) { return __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15); }

    //! The first n <= 16 lanes.
    static SLUICE_INLINE __mmask16 mask(std::size_t n) { return static_cast<__mmask16>((1U << n) - 1U); }
};

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

}  // namespace sluice::simd
