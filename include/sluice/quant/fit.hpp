// SPDX-License-Identifier: Apache-2.0
//! How the encoders choose scales and levels: a search for the least squared error, group by group. Relative RMS error
//! on Gaussian numbers: Q4_0 0.081, Q5_0 0.040, Q8_0 0.0050, Q4_K 0.070, Q5_K 0.035, Q6_K 0.017.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "sluice/core/float16.hpp"
#include "sluice/quant/activation.hpp"
#include "sluice/quant/levels.hpp"

namespace sluice::quant {
namespace fit {

using Group = std::span<const float>;

inline int nearest(double x, int low, int high) {
    return static_cast<int>(std::nearbyint(std::clamp(x, static_cast<double>(low), static_cast<double>(high))));
}

//! The level of x in the code scale * q - min.
inline int level(double x, double scale, double min, int low, int high) {
    return scale == 0 ? std::clamp(0, low, high) : nearest((x + min) / scale, low, high);
}

//! The squared error of coding x as scale * q - min.
inline double error(Group x, double scale, double min, int low, int high) {
    double sum = 0;
    for (const float value : x) {
        const double delta = value - (scale * level(value, scale, min, low, high) - min);
        sum += delta * delta;
    }
    return sum;
}

//! `scale` as the format stores it: half precision, finite, and not zero unless it is zero.
inline double stored(double scale) {
    constexpr double largest = 65504, smallest = 0x1p-24;
    if (scale == 0) return 0;
    const double magnitude = std::clamp(std::fabs(scale), smallest, largest);
    return std::copysign(static_cast<double>(to_float(to_half(static_cast<float>(magnitude)))), scale);
}

struct Affine {
    double scale, min;
};

//! The scale for x ~ scale * q with q in [-limit, limit): the extreme element is put at and around -limit, and each
//! time the levels found are given their best scale.
inline double scale_of(Group x, int limit) {
    const float extreme =
        *std::max_element(x.begin(), x.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); });
    double best_scale = 0, best_gain = 0;
    if (extreme == 0) return best_scale;
    for (int step = -10; step <= 20; ++step) {
        const double inverse = -(limit + step * 0.1) / extreme;
        double xq = 0, qq = 0;
        for (const float value : x) {
            const int q = nearest(value * inverse, -limit, limit - 1);
            xq += static_cast<double>(value) * q;
            qq += static_cast<double>(q) * q;
        }
        if (qq > 0 && xq * xq / qq > best_gain) {
            best_gain = xq * xq / qq;
            best_scale = xq / qq;
        }
    }
    return best_scale;
}

//! The best scale and min >= 0 for x ~ scale * q - min, given the levels that `guess` leads to.
inline Affine solve(Group x, Affine guess, int limit) {
    const auto n = static_cast<double>(x.size());
    double sx = 0, sq = 0, sxq = 0, sqq = 0;
    for (const float value : x) {
        const double q = level(value, guess.scale, guess.min, 0, limit);
        sx += value;
        sq += q;
        sxq += value * q;
        sqq += q * q;
    }
    const double determinant = n * sqq - sq * sq;
    if (determinant > 0) {
        const Affine free = {(n * sxq - sq * sx) / determinant, (sq * sxq - sqq * sx) / determinant};
        if (free.min >= 0 && free.scale >= 0) return free;
    }
    return {sqq > 0 ? std::max(0.0, sxq / sqq) : 0.0, 0.0};
}

//! The scale and min >= 0 for x ~ scale * q - min with q in [0, limit]: ranges at and around the full one are tried.
inline Affine affine_of(Group x, int limit) {
    const auto [low, high] = std::minmax_element(x.begin(), x.end());
    const double min = std::max(0.0, -static_cast<double>(*low));
    const double range = *high + min;
    Affine best = {0, min};
    if (range <= 0) return best;
    double best_error = std::numeric_limits<double>::infinity();
    for (int step = -10; step <= 20; ++step) {
        Affine now = {range / (limit + step * 0.1), min};
        for (int pass = 0; pass < 2; ++pass) now = solve(x, now, limit);
        const double error_now = error(x, now.scale, now.min, 0, limit);
        if (error_now < best_error) {
            best_error = error_now;
            best = now;
        }
    }
    return best;
}

