// SPDX-License-Identifier: Apache-2.0
//! Applies rotary position embedding to one head.
#pragma once

#include <cstddef>

#include "sluice/cpu/simd.hpp"

namespace sluice::cpu {

//! Turns each pair (x[i], x[i + half]) of a head [2 * half] by its angle.
template <class V = simd::Native>
void rotate_half(float* x, const float* cosines, const float* sines, std::size_t half) {
    for (std::size_t i = 0; i < half; i += simd::lanes) {
        const std::size_t n = half - i < simd::lanes ? half - i : simd::lanes;
        const auto a = V::load_first(x + i, n), b = V::load_first(x + half + i, n);
        const auto c = V::load_first(cosines + i, n), s = V::load_first(sines + i, n);
        V::store_first(x + i, V::fma(a, c, V::mul(V::sub(V::zero(), b), s)), n);
        V::store_first(x + half + i, V::fma(a, s, V::mul(b, c)), n);
    }
}

}  // namespace sluice::cpu
