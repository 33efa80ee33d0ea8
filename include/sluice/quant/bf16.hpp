// SPDX-License-Identifier: Apache-2.0
//! BF16: bfloat16, the upper half of a float.
#pragma once

#include <cstddef>
#include <string_view>

#include "sluice/core/float16.hpp"
#include "sluice/core/format.hpp"
#include "sluice/quant/activation.hpp"

namespace sluice::quant {

struct BF16 {
    static constexpr Format format = Format::BF16;
    static constexpr std::string_view name = format_name(format);
    static constexpr std::size_t block_size = 1;
    using Block = BFloat16;
    using Activation = F32View;

    SLUICE_HD static float decode(Block value) { return to_float(value); }
    static Block encode(float value) { return to_bfloat16(value); }
};

}  // namespace sluice::quant
