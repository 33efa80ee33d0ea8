// SPDX-License-Identifier: Apache-2.0
//! The AVX2 + FMA + F16C back end of cpu/simd.hpp: two 256-bit registers per vector. For the meaning see
//! simd_scalar.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <immintrin.h>
#include <string_view>
#include <type_traits>

#include "sluice/core/config.hpp"
#include "sluice/core/float16.hpp"

namespace sluice::simd {

struct Avx2 {
    static constexpr std::string_view name = "AVX2";
    static constexpr std::size_t registers = 8;
    static constexpr std::size_t spread_columns = 4;

    struct F32 {
        __m256 lo, hi;
    };
    struct I32 {
        __m256i lo, hi;
    };
    struct Bytes {
        __m256i lo, hi;
    };
    struct Scales {
        __m256i eights[2];  // each twice: eight numbers as words
    };

    static SLUICE_INLINE F32 zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
    static SLUICE_INLINE F32 set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
    static SLUICE_INLINE F32 set(Half x) {
        const __m256 all = _mm256_cvtph_ps(_mm_set1_epi16(static_cast<std::int16_t>(x.bits)));
        return {all, all};
    }
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
        if (n >= 16) return store(p, a);  // 32 columns of Q4_K take 1 to 3 % less, on Zen 3
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
    static SLUICE_INLINE F32 sums(const F32 (&v)[16]) {
        const auto add = [](__m256 a, __m256 b) { return _mm256_add_ps(a, b); };
        return {sums_of_eight(v, add), sums_of_eight(v + 8, add)};
    }
    static SLUICE_INLINE float max_lane(F32 a) {
        const __m256 eight = _mm256_max_ps(a.lo, a.hi);
        const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
        const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
    }

