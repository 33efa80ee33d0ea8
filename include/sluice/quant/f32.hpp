// SPDX-License-Identifier: Apache-2.0
//! F32: plain floats.
#pragma once

#include <cstddef>
#include <string_view>

#include "sluice/core/format.hpp"
#include "sluice/quant/activation.hpp"

namespace sluice::quant {

struct F32 {
    static constexpr Format format = Format::F32;
    static constexpr std::string_view name = format_name(format);
    static constexpr std::size_t block_size = 1;
    using Block = float;
    using Activation = F32View;

    SLUICE_HD static float decode(Block value) { return value; }
    static Block encode(float value) { return value; }
};

}  // namespace sluice::quant
