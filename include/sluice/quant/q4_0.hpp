// SPDX-License-Identifier: Apache-2.0
//! Q4_0: 32 4-bit levels around 8 under one half-precision scale, 4.5 bits per weight.
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

struct Q4_0 {
    static constexpr Format format = Format::Q4_0;
    static constexpr std::string_view name = format_name(format);
    static constexpr std::size_t block_size = 32;
    using Activation = Q8View<32>;
    using Levels = quant::Levels<32, 32>;

    struct Block {
        Half d;
        std::uint8_t q[16];  //!< byte i: level i in the low half, level i + 16 in the high half
    };
    static_assert(sizeof(Block) == 18);

    SLUICE_HD static Levels unpack(const Block& block) {
        Levels levels;
        for (std::size_t i = 0; i < 16; ++i) {
            levels.q[i] = static_cast<std::int8_t>((block.q[i] & 15) - 8);
            levels.q[i + 16] = static_cast<std::int8_t>((block.q[i] >> 4) - 8);
        }
        levels.scale[0] = 1;
        levels.d = to_float(block.d);
        return levels;
    }

    static Block encode(const float* in) {
        const Levels levels = fit_symmetric<Levels>(in, 8);
        Block block;
        block.d = to_half(levels.d);
        for (std::size_t i = 0; i < 16; ++i) {
            block.q[i] = static_cast<std::uint8_t>((levels.q[i] + 8) | ((levels.q[i + 16] + 8) << 4));
        }
        return block;
    }
};

}  // namespace sluice::quant