    static SLUICE_INLINE I32 zero_i32() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
    static SLUICE_INLINE I32 set_i32(std::int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
    static SLUICE_INLINE I32 load(const std::int32_t* p) { return {load256(p), load256(p + 8)}; }
    static SLUICE_INLINE I32 load(const std::int8_t* p) {
        const __m128i bytes = load128(p);
        return {_mm256_cvtepi8_epi32(bytes), _mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8))};
    }
    static SLUICE_INLINE void store(std::int32_t* p, I32 a) { store256(p, a.lo, a.hi); }
    static SLUICE_INLINE I32 add(I32 a, I32 b) { return {_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)}; }
    static SLUICE_INLINE I32 sub(I32 a, I32 b) { return {_mm256_sub_epi32(a.lo, b.lo), _mm256_sub_epi32(a.hi, b.hi)}; }
    static SLUICE_INLINE I32 mul(I32 a, I32 b) {
        return {_mm256_mullo_epi32(a.lo, b.lo), _mm256_mullo_epi32(a.hi, b.hi)};
    }
    static SLUICE_INLINE I32 sums(const I32 (&v)[16]) {
        const auto add = [](__m256 a, __m256 b) {
            return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
        };
        F32 bits[16];
        SLUICE_UNROLL
        for (int r = 0; r < 16; ++r) bits[r] = {_mm256_castsi256_ps(v[r].lo), _mm256_castsi256_ps(v[r].hi)};
        return {_mm256_castps_si256(sums_of_eight(bits, add)), _mm256_castps_si256(sums_of_eight(bits + 8, add))};
    }
    static SLUICE_INLINE std::int32_t sum(I32 a) {
        const __m256i eight = _mm256_add_epi32(a.lo, a.hi);
        const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
        const __m128i two = _mm_hadd_epi32(four, four);
        return _mm_cvtsi128_si32(_mm_hadd_epi32(two, two));
    }
    static SLUICE_INLINE void store(std::int8_t* p, I32 a) {
        const __m256i words = _mm256_and_si256(_mm256_packs_epi32(a.lo, a.hi), _mm256_set1_epi16(255));
        const __m256i bytes = _mm256_packus_epi16(words, words);  // in each half: 4 bytes of lo, 4 of hi
        const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 0, 0, 0, 0);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                         _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(bytes, order)));
    }
    static SLUICE_INLINE I32 round(F32 a) {
        const auto nearest = [](__m256 x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); };
        return {_mm256_cvttps_epi32(nearest(a.lo)), _mm256_cvttps_epi32(nearest(a.hi))};
    }
    static SLUICE_INLINE F32 to_float(I32 a) { return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)}; }
    static SLUICE_INLINE F32 low_half(Bytes a) {
        const __m256i mask = _mm256_set1_epi32(0xFFFF);
        return halves({_mm256_and_si256(a.lo, mask), _mm256_and_si256(a.hi, mask)});
    }
    static SLUICE_INLINE F32 high_half(Bytes a) {
        return halves({_mm256_srli_epi32(a.lo, 16), _mm256_srli_epi32(a.hi, 16)});
    }

    static SLUICE_INLINE Bytes set_bytes(std::uint8_t x) {
        const __m256i all = _mm256_set1_epi8(static_cast<char>(x));
        return {all, all};
    }
    static SLUICE_INLINE Bytes load_bytes(const void* p) {
        return {load256(p), load256(static_cast<const char*>(p) + 32)};
    }
    template <std::size_t J>
    static SLUICE_INLINE Bytes row_words(const std::byte* base, const std::int32_t* offset) {
        return {transpose(load_quads(base, offset)).v[J], transpose(load_quads(base, offset + 8)).v[J]};
    }
    template <std::size_t N>
    static SLUICE_INLINE void interleave(const std::byte* base, const std::int32_t* offset, std::byte* out) {
        for (std::size_t i = 0; i < N; i += 16, out += 256) {
            const Quads lo = transpose(load_quads(base + i, offset)), hi = transpose(load_quads(base + i, offset + 8));
            SLUICE_UNROLL
            for (int j = 0; j < 4; ++j) store256(out + 64 * j, lo.v[j], hi.v[j]);
        }
    }
    static SLUICE_INLINE void store_bytes(void* p, Bytes a) { store256(p, a.lo, a.hi); }
    template <int Count>
    static SLUICE_INLINE Bytes shift(Bytes a) {
        if constexpr (Count >= 0) return {_mm256_srli_epi64(a.lo, Count), _mm256_srli_epi64(a.hi, Count)};
        constexpr int left = Count < 0 ? -Count : 0;
        return {_mm256_slli_epi64(a.lo, left), _mm256_slli_epi64(a.hi, left)};
    }
    template <int First, int Second>
    static SLUICE_INLINE Bytes shift_twice(const void* p) {
        const __m256i half = load256(p);
        return {shift<First>(Bytes{half, half}).lo, shift<Second>(Bytes{half, half}).hi};
    }
    static SLUICE_INLINE Bytes shift_right(Bytes a, int count) {
        const __m128i by = _mm_cvtsi32_si128(count);
        return {_mm256_srl_epi64(a.lo, by), _mm256_srl_epi64(a.hi, by)};
    }
    static SLUICE_INLINE Bytes keep(Bytes a, std::uint8_t mask) {
        const __m256i m = set_bytes(mask).lo;
        return {_mm256_and_si256(a.lo, m), _mm256_and_si256(a.hi, m)};
    }
    static SLUICE_INLINE Bytes flip(Bytes a, std::uint8_t mask) {
        const __m256i m = set_bytes(mask).lo;
        return {_mm256_xor_si256(a.lo, m), _mm256_xor_si256(a.hi, m)};
    }
    static SLUICE_INLINE Bytes merge(Bytes a, Bytes b, std::uint8_t mask) {
        const Bytes kept = keep(b, mask);
        return {_mm256_or_si256(a.lo, kept.lo), _mm256_or_si256(a.hi, kept.hi)};
    }
    template <int Shift>
    static SLUICE_INLINE Bytes exchange(Bytes a, std::uint32_t mask) {
        const auto exchanged = [&](__m256i x) {
            const __m256i differ = _mm256_and_si256(_mm256_xor_si256(x, _mm256_srli_epi32(x, Shift)),
                                                    _mm256_set1_epi32(static_cast<int>(mask)));
            return _mm256_xor_si256(_mm256_xor_si256(x, differ), _mm256_slli_epi32(differ, Shift));
        };
        return {exchanged(a.lo), exchanged(a.hi)};
    }
    static SLUICE_INLINE Bytes low_halves(Bytes low, Bytes high) {
        return {_mm256_blend_epi16(low.lo, _mm256_slli_epi32(high.lo, 16), 0xAA),
                _mm256_blend_epi16(low.hi, _mm256_slli_epi32(high.hi, 16), 0xAA)};
    }
    template <int I>
    static SLUICE_INLINE I32 byte(Bytes a) {
        const __m256i low = _mm256_set1_epi32(255);
        return {_mm256_and_si256(_mm256_srli_epi32(a.lo, 8 * I), low),
                _mm256_and_si256(_mm256_srli_epi32(a.hi, 8 * I), low)};
    }
    template <int I>
    static SLUICE_INLINE I32 signed_byte(Bytes a) {
        return {_mm256_srai_epi32(_mm256_slli_epi32(a.lo, 24 - 8 * I), 24),
                _mm256_srai_epi32(_mm256_slli_epi32(a.hi, 24 - 8 * I), 24)};
    }
    template <int I>
    static SLUICE_INLINE I32 signed_byte_pair(Bytes a) {
        const __m256i order = _mm256_broadcastsi128_si256(
            _mm_setr_epi8(-1, I, -1, I + 1, -1, I + 4, -1, I + 5, -1, I + 8, -1, I + 9, -1, I + 12, -1, I + 13));
        return {_mm256_srai_epi16(_mm256_shuffle_epi8(a.lo, order), 8),
                _mm256_srai_epi16(_mm256_shuffle_epi8(a.hi, order), 8)};
    }
    template <int I>
    static SLUICE_INLINE I32 byte_twice(Bytes a) {
        const __m256i order = _mm256_broadcastsi128_si256(
            _mm_setr_epi8(I, -1, I, -1, I + 4, -1, I + 4, -1, I + 8, -1, I + 8, -1, I + 12, -1, I + 12, -1));
        return {_mm256_shuffle_epi8(a.lo, order), _mm256_shuffle_epi8(a.hi, order)};
    }

    //! Sixteen bits hold the sum of two pairs of products of levels up to 63, of eight up to 15: fewer additions, and
    //! the multiplication with the scale adds neighbours as well. Of greater levels the sums have 32 bits.
    template <int Max>
    static constexpr bool dots_are_shorts = Max <= 63;
    struct Shorts {
        __m256i lo, hi;
    };
    template <int Max>
    using Dots = std::conditional_t<dots_are_shorts<Max>, Shorts, I32>;
    template <int Max>
    static constexpr std::size_t dots_fit = dots_are_shorts<Max> ? 32767 / (2 * 127 * Max) : 256;
    template <int Max>
    static SLUICE_INLINE Dots<Max> no_dots() {
        return {_mm256_setzero_si256(), _mm256_setzero_si256()};
    }
    template <int Max>
    static SLUICE_INLINE Dots<Max> dot4_each(Dots<Max> sum, Bytes level, const std::int8_t* x) {
        const __m256i each = broadcast_word(x);
        const Dots<Max> dots = {dot4_256<Max>(level.lo, each), dot4_256<Max>(level.hi, each)};
        if constexpr (dots_are_shorts<Max>) {
            Shorts more = {_mm256_add_epi16(sum.lo, dots.lo), _mm256_add_epi16(sum.hi, dots.hi)};
            // Else g++ adds in an order that takes more registers than there are.
            asm("" : "+x"(more.lo), "+x"(more.hi));
            return more;
        } else {
            return add(sum, dots);
        }
    }
    static SLUICE_INLINE void keep_in_memory(I32& a) { asm("" : "+m"(a.lo), "+m"(a.hi)); }
    template <int Max>
    static SLUICE_INLINE I32 add_dots(I32 acc, Dots<Max> sum) {
        if constexpr (dots_are_shorts<Max>) {
            const __m256i ones = _mm256_set1_epi16(1);
            return add(acc, {_mm256_madd_epi16(sum.lo, ones), _mm256_madd_epi16(sum.hi, ones)});
        } else {
            return add(acc, sum);
        }
    }
    template <int Max>
    static SLUICE_INLINE I32 add_scaled(I32 acc, Dots<Max> sum, I32 scale) {
        if constexpr (dots_are_shorts<Max>) {
            const auto twice = [](__m256i s) { return _mm256_blend_epi16(s, _mm256_slli_epi32(s, 16), 0xAA); };
            return add(acc, {_mm256_madd_epi16(sum.lo, twice(scale.lo)), _mm256_madd_epi16(sum.hi, twice(scale.hi))});
        } else {
            return add(acc, mul(sum, scale));
        }
    }
    static SLUICE_INLINE I32 dot2_each(I32 acc, I32 pairs, const std::int16_t* x) {
        const __m256i each = broadcast_word(x);
        return add(acc, {_mm256_madd_epi16(pairs.lo, each), _mm256_madd_epi16(pairs.hi, each)});
    }
    template <std::size_t N>
    static SLUICE_INLINE Scales load_scales(const std::int8_t* p) {
        const __m128i bytes = N == 8 ? _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)) : load128(p);
        return {_mm256_broadcastsi128_si256(_mm_cvtepi8_epi16(bytes)),
                _mm256_broadcastsi128_si256(_mm_cvtepi8_epi16(_mm_srli_si128(bytes, 8)))};
    }
    template <std::size_t Each, std::size_t I>
    static SLUICE_INLINE I32 dot_scaled(I32 acc, Bytes level, Bytes x, const Scales& scales) {
        static_assert(Each == 2 || Each == 4);
        constexpr std::size_t first = Each * I % 8;
        const __m256i eight = scales.eights[Each * I / 8];
        const auto dot = [&](__m256i sum, __m256i level_half, __m256i x_half, int low, int high) {
            const __m256i order = _mm256_setr_epi32(low, low, low, low, high, high, high, high);
            return _mm256_add_epi32(
                sum, _mm256_madd_epi16(_mm256_maddubs_epi16(level_half, x_half), _mm256_shuffle_epi8(eight, order)));
        };
        return {dot(acc.lo, level.lo, x.lo, word_twice(first), word_twice(first + Each / 4)),
                dot(acc.hi, level.hi, x.hi, word_twice(first + Each / 2), word_twice(first + Each - 1))};
    }
    static SLUICE_INLINE void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1); }

