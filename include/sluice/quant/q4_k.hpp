// SPDX-License-Identifier: Apache-2.0
//! Q4_K: 256 4-bit levels in groups of 32, each with a 6-bit scale and minimum, 4.5 bits per weight.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sluice/core/float16.hpp"
#include "sluice/core/format.hpp"
#include "sluice/quant/activation.hpp"
#include "sluice/quant/fit.hpp"
#include "sluice/quant/levels.hpp"
#include "sluice/quant/packed_scales.hpp"

namespace sluice::quant {

struct Q4_K {
    static constexpr Format format = Format::Q4_K;
    static constexpr std::string_view name = format_name(format);
    static constexpr std::size_t block_size = 256;
    using Activation = Q8View<256>;
    using Levels = LevelsWithMin<256, 32>;

    struct Block {
        Half d, dmin;
        PackedScales scales;
        std::uint8_t q[4][32];  //!< row c: levels 64c + i in the low halves, 64c + 32 + i in the high halves
    };
    static_assert(sizeof(Block) == 144);

    SLUICE_HD static Levels unpack(const Block& block) {
        Levels levels;
        for (std::size_t i = 0; i < 256; ++i) {
            levels.q[i] = static_cast<std::int8_t>((block.q[i / 64][i % 32] >> (i / 32 % 2 * 4)) & 15);
        }
        block.scales.unpack(levels.scale, levels.min);
        levels.d = to_float(block.d);
        levels.dmin = to_float(block.dmin);
        return levels;
    }

    static Block encode(const float* in) {
        const Levels levels = fit_affine<Levels>(in, 15);
        Block block = {to_half(levels.d), to_half(levels.dmin), PackedScales::pack(levels.scale, levels.min), {}};
        for (std::size_t i = 0; i < 256; ++i) {
            std::uint8_t& byte = block.q[i / 64][i % 32];
            byte = static_cast<std::uint8_t>(byte | (levels.q[i] << (i / 32 % 2 * 4)));
        }
        return block;
    }
};

}  // namespace sluice::quant
