// SPDX-License-Identifier: Apache-2.0
//! The definition of a dot product of a weight row with an activation row: which numbers, in which order. Every kernel
//! gives these bits.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/math.hpp"
#include "sluice/quant/activation.hpp"

namespace sluice::quant {

//! The float step of a block: acc + (d * xd) * levels, and for a format with minima - (dmin * xd) * mins, where
//! `levels` and `mins` are the block's exact integer sums.
template <bool HasMin>
SLUICE_HD float add_block(float acc, float d, float dmin, float xd, std::int32_t levels, std::int32_t mins) {
    acc = ::fmaf(d * xd, static_cast<float>(levels), acc);
    if constexpr (HasMin) acc = ::fmaf(-(dmin * xd), static_cast<float>(mins), acc);
    return acc;
}

//! Integer formats: exact integer sums within a block, then one float step per block, blocks in ascending order.
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
        float dmin = 0.0F;
        if constexpr (L::has_min) dmin = levels.dmin;
        acc = add_block<L::has_min>(acc, levels.d, dmin, x.d[b], isum, msum);
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
    return math::sum_tree(partial);
}

}  // namespace sluice::quant
