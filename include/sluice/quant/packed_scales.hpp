// SPDX-License-Identifier: Apache-2.0
//! The eight 6-bit scales and eight 6-bit minima that Q4_K and Q5_K keep in twelve bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "sluice/core/config.hpp"

namespace sluice::quant {

//! Bytes 0-3 hold scales 0-3 and bytes 4-7 hold minima 0-3, each with two bits of the fourth-next one on top; bytes
//! 8-11 hold the lower halves of scales 4-7 (low) and minima 4-7 (high).
struct PackedScales {
    std::uint8_t bytes[12];

    //! All of them: four at a time, as the bytes of words.
    SLUICE_HD void unpack(std::int8_t* scales, std::uint8_t* mins) const {
        std::uint32_t a = 0, b = 0, c = 0;
        std::memcpy(&a, bytes, 4);
        std::memcpy(&b, bytes + 4, 4);
        std::memcpy(&c, bytes + 8, 4);
        const std::uint32_t scale_words[] = {a & 0x3F3F3F3FU, (c & 0x0F0F0F0FU) | ((a >> 2) & 0x30303030U)};
        const std::uint32_t min_words[] = {b & 0x3F3F3F3FU, ((c >> 4) & 0x0F0F0F0FU) | ((b >> 2) & 0x30303030U)};
        std::memcpy(scales, scale_words, 8);
        std::memcpy(mins, min_words, 8);
    }

    //! Scales [8] and minima [8], all below 64.
    static PackedScales pack(const std::int8_t* scales, const std::uint8_t* mins) {
        PackedScales packed;
        for (std::size_t g = 0; g < 4; ++g) {
            packed.bytes[g] = static_cast<std::uint8_t>(scales[g] | ((scales[g + 4] >> 4) << 6));
            packed.bytes[g + 4] = static_cast<std::uint8_t>(mins[g] | ((mins[g + 4] >> 4) << 6));
            packed.bytes[g + 8] = static_cast<std::uint8_t>((scales[g + 4] & 15) | ((mins[g + 4] & 15) << 4));
        }
        return packed;
    }
};

}  // namespace sluice::quant
