// SPDX-License-Identifier: Apache-2.0
//! The AVX-512 (F, BW, VL, DQ, VNNI) back end of cpu/simd.hpp: one register a vector. See simd_scalar.hpp for the
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

    struct F32 {
        __m512 v;
    };
    struct I32 {
        __m512i v;
    };
    struct Bytes {
        __m512i v;
    };

    static SLUICE_INLINE F32 zero() { return {_mm512_setzero_ps()}; }
    static SLUICE_INLINE F32 set(float x) { return {_mm512_set1_ps(x)}; }
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
    static SLUICE_INLINE F32 abs(F32 a) { return {_mm512_abs_ps(a.v)}; }
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
        // Each step adds the halves of what is left of two vectors and puts the results side by side.
        __m512 four[4];
        for (int r = 0; r < 4; ++r) {
            const __m512 ab = add_halves(v[r].v, v[r + 4].v), cd = add_halves(v[r + 8].v, v[r + 12].v);
            four[r] = _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xDD));
        }
        const auto add_pairs = [](__m512 a, __m512 b) {
            return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xEE));
        };
        const __m512 even = add_pairs(four[0], four[1]), odd = add_pairs(four[2], four[3]);
        return {_mm512_add_ps(_mm512_shuffle_ps(even, odd, 0x88), _mm512_shuffle_ps(even, odd, 0xDD))};
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
    static SLUICE_INLINE I32 gather(const std::byte* base, I32 offset) {
        return {_mm512_i32gather_epi32(offset.v, base, 1)};
    }
    static SLUICE_INLINE I32 add(I32 a, I32 b) { return {_mm512_add_epi32(a.v, b.v)}; }
    static SLUICE_INLINE I32 sub(I32 a, I32 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
    static SLUICE_INLINE I32 mul(I32 a, I32 b) { return {_mm512_mullo_epi32(a.v, b.v)}; }
    static SLUICE_INLINE I32 pair(I32 low, I32 high) {
        return {_mm512_mask_blend_epi16(0xAAAAAAAAU, low.v, _mm512_slli_epi32(high.v, 16))};
    }
    static SLUICE_INLINE std::int32_t sum(I32 a) { return _mm512_reduce_add_epi32(a.v); }
    static SLUICE_INLINE void store(std::int8_t* p, I32 a) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.v));
    }
    static SLUICE_INLINE I32 round(F32 a) {
        return {_mm512_cvt_roundps_epi32(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
    }
    static SLUICE_INLINE F32 to_float(I32 a) { return {_mm512_cvtepi32_ps(a.v)}; }
    static SLUICE_INLINE F32 low_half(I32 a) { return {_mm512_cvtph_ps(_mm512_cvtepi32_epi16(a.v))}; }
    static SLUICE_INLINE F32 high_half(I32 a) { return low_half({_mm512_srli_epi32(a.v, 16)}); }

    static SLUICE_INLINE Bytes set_bytes(std::uint8_t x) { return {_mm512_set1_epi8(static_cast<char>(x))}; }
    static SLUICE_INLINE Bytes load_bytes(const void* p) { return {_mm512_loadu_si512(p)}; }
    static SLUICE_INLINE Bytes load_twice(const void* p) { return {_mm512_broadcast_i64x4(load256(p))}; }
    static SLUICE_INLINE Bytes load_halves(const void* low, const void* high) {
        return {_mm512_inserti64x4(_mm512_castsi256_si512(load256(low)), load256(high), 1)};
    }
    static SLUICE_INLINE Bytes load_quarters(const void* low, const void* high) {
        return {_mm512_mask_broadcast_i32x4(_mm512_broadcast_i32x4(load128(low)), 0xFF00, load128(high))};
    }
    static SLUICE_INLINE Bytes load_parts(const void* p0, const void* p1, const void* p2, const void* p3) {
        const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(load128(p0)), load128(p1), 1);
        const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(load128(p2)), load128(p3), 1);
        return {_mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1)};
    }
    static SLUICE_INLINE void store_bytes(void* p, Bytes a) { _mm512_storeu_si512(p, a.v); }
    template <int S0, int S1, int S2, int S3>
    static SLUICE_INLINE Bytes shift(Bytes a) {
        constexpr bool left = S0 < 0 || S1 < 0 || S2 < 0 || S3 < 0;
        if constexpr (S0 == 0 && S1 == 0 && S2 == 0 && S3 == 0) return a;
        if constexpr (left) {
            static_assert(S0 <= 0 && S1 <= 0 && S2 <= 0 && S3 <= 0);
            return {_mm512_sllv_epi64(a.v, _mm512_setr_epi64(-S0, -S0, -S1, -S1, -S2, -S2, -S3, -S3))};
        } else if constexpr (S0 == S1 && S0 == S2 && S0 == S3) {
            return {_mm512_srli_epi64(a.v, S0)};
        } else {
            return {_mm512_srlv_epi64(a.v, _mm512_setr_epi64(S0, S0, S1, S1, S2, S2, S3, S3))};
        }
    }
    static SLUICE_INLINE Bytes keep(Bytes a, std::uint8_t mask) { return {_mm512_and_si512(a.v, set_bytes(mask).v)}; }
    static SLUICE_INLINE Bytes flip(Bytes a, std::uint8_t mask) { return {_mm512_xor_si512(a.v, set_bytes(mask).v)}; }
    static SLUICE_INLINE Bytes merge(Bytes a, Bytes b, std::uint8_t mask) {
        constexpr int or_and = 0xF8;  // a | (b & c)
        return {_mm512_ternarylogic_epi64(a.v, b.v, set_bytes(mask).v, or_and)};
    }
    static SLUICE_INLINE Bytes merge_bits(Bytes a, const std::uint8_t* low, const std::uint8_t* high,
                                          std::uint8_t bit) {
        std::uint32_t word[2];
        std::memcpy(&word[0], low, 4);
        std::memcpy(&word[1], high, 4);
        const __mmask64 mask = word[0] | static_cast<std::uint64_t>(word[1]) << 32;
        return {_mm512_or_si512(a.v, _mm512_maskz_set1_epi8(mask, static_cast<char>(bit)))};
    }
    static SLUICE_INLINE Bytes unpack_scales(Bytes headers) {
        // Words H A B C become A, A C, B, B C; see quant::PackedScales.
        const __m512i low_mask = _mm512_set4_epi32(0x0F0F0F0F, 0x3F3F3F3F, 0x0F0F0F0F, 0x3F3F3F3F);
        const __m512i high_mask = _mm512_set4_epi32(0x30303030, 0, 0x30303030, 0);
        const __m512i acbc = _mm512_shuffle_epi32(headers.v, static_cast<_MM_PERM_ENUM>(0b11'10'11'01));
        const __m512i aabb = _mm512_shuffle_epi32(headers.v, static_cast<_MM_PERM_ENUM>(0b10'10'01'01));
        const __m512i low = _mm512_and_si512(_mm512_srlv_epi32(acbc, _mm512_set4_epi32(4, 0, 0, 0)), low_mask);
        return {_mm512_or_si512(low, _mm512_and_si512(_mm512_srli_epi32(aabb, 2), high_mask))};
    }
    template <std::size_t Count, bool IsSigned>
    static SLUICE_INLINE Bytes spread(const std::int8_t* numbers, const std::uint8_t* index) {
        const __m128i table =
            Count == 8 ? _mm_loadl_epi64(reinterpret_cast<const __m128i*>(numbers)) : load128(numbers);
        const __m512i spread = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), _mm512_loadu_si512(index));
        return {IsSigned ? _mm512_srai_epi16(spread, 8) : spread};
    }
    template <class T>
    static SLUICE_INLINE void transpose(T (&rows)[16]) {
        __m512i quad[16];  // quad[4i + j], part p: word 4p + j of rows 4i .. 4i + 3
        for (int i = 0; i < 16; i += 4) {
            const __m512i ab_low = _mm512_unpacklo_epi32(rows[i].v, rows[i + 1].v);
            const __m512i ab_high = _mm512_unpackhi_epi32(rows[i].v, rows[i + 1].v);
            const __m512i cd_low = _mm512_unpacklo_epi32(rows[i + 2].v, rows[i + 3].v);
            const __m512i cd_high = _mm512_unpackhi_epi32(rows[i + 2].v, rows[i + 3].v);
            quad[i] = _mm512_unpacklo_epi64(ab_low, cd_low);
            quad[i + 1] = _mm512_unpackhi_epi64(ab_low, cd_low);
            quad[i + 2] = _mm512_unpacklo_epi64(ab_high, cd_high);
            quad[i + 3] = _mm512_unpackhi_epi64(ab_high, cd_high);
        }
        for (int j = 0; j < 4; ++j) {
            const __m512i low01 = _mm512_shuffle_i32x4(quad[j], quad[j + 4], 0x44);
            const __m512i low23 = _mm512_shuffle_i32x4(quad[j + 8], quad[j + 12], 0x44);
            const __m512i high01 = _mm512_shuffle_i32x4(quad[j], quad[j + 4], 0xEE);
            const __m512i high23 = _mm512_shuffle_i32x4(quad[j + 8], quad[j + 12], 0xEE);
            rows[j].v = _mm512_shuffle_i32x4(low01, low23, 0x88);
            rows[j + 4].v = _mm512_shuffle_i32x4(low01, low23, 0xDD);
            rows[j + 8].v = _mm512_shuffle_i32x4(high01, high23, 0x88);
            rows[j + 12].v = _mm512_shuffle_i32x4(high01, high23, 0xDD);
        }
    }

    template <int Max>
    static SLUICE_INLINE I32 dot4(I32 acc, Bytes level, Bytes x) {
        return {_mm512_dpbusd_epi32(acc.v, level.v, x.v)};
    }
    template <int Max>
    static SLUICE_INLINE I32 dot4_each(I32 acc, Bytes level, const std::int8_t* x) {
        std::int32_t four = 0;
        std::memcpy(&four, x, 4);
        return {_mm512_dpbusd_epi32(acc.v, level.v, _mm512_set1_epi32(four))};
    }
    static SLUICE_INLINE I32 dot2_each(I32 acc, I32 pairs, const std::int16_t* x) {
        std::int32_t two = 0;
        std::memcpy(&two, x, 4);
        return {_mm512_dpwssd_epi32(acc.v, pairs.v, _mm512_set1_epi32(two))};
    }
    static SLUICE_INLINE I32 weigh(I32 acc, I32 a, I32 b, Bytes weights) {
        return {_mm512_dpwssd_epi32(acc.v, _mm512_packs_epi32(a.v, b.v), weights.v)};
    }
    static SLUICE_INLINE I32 dot8(const std::int8_t (&rows)[16][16], const std::int16_t* x) {
        const __m512i each = _mm512_broadcast_i32x4(load128(x));
        __m512i quad[4];  // quad[i], part p: four partial sums of row 4i + p
        for (int i = 0; i < 4; ++i) {
            const __m512i numbers = _mm512_unpackhi_epi8(_mm512_loadu_si512(rows[4 * i]), _mm512_setzero_si512());
            quad[i] = _mm512_madd_epi16(numbers, each);
        }
        // Part p, word i: row 4i + p.
        const __m512i sums = add_quads(add_pairs(quad[0], quad[1]), add_pairs(quad[2], quad[3]));
        const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        return {_mm512_permutexvar_epi32(order, sums)};
    }
    static SLUICE_INLINE void sum_halves(const I32 (&rows)[16], I32& first, I32& second) {
        __m512i quad[4];  // quad[i], part p, word j: the sum of part p of row 4i + j
        for (int i = 0; i < 4; ++i) {
            quad[i] =
                add_quads(add_pairs(rows[4 * i].v, rows[4 * i + 1].v), add_pairs(rows[4 * i + 2].v, rows[4 * i + 3].v));
        }
        const __m512i low = add_parts(quad[0], quad[1]), high = add_parts(quad[2], quad[3]);
        first.v = _mm512_shuffle_i32x4(low, high, 0x88);
        second.v = _mm512_shuffle_i32x4(low, high, 0xDD);
    }
    static SLUICE_INLINE void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1); }

private:
    static SLUICE_INLINE __m128i load128(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
    static SLUICE_INLINE __m256i load256(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
    //! In each part: a0 + a2, b0 + b2, a1 + a3, b1 + b3.
    static SLUICE_INLINE __m512i add_pairs(__m512i a, __m512i b) {
        return _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    }
    //! In each part, from two results of add_pairs: the sums of the four rows.
    static SLUICE_INLINE __m512i add_quads(__m512i ab, __m512i cd) {
        return _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    }
    //! Parts a0 + a1, a2 + a3, b0 + b1, b2 + b3.
    static SLUICE_INLINE __m512i add_parts(__m512i a, __m512i b) {
        return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xDD));
    }
    //! The sums of lanes j and j + 8 of a, then of b.
    static SLUICE_INLINE __m512 add_halves(__m512 a, __m512 b) {
        return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xEE));
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
