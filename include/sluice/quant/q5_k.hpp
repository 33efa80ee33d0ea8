// SPDX-License-Identifier: Apache-2.0
//! Q5_K: 256 5-bit levels in groups of 32, each with a 6-bit scale and minimum, 5.5 bits per weight.
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

struct Q5_K {
    static constexpr Format format = Format::Q5_K;
    static constexpr std::string_view name = format_name(format);
    static constexpr std::size_t block_size = 256;
    using Activation = Q8View<256>;
    using Levels = LevelsWithMin<256, 32>;

    struct Block {
        Half d, dmin;
        PackedScales scales;
        std::uint8_t high[32];    //!< the fifth bit of level 32g + i is bit g of byte i
        std::uint8_t low[4][32];  //!< row c: levels 64c + i in the low halves, 64c + 32 + i in the high halves
    };
    static_assert(sizeof(Block) == 176);

    SLUICE_HD static Levels unpack(const Block& block) {
        Levels levels;
        for (std::size_t i = 0; i < 256; ++i) {
            const int low = (block.low[i / 64][i % 32] >> (i / 32 % 2 * 4)) & 15;
            const int high = (block.high[i % 32] >> (i / 32)) & 1;
            levels.q[i] = static_cast<std::int8_t>(low + high * 16);
        }
        block.scales.unpack(levels.scale, levels.min);
        levels.d = to_float(block.d);
        levels.dmin = to_float(block.dmin);
        return levels;
    }

    static Block encode(const float* in) {
        const Levels levels = fit_affine<Levels>(in, 31);
        Block block = {to_half(levels.d), to_half(levels.dmin), PackedScales::pack(levels.scale, levels.min), {}, {}};
        for (std::size_t i = 0; i < 256; ++i) {
            std::uint8_t& low = block.low[i / 64][i % 32];
            std::uint8_t& high = block.high[i % 32];
            low = static_cast<std::uint8_t>(low | ((levels.q[i] & 15) << (i / 32 % 2 * 4)));
            high = static_cast<std::uint8_t>(high | ((levels.q[i] >> 4) << (i / 32)));
        }
        return block;
    }
};

}  // namespace sluice::quant
