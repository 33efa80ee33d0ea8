// SPDX-License-Identifier: Apache-2.0
//! Root-mean-square normalization (Zhang and Sennrich, 2019): y = x / sqrt(mean(x^2) + eps) * weight.
#pragma once

#include <cmath>
#include <cstddef>

#include "sluice/cpu/simd.hpp"

namespace sluice::cpu {

//! The sum of the squares of x[0..n): 16 strided partial sums, then the fixed tree.
template <class V = simd::Native>
float sum_of_squares(const float* x, std::size_t n) {
    auto squares = V::zero();
    std::size_t i = 0;
    for (; i + simd::lanes <= n; i += simd::lanes) {
        const auto v = V::load(x + i);
        squares = V::fma(v, v, squares);
    }
    const auto tail = V::load_first(x + i, n - i);
    return V::sum(V::fma(tail, tail, squares));
}

//! y[0..n) = RMS-normalized x scaled by weight[0..n); y may be x.
template <class V = simd::Native>
void rms_norm(const float* x, const float* weight, std::size_t n, float eps, float* y) {
    const float mean = sum_of_squares<V>(x, n) / static_cast<float>(n);
    const auto scale = V::set(1.0F / std::sqrt(mean + eps));
    std::size_t i = 0;
    for (; i + simd::lanes <= n; i += simd::lanes) {
        V::store(y + i, V::mul(V::mul(V::load(x + i), scale), V::load(weight + i)));
    }
    const auto tail = V::mul(V::mul(V::load_first(x + i, n - i), scale), V::load_first(weight + i, n - i));
    V::store_first(y + i, tail, n - i);
}

//! x[0..n) += y[0..n).
template <class V = simd::Native>
void add(float* x, const float* y, std::size_t n) {
    std::size_t i = 0;
    for (; i + simd::lanes <= n; i += simd::lanes) V::store(x + i, V::add(V::load(x + i), V::load(y + i)));
    V::store_first(x + i, V::add(V::load_first(x + i, n - i), V::load_first(y + i, n - i)), n - i);
}

}  // namespace sluice::cpu
