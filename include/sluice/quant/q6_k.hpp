// SPDX-License-Identifier: Apache-2.0
//! Q6_K: 256 6-bit levels around 32 in groups of 16, each with an 8-bit scale, 6.5625 bits per weight.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sluice/core/float16.hpp"
#include "sluice/core/format.hpp"
#include "sluice/quant/activation.hpp"
#include "sluice/quant/fit.hpp"
#include "sluice/quant/levels.hpp"

namespace sluice::quant {

struct Q6_K {
    static constexpr Format format = Format::Q6_K;
    static constexpr std::string_view name = format_name(format);
    static constexpr std::size_t block_size = 256;
    using Activation = Q8View<256>;
    using Levels = quant::Levels<256, 16>;

    struct Block {
        std::uint8_t low[2]
                        [64];  //!< row h: low bits of levels 128h + i in the low halves, of 128h + 64 + i in the high
        std::uint8_t high[2][32];  //!< row h: high bits of level 128h + 32p + i are bits 2p, 2p + 1 of byte i
        std::int8_t scale[16];
        Half d;
    };
    static_assert(sizeof(Block) == 210);

    SLUICE_HD static Levels unpack(const Block& block) {
        Levels levels;
        for (std::size_t i = 0; i < 256; ++i) {
            const int low = (block.low[i / 128][i % 64] >> (i / 64 % 2 * 4)) & 15;
            const int high = (block.high[i / 128][i % 32] >> (i / 32 % 4 * 2)) & 3;
            levels.q[i] = static_cast<std::int8_t>(low + high * 16 - 32);
        }
        for (std::size_t g = 0; g < 16; ++g) levels.scale[g] = block.scale[g];
        levels.d = to_float(block.d);
        return levels;
    }

    static Block encode(const float* in) {
        const Levels levels = fit_symmetric<Levels>(in, 32);
        Block block = {};
        for (std::size_t i = 0; i < 256; ++i) {
            const int level = levels.q[i] + 32;
            std::uint8_t& low = block.low[i / 128][i % 64];
            std::uint8_t& high = block.high[i / 128][i % 32];
            low = static_cast<std::uint8_t>(low | ((level & 15) << (i / 64 % 2 * 4)));
            high = static_cast<std::uint8_t>(high | ((level >> 4) << (i / 32 % 4 * 2)));
        }
        std::copy_n(levels.scale, 16, block.scale);
        block.d = to_half(levels.d);
        return block;
    }
};

}  // namespace sluice::quant
