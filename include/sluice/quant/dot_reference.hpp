// SPDX-License-Identifier: Apache-2.0
//! The definition of a dot product of a weight row with an activation row: which numbers, in which order. Every kernel
//! gives these bits.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "sluice/concepts/quantization.hpp"
#include "sluice/quant/activation.hpp"

namespace sluice::quant {

//! Integer formats: exact integer sums within a block, then one float step a block, blocks in ascending order.
//! k is a multiple of F::block_size.
template <IntegerFormat F>
SLUICE_HD float dot_reference(const typename F::Block* row, std::size_t k, typename F::Activation x) {
    using L = typename F::Levels;
    float acc = 0.0F;
    for (std::size_t b = 0; b < k / L::size; ++b) {
        const L levels = F::unpack(row[b]);
        std::int32_t isum = 0, msum = 0;
        for (std::size_t g = 0; g < L::groups; ++g) {
            std::int32_t qx = 0, xs = 0;
            for (std::size_t i = g * L::group; i < (g + 1) * L::group; ++i) {
                qx += levels.q[i] * x.q[b * L::size + i];
                xs += x.q[b * L::size + i];
            }
            isum += levels.scale[g] * qx;
            if constexpr (L::has_min) msum += levels.min[g] * xs;
        }
        acc = ::fmaf(levels.d * x.d[b], static_cast<float>(isum), acc);
        if constexpr (L::has_min) acc = ::fmaf(-(levels.dmin * x.d[b]), static_cast<float>(msum), acc);
    }
    return acc;
}

//! Float formats: element i is added to partial sum i % 16, in ascending order, as if both rows had zeros up to a
//! multiple of 16; then the sixteen are added as a tree.
template <FloatFormat F>
SLUICE_HD float dot_reference(const typename F::Block* row, std::size_t k, F32View x) {
    float partial[16] = {};
    for (std::size_t i = 0; i < (k + 15) / 16 * 16; ++i) {
        const float w = i < k ? F::decode(row[i]) : 0.0F;
        partial[i % 16] = ::fmaf(w, i < k ? x.x[i] : 0.0F, partial[i % 16]);
    }
    for (std::size_t half = 8; half > 0; half /= 2) {
        for (std::size_t j = 0; j < half; ++j) partial[j] += partial[j + half];
    }
    return partial[0];
}

}  // namespace sluice::quant
