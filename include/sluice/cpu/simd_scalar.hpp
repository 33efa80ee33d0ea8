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
#include <string_view>

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
        return map([&](std::size_t i) { return to_float(p[i]); });
    }
    //! Sixteen bfloat16 numbers, widened exactly.
    static F32 load(const BFloat16* p) {
        return map([&](std::size_t i) { return to_float(p[i]); });
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
    //! The largest lane; unspecified if a lane is NaN.
    static float max_lane(F32 a) { return *std::max_element(a.v.begin(), a.v.end()); }

private:
    template <class F>
    static F32 map(F lane) {
        F32 r;
        for (std::size_t i = 0; i < 16; ++i) r.v[i] = lane(i);
        return r;
    }
};

}  // namespace sluice::simd