private:
    //! Where a shuffle of bytes finds word i, twice.
    static constexpr int word_twice(std::size_t i) { return static_cast<int>(0x01000100U + 0x02020202U * i); }
    //! Lane i is the sum of v[i]. Each step adds the halves of what is left of two vectors and puts the results side by
    //! side.
    template <class Add>
    static SLUICE_INLINE __m256 sums_of_eight(const F32* v, Add add) {
        __m256 four[4];
        SLUICE_UNROLL
        for (int r = 0; r < 4; ++r) {
            const __m256 a = add(v[r].lo, v[r].hi), b = add(v[r + 4].lo, v[r + 4].hi);
            four[r] = add(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
        }
        const auto add_pairs = [&](__m256 a, __m256 b) {
            return add(_mm256_shuffle_ps(a, b, 0x44), _mm256_shuffle_ps(a, b, 0xEE));
        };
        const __m256 even = add_pairs(four[0], four[1]), odd = add_pairs(four[2], four[3]);
        return add(_mm256_shuffle_ps(even, odd, 0x88), _mm256_shuffle_ps(even, odd, 0xDD));
    }
    static SLUICE_INLINE __m128i load128(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
    static SLUICE_INLINE __m256i load256(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
    static SLUICE_INLINE void store256(void* p, __m256i lo, __m256i hi) {
        _mm256_storeu_si256(static_cast<__m256i*>(p), lo);
        _mm256_storeu_si256(static_cast<__m256i*>(p) + 1, hi);
    }
    static SLUICE_INLINE __m256i broadcast_word(const void* p) {
        std::int32_t word = 0;
        std::memcpy(&word, p, 4);
        return _mm256_set1_epi32(word);
    }
    //! Sixteen halves, one in the low bits of each word.
    static SLUICE_INLINE F32 halves(Bytes words) {
        const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(words.lo, words.hi), 0xD8);
        return {_mm256_cvtph_ps(_mm256_castsi256_si128(packed)), _mm256_cvtph_ps(_mm256_extracti128_si256(packed, 1))};
    }
    template <int Max>
    static SLUICE_INLINE __m256i dot4_256(__m256i level, __m256i x) {
        if constexpr (Max <= 128) {  // two products fit 16 bits: 2 * 128 * 127 < 2^15
            const __m256i pairs = _mm256_maddubs_epi16(level, x);
            return dots_are_shorts<Max> ? pairs : _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
        } else {
            const __m256i even = _mm256_madd_epi16(_mm256_and_si256(level, _mm256_set1_epi16(255)),
                                                   _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8));
            const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(level, 8), _mm256_srai_epi16(x, 8));
            return _mm256_add_epi32(even, odd);
        }
    }
    //! Four vectors of quads: 16-byte parts.
    struct Quads {
        __m256i v[4];
    };
    //! Part p of vector i: the quad of row 4p + i.
    static SLUICE_INLINE Quads load_quads(const std::byte* base, const std::int32_t* offset) {
        Quads rows;
        SLUICE_UNROLL
        for (int i = 0; i < 4; ++i) {
            rows.v[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(load128(base + offset[i])),
                                                load128(base + offset[i + 4]), 1);
        }
        return rows;
    }
    //! In each part, word i of vector j becomes word j of vector i.
    static SLUICE_INLINE Quads transpose(const Quads& a) {
        const __m256i ab_low = _mm256_unpacklo_epi32(a.v[0], a.v[1]), ab_high = _mm256_unpackhi_epi32(a.v[0], a.v[1]);
        const __m256i cd_low = _mm256_unpacklo_epi32(a.v[2], a.v[3]), cd_high = _mm256_unpackhi_epi32(a.v[2], a.v[3]);
        return {{_mm256_unpacklo_epi64(ab_low, cd_low), _mm256_unpackhi_epi64(ab_low, cd_low),
                 _mm256_unpacklo_epi64(ab_high, cd_high), _mm256_unpackhi_epi64(ab_high, cd_high)}};
    }
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
