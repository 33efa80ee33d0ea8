// SPDX-License-Identifier: Apache-2.0
//! What every integer block format states: a linear code. Decoding, the reference dot product and the generic kernels
//! follow from it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sluice/core/config.hpp"

namespace sluice::quant {

//! One block: value[i] = d * scale[i / Group] * q[i]. Size <= 256, so that integer dot products fit 32 bits.
template <std::size_t Size, std::size_t Group>
struct Levels {
    static_assert(Size % Group == 0 && Group % 16 == 0 && Size <= 256);
    static constexpr std::size_t size = Size, group = Group, groups = Size / Group;
    static constexpr bool has_min = false;

    std::int8_t q[size];
    std::int8_t scale[groups];
    float d;
};

//! One block: value[i] = d * scale[i / Group] * q[i] - dmin * min[i / Group], with min < 128.
template <std::size_t Size, std::size_t Group>
struct LevelsWithMin : Levels<Size, Group> {
    static constexpr bool has_min = true;

    std::uint8_t min[Size / Group];
    float dmin;
};

//! The values of a block, in the order of operations that the published formats define.
template <class L>
SLUICE_HD void expand(const L& levels, float* out) {
    for (std::size_t g = 0; g < L::groups; ++g) {
        const float scale = levels.d * static_cast<float>(levels.scale[g]);
        for (std::size_t i = g * L::group; i < (g + 1) * L::group; ++i) {
            out[i] = scale * static_cast<float>(levels.q[i]);
            if constexpr (L::has_min) out[i] -= levels.dmin * static_cast<float>(levels.min[g]);
        }
    }
}

}  // namespace sluice::quant
