// SPDX-License-Identifier: Apache-2.0
//! The AVX2 + FMA + F16C back end of cpu/simd.hpp: two 256-bit registers a vector. See simd_scalar.hpp for the meaning.
#pragma once

#include <cstddef>
#include <cstdint>
#include <immintrin.h>
#include <string_view>

#include "sluice/core/config.hpp"
#include "sluice/core/float16.hpp"

namespace sluice::simd {

struct Avx2 {
    static constexpr std::string_view name = "AVX2";

    struct F32 {
        __m256 lo, hi;
    };
    struct I32 {
        __m256i lo, hi;
    };
    struct Bytes {
        __m256i lo, hi;
    };

    static SLUICE_INLINE F32 zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
    static SLUICE_INLINE F32 set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
    static SLUICE_INLINE F32 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
    static SLUICE_INLINE F32 load_first(const float* p, std::size_t n) {
        return {_mm256_maskload_ps(p, mask(n, 0)), _mm256_maskload_ps(p + 8, mask(n, 8))};
    }
    static SLUICE_INLINE F32 load(const Half* p) { return {load8(p), load8(p + 8)}; }
    static SLUICE_INLINE F32 load(const BFloat16* p) { return {load8(p), load8(p + 8)}; }
    static SLUICE_INLINE void store(float* p, F32 a) {
        _mm256_storeu_ps(p, a.lo);
        _mm256_storeu_ps(p + 8, a.hi);
    }
    static SLUICE_INLINE void store_first(float* p, F32 a, std::size_t n) {
        _mm256_maskstore_ps(p, mask(n, 0), a.lo);
        _mm256_maskstore_ps(p + 8, mask(n, 8), a.hi);
    }
    static SLUICE_INLINE void store(Half* p, F32 a) {
        constexpr int nearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a.lo, nearest));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8), _mm256_cvtps_ph(a.hi, nearest));
    }

    static SLUICE_INLINE F32 add(F32 a, F32 b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
    static SLUICE_INLINE F32 sub(F32 a, F32 b) { return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
    static SLUICE_INLINE F32 mul(F32 a, F32 b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
    static SLUICE_INLINE F32 div(F32 a, F32 b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
    static SLUICE_INLINE F32 fma(F32 a, F32 b, F32 c) {
        return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
    }
    static SLUICE_INLINE F32 max(F32 a, F32 b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
    static SLUICE_INLINE F32 min(F32 a, F32 b) { return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }
    static SLUICE_INLINE F32 abs(F32 a) {
        const __m256 sign = _mm256_set1_ps(-0.0F);
        return {_mm256_andnot_ps(sign, a.lo), _mm256_andnot_ps(sign, a.hi)};
    }
    static SLUICE_INLINE F32 zero_if_less(F32 value, F32 x, float bound) {
        const __m256 b = _mm256_set1_ps(bound);
        return {_mm256_andnot_ps(_mm256_cmp_ps(x.lo, b, _CMP_LT_OQ), value.lo),
                _mm256_andnot_ps(_mm256_cmp_ps(x.hi, b, _CMP_LT_OQ), value.hi)};
    }
    static SLUICE_INLINE F32 exp2_of_shifted(F32 shifted) {
        const auto one = [](__m256 s) {
            return _mm256_castsi256_ps(
                _mm256_slli_epi32(_mm256_add_epi32(_mm256_castps_si256(s), _mm256_set1_epi32(127)), 23));
        };
        return {one(shifted.lo), one(shifted.hi)};
    }
    static SLUICE_INLINE float sum(F32 a) {
        const __m256 eight = _mm256_add_ps(a.lo, a.hi);
        const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
        const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
    }
    static SLUICE_INLINE float max_lane(F32 a) {
        const __m256 eight = _mm256_max_ps(a.lo, a.hi);
        const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
        const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
    }

private:
    //! All ones in the lanes of [first, first + 8) that are below n.
    static SLUICE_INLINE __m256i mask(std::size_t n, int first) {
        const __m256i lane = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(first));
        return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane);
    }
    static SLUICE_INLINE __m256 load8(const Half* p) {
        return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    }
    static SLUICE_INLINE __m256 load8(const BFloat16* p) {
        const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
        return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
    }
};

}  // namespace sluice::simd