inline bool all_finite(Group x) {
    return std::all_of(x.begin(), x.end(), [](float value) { return std::isfinite(value); });
}

}  // namespace fit

//! Levels in [-limit, limit) for in [L::size], with L's d exact in half precision. Magnitudes beyond the format's range
//! saturate; a non-finite element makes the whole block NaN.
template <class L>
L fit_symmetric(const float* in, int limit) {
    L levels = {};
    const fit::Group block(in, L::size);
    if (!fit::all_finite(block)) {
        levels.d = std::numeric_limits<float>::quiet_NaN();
        return levels;
    }
    constexpr int scale_limit = L::groups == 1 ? 1 : 128;
    double scale[L::groups], extreme = 0;
    for (std::size_t g = 0; g < L::groups; ++g) {
        scale[g] = fit::scale_of(block.subspan(g * L::group, L::group), limit);
        if (std::fabs(scale[g]) > std::fabs(extreme)) extreme = scale[g];
    }
    const double d = fit::stored(L::groups == 1 ? extreme : -extreme / scale_limit);
    levels.d = static_cast<float>(d);
    for (std::size_t g = 0; g < L::groups; ++g) {
        const auto x = block.subspan(g * L::group, L::group);
        int best = 1;
        if constexpr (L::groups > 1) {  // the neighbours of the nearest scale may do better
            const int centre = d == 0 ? 0 : fit::nearest(scale[g] / d, -scale_limit, scale_limit - 1);
            double best_error = std::numeric_limits<double>::infinity();
            for (int s = std::max(centre - 1, -scale_limit); s <= std::min(centre + 1, scale_limit - 1); ++s) {
                const double error = fit::error(x, d * s, 0, -limit, limit - 1);
                if (error < best_error) {
                    best_error = error;
                    best = s;
                }
            }
        }
        levels.scale[g] = static_cast<std::int8_t>(best);
        for (std::size_t i = 0; i < L::group; ++i) {
            levels.q[g * L::group + i] = static_cast<std::int8_t>(fit::level(x[i], d * best, 0, -limit, limit - 1));
        }
    }
    return levels;
}

//! Levels in [0, limit] with 6-bit scales and minima for in [L::size]; otherwise as fit_symmetric.
template <class L>
L fit_affine(const float* in, int limit) {
    constexpr int scale_limit = 63;
    L levels = {};
    const fit::Group block(in, L::size);
    if (!fit::all_finite(block)) {
        levels.d = std::numeric_limits<float>::quiet_NaN();
        return levels;
    }
    fit::Affine group[L::groups], largest = {0, 0};
    for (std::size_t g = 0; g < L::groups; ++g) {
        group[g] = fit::affine_of(block.subspan(g * L::group, L::group), limit);
        largest = {std::max(largest.scale, group[g].scale), std::max(largest.min, group[g].min)};
    }
    const double d = fit::stored(largest.scale / scale_limit), dmin = fit::stored(largest.min / scale_limit);
    levels.d = static_cast<float>(d);
    levels.dmin = static_cast<float>(dmin);
    for (std::size_t g = 0; g < L::groups; ++g) {
        const auto x = block.subspan(g * L::group, L::group);
        const int scale_centre = d == 0 ? 0 : fit::nearest(group[g].scale / d, 0, scale_limit);
        const int min_centre = dmin == 0 ? 0 : fit::nearest(group[g].min / dmin, 0, scale_limit);
        int scale = 0, min = 0;
        double best_error = std::numeric_limits<double>::infinity();
        for (int s = std::max(scale_centre - 1, 0); s <= std::min(scale_centre + 1, scale_limit); ++s) {
            for (int m = std::max(min_centre - 1, 0); m <= std::min(min_centre + 1, scale_limit); ++m) {
                const double error = fit::error(x, d * s, dmin * m, 0, limit);
                if (error < best_error) {
                    best_error = error;
                    scale = s;
                    min = m;
                }
            }
        }
        levels.scale[g] = static_cast<std::int8_t>(scale);
        levels.min[g] = static_cast<std::uint8_t>(min);
        for (std::size_t i = 0; i < L::group; ++i) {
            levels.q[g * L::group + i] = static_cast<std::int8_t>(fit::level(x[i], d * scale, dmin * min, 0, limit));
        }
    }
    return levels;
}

}  // namespace sluice::quant
