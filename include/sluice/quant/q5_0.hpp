// SPDX-License-Identifier: Apache-2.0
//! Q5_0: 32 5-bit levels around 16 under one half-precision scale, 5.5 bits per weight.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sluice/core/float16.hpp"
#include "sluice/core/format.hpp"
#include "sluice/quant/activation.hpp"
#include "sluice/quant/fit.hpp"
#include "sluice/quant/levels.hpp"

namespace sluice::quant {

struct Q5_0 {
    static constexpr Format format = Format::Q5_0;
    static constexpr std::string_view name = format_name(format);
    static constexpr std::size_t block_size = 32;
    using Activation = Q8View<32>;
    using Levels = quant::Levels<32, 32>;

    struct Block {
        Half d;
        std::uint8_t high[4];  //!< the fifth bit of level i is bit i % 8 of byte i / 8
        std::uint8_t low[16];  //!< byte i: low bits of level i in the low half, of level i + 16 in the high half
    };
    static_assert(sizeof(Block) == 22);

    SLUICE_HD static Levels unpack(const Block& block) {
        Levels levels;
        for (std::size_t i = 0; i < 32; ++i) {
            const int low = (block.low[i % 16] >> (i / 16 * 4)) & 15;
            const int high = (block.high[i / 8] >> (i % 8)) & 1;
            levels.q[i] = static_cast<std::int8_t>(low + high * 16 - 16);
        }
        levels.scale[0] = 1;
        levels.d = to_float(block.d);
        return levels;
    }

    static Block encode(const float* in) {
        const Levels levels = fit_symmetric<Levels>(in, 16);
        Block block = {to_half(levels.d), {}, {}};
        for (std::size_t i = 0; i < 32; ++i) {
            const int level = levels.q[i] + 16;
            block.low[i % 16] = static_cast<std::uint8_t>(block.low[i % 16] | ((level & 15) << (i / 16 * 4)));
            block.high[i / 8] = static_cast<std::uint8_t>(block.high[i / 8] | ((level >> 4) << (i % 8)));
        }
        return block;
    }
};

}  // namespace sluice::quant
