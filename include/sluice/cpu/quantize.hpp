// SPDX-License-Identifier: Apache-2.0
//! Activation quantization in vectors: the bits of quant::quantize_reference.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

#include "sluice/cpu/simd.hpp"
#include "sluice/quant/activation.hpp"

namespace sluice::cpu {

namespace detail {

//! The element of the largest magnitude (the first, if there are several) of x [N], or NaN if one is not finite.
template <std::size_t N, class V>
float extreme_element(const float* x) {
    auto highest = V::zero(), lowest = V::zero(), check = V::zero();
    for (std::size_t i = 0; i < N; i += simd::lanes) {
        const auto v = V::load(x + i);
        highest = V::max(highest, v);
        lowest = V::min(lowest, v);
        check = V::fma(v, V::zero(), check);  // 0 * infinity and 0 * NaN are NaN
    }
    if (V::sum(check) != 0.0F) return std::numeric_limits<float>::quiet_NaN();
    const float high = V::max_lane(highest), low = V::max_lane(V::sub(V::zero(), lowest));
    if (high != low) return high > low ? high : -low;
    for (std::size_t i = 0; i < N; ++i) {
        if (std::fabs(x[i]) == high) return x[i];
    }
    return 0.0F;
}

}  // namespace detail

//! x [k], k a multiple of N, into `storage`, which has Q8View<N>::row_bytes(k) bytes, aligned to 64.
template <std::size_t N, class V = simd::Native>
quant::Q8View<N> quantize_row(std::span<const float> x, std::byte* storage) {
    const quant::Q8Row<N> row(storage, x.size());
    for (std::size_t begin = 0; begin < x.size(); begin += N) {
        const float extreme = detail::extreme_element<N, V>(x.data() + begin);
        const bool finite = !std::isnan(extreme);
        const quant::Q8Scale scale = quant::q8_scale<N>(finite ? extreme : 0.0F);
        row.d[begin / N] = finite ? scale.d : extreme;
        for (std::size_t i = begin; i < begin + N; i += simd::lanes) {
            const auto scaled = V::mul(V::load(x.data() + i), V::set(scale.inverse));
            const auto levels = finite ? V::round(scaled) : V::zero_i32();
            V::store(row.q + i, levels);
            row.sums[i / simd::lanes] = static_cast<std::int16_t>(V::sum(levels));
        }
    }
    row.pad(x.size());
    return row.view();
}

}  // namespace sluice::cpu
