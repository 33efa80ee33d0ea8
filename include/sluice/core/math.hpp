// SPDX-License-Identifier: Apache-2.0
//! Elementary functions that give the same bits on every compiler, standard library and instruction set: each is one
//! fixed sequence of IEEE operations with explicit fma. The float ones are templates over the operations, so that the
//! scalar and the SIMD versions are the same text.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "sluice/core/config.hpp"

namespace sluice::math {

//! The operations on one float; cpu/simd_*.hpp have the same on sixteen.
struct FloatOps {
    using F32 = float;
    static SLUICE_HD float set(float x) { return x; }
    static SLUICE_HD float add(float a, float b) { return a + b; }
    static SLUICE_HD float sub(float a, float b) { return a - b; }
    static SLUICE_HD float mul(float a, float b) { return a * b; }
    static SLUICE_HD float div(float a, float b) { return a / b; }
    static SLUICE_HD float fma(float a, float b, float c) { return ::fmaf(a, b, c); }
    static SLUICE_HD float max(float a, float b) { return a > b ? a : b; }
    static SLUICE_HD float min(float a, float b) { return a < b ? a : b; }
    //! `value`, or 0 where x < bound.
    static SLUICE_HD float zero_if_less(float value, float x, float bound) { return x < bound ? 0.0F : value; }
    //! 2^n for the integer n in the low bits of `shifted` = n + 1.5 * 2^23, -126 <= n <= 127.
    static SLUICE_HD float exp2_of_shifted(float shifted) {
        return std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted) + 127U) << 23);
    }
};

//! e^x to 1.5 ulp. 0 below -87.33 (where the result would be subnormal), saturates at e^88.02 = 1.7e38; NaN stays NaN.
//! Cody-Waite reduction to |r| <= ln(2)/2 and the Taylor polynomial of degree 7 (remainder below 2^-27).
template <class Ops>
SLUICE_INLINE SLUICE_HD typename Ops::F32 exp(typename Ops::F32 x) {
    constexpr float lowest = -87.33F, highest = 88.02F;
    constexpr float log2_e = 1.44269504F, ln2_high = 0.693359375F, ln2_low = -2.12194440e-4F;
    constexpr float round_shift = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer, kept in the low bits
    constexpr float taylor[] = {1.0F / 5040, 1.0F / 720, 1.0F / 120, 1.0F / 24, 1.0F / 6, 0.5F, 1.0F, 1.0F};

    const auto clamped = Ops::max(Ops::set(lowest), Ops::min(Ops::set(highest), x));
    const auto shifted = Ops::fma(clamped, Ops::set(log2_e), Ops::set(round_shift));
    const auto n = Ops::sub(shifted, Ops::set(round_shift));
    auto r = Ops::fma(n, Ops::set(-ln2_high), clamped);
    r = Ops::fma(n, Ops::set(-ln2_low), r);
    auto p = Ops::set(taylor[0]);
    for (int i = 1; i < 8; ++i) p = Ops::fma(p, r, Ops::set(taylor[i]));
    return Ops::zero_if_less(Ops::mul(p, Ops::exp2_of_shifted(shifted)), x, lowest);
}

//! x / (1 + e^-x): the SiLU (swish) activation. 0 below -88.02, where e^-x saturates and |silu(x)| < 6e-37.
template <class Ops>
SLUICE_INLINE SLUICE_HD typename Ops::F32 silu(typename Ops::F32 x) {
    const auto one = Ops::set(1.0F);
    const auto quotient = Ops::div(x, Ops::add(one, exp<Ops>(Ops::sub(Ops::set(0.0F), x))));
    return Ops::zero_if_less(quotient, x, -88.02F);
}

SLUICE_HD inline float exp(float x) { return exp<FloatOps>(x); }
SLUICE_HD inline float silu(float x) { return silu<FloatOps>(x); }

//! The sum of sixteen partial sums by the fixed tree: lane j gets lane j + 8, then j + 4, j + 2, j + 1.
SLUICE_HD inline float sum_tree(float (&lane)[16]) {
    for (int half = 8; half > 0; half /= 2) {
        for (int j = 0; j < half; ++j) lane[j] += lane[j + half];
    }
    return lane[0];
}

struct SinCos {
    double sin, cos;
};

//! Sine and cosine of |x| <= 2^26 radians, absolute error below 1e-15 + |x| * 2^-80.
SLUICE_HD inline SinCos sincos(double x) {
    constexpr double two_over_pi = 0.63661977236758134308;
    constexpr double half_pi[] = {1.57079632679489655800e+00, 6.12323399573676603587e-17, -1.49738490485916983e-33};
    const double n = ::rint(x * two_over_pi);
    double r = ::fma(-n, half_pi[0], x);
    r = ::fma(-n, half_pi[1], r);
    r = ::fma(-n, half_pi[2], r);
    const double r2 = r * r;
    double s = 1.0, c = 1.0;  // Taylor by Horner: the remainder at pi/4 is below 2^-55
    for (int k = 17; k >= 3; k -= 2) s = ::fma(-r2 / (k * (k - 1)), s, 1.0);
    for (int k = 18; k >= 2; k -= 2) c = ::fma(-r2 / (k * (k - 1)), c, 1.0);
    s *= r;
    switch (static_cast<std::int64_t>(n) & 3) {
        case 0:
            return {s, c};
        case 1:
            return {c, -s};
        case 2:
            return {-s, -c};
        default:
            return {-c, s};
    }
}

//! The natural logarithm of a positive number, relative error below 1e-15 away from 1.
inline double log(double x) {
    constexpr double ln2 = 0.69314718055994530942;
    int exponent = 0;
    const double mantissa = std::frexp(x, &exponent);  // exact, in [0.5, 1)
    const double z = (mantissa - 1.0) / (mantissa + 1.0);
    double series = 0.0;  // ln(m) = 2 atanh(z) = 2z (1 + z^2/3 + z^4/5 + ...), |z| <= 1/3
    for (int k = 41; k >= 1; k -= 2) series = std::fma(series, z * z, 1.0 / k);
    return std::fma(2.0 * z, series, exponent * ln2);
}

//! base^exponent for base >= 1 and -1 <= exponent <= 0 (rotary frequencies), relative error below 1e-14.
inline double power(double base, double exponent) {
    constexpr double ln2 = 0.69314718055994530942;
    const double y = exponent * math::log(base);
    const double n = std::rint(y / ln2);
    const double r = std::fma(-n, ln2, y);
    double e = 1.0;  // Taylor by Horner, |r| <= ln(2)/2
    for (int k = 20; k >= 1; --k) e = std::fma(e, r / k, 1.0);
    return std::ldexp(e, static_cast<int>(n));
}

}  // namespace sluice::math
