// SPDX-License-Identifier: Apache-2.0
//! Q8_0: 32 signed 8-bit levels under one half-precision scale, 8.5 bits per weight.
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

struct Q8_0 {
    static constexpr Format format = Format::Q8_0;
    static constexpr std::string_view name = format_name(format);
    static constexpr std::size_t block_size = 32;
    using Activation = Q8View<32>;
    using Levels = quant::Levels<32, 32>;

    struct Block {
        Half d;
        std::int8_t q[32];
    };
    static_assert(sizeof(Block) == 34);

    SLUICE_HD static Levels unpack(const Block& block) {
        Levels levels;
        for (std::size_t i = 0; i < 32; ++i) levels.q[i] = block.q[i];
        levels.scale[0] = 1;
        levels.d = to_float(block.d);
        return levels;
    }

    static Block encode(const float* in) {
        const Levels levels = fit_symmetric<Levels>(in, 128);
        Block block;
        block.d = to_half(levels.d);
        std::copy_n(levels.q, 32, block.q);
        return block;
    }
};

}  // namespace sluice::quant
