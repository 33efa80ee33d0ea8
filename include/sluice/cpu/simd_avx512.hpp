// SPDX-License-Identifier: Apache-2.0
//! The AVX-512 (F, BW, VL, DQ, VNNI) back end of cpu/simd.hpp: one register a vector. See simd_scalar.hpp for the
//! meaning.
#pragma once

#include <cstddef>
#include <cstdint>
#include <immintrin.h>
#include <string_view>

#include "sluice/core/config.hpp"
#include "sluice/core/float16.hpp"

namespace sluice::simd {

struct Avx512 {
    static constexpr std::string_view name = "AVX-512 VNNI";

    struct F32 {
        __m512 v;
    };
    struct I32 {
        __m512i v;
    };
    struct Bytes {
        __m512i v;
    };

    // g++ 12 takes the undefined pass-through operand of many unmasked intrinsics for an uninitialized variable (GCC
    // bug 105593). Their zero-masked forms with all lanes on compile to the same instruction and raise no warning.
    static constexpr __mmask16 all = 0xFFFF;

    static SLUICE_INLINE F32 zero() { return {_mm512_setzero_ps()}; }
    static SLUICE_INLINE F32 set(float x) { return {_mm512_set1_ps(x)}; }
    static SLUICE_INLINE F32 load(const float* p) { return {_mm512_loadu_ps(p)}; }
    static SLUICE_INLINE F32 load_first(const float* p, std::size_t n) { return {_mm512_maskz_loadu_ps(mask(n), p)}; }
    static SLUICE_INLINE F32 load(const Half* p) {
        return {_mm512_maskz_cvtph_ps(all, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
    }
    static SLUICE_INLINE F32 load(const BFloat16* p) {
        const __m512i wide = _mm512_maskz_cvtepu16_epi32(all, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
        return {_mm512_castsi512_ps(_mm512_maskz_slli_epi32(all, wide, 16))};
    }
    static SLUICE_INLINE void store(float* p, F32 a) { _mm512_storeu_ps(p, a.v); }
    static SLUICE_INLINE void store_first(float* p, F32 a, std::size_t n) { _mm512_mask_storeu_ps(p, mask(n), a.v); }
    static SLUICE_INLINE void store(Half* p, F32 a) {
        constexpr int nearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_maskz_cvtps_ph(all, a.v, nearest));
    }

    static SLUICE_INLINE F32 add(F32 a, F32 b) { return {_mm512_add_ps(a.v, b.v)}; }
    static SLUICE_INLINE F32 sub(F32 a, F32 b) { return {_mm512_sub_ps(a.v, b.v)}; }
    static SLUICE_INLINE F32 mul(F32 a, F32 b) { return {_mm512_mul_ps(a.v, b.v)}; }
    static SLUICE_INLINE F32 div(F32 a, F32 b) { return {_mm512_div_ps(a.v, b.v)}; }
    static SLUICE_INLINE F32 fma(F32 a, F32 b, F32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
    static SLUICE_INLINE F32 max(F32 a, F32 b) { return {_mm512_maskz_max_ps(all, a.v, b.v)}; }
    static SLUICE_INLINE F32 min(F32 a, F32 b) { return {_mm512_maskz_min_ps(all, a.v, b.v)}; }
    static SLUICE_INLINE F32 abs(F32 a) { return {_mm512_abs_ps(a.v)}; }
    static SLUICE_INLINE F32 zero_if_less(F32 value, F32 x, float bound) {
        const __mmask16 keep = _mm512_cmp_ps_mask(x.v, _mm512_set1_ps(bound), _CMP_NLT_UQ);
        return {_mm512_maskz_mov_ps(keep, value.v)};
    }
    static SLUICE_INLINE F32 exp2_of_shifted(F32 shifted) {
        const __m512i biased = _mm512_add_epi32(_mm512_castps_si512(shifted.v), _mm512_set1_epi32(127));
        return {_mm512_castsi512_ps(_mm512_maskz_slli_epi32(all, biased, 23))};
    }
    static SLUICE_INLINE float sum(F32 a) {
        const __m256 eight = _mm256_add_ps(low(a.v), high(a.v));
        const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
        const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
    }
    static SLUICE_INLINE float max_lane(F32 a) {
        const __m256 eight = _mm256_max_ps(low(a.v), high(a.v));
        const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
        const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
    }

private:
    static SLUICE_INLINE __m256 low(__m512 v) { return __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7); }
    static SLUICE_INLINE __m256 high(__m512 v) { return __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15); }

    //! The first n <= 16 lanes.
    static SLUICE_INLINE __mmask16 mask(std::size_t n) { return static_cast<__mmask16>((1U << n) - 1U); }
};

}  // namespace sluice::simd
