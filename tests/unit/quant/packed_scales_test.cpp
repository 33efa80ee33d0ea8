// SPDX-License-Identifier: Apache-2.0
#include "sluice/quant/packed_scales.hpp"

#include <doctest/doctest.h>
#include <initializer_list>

using sluice::quant::PackedScales;

TEST_CASE("packed_scales: every scale and minimum comes back, without touching the others") {
    for (int special = 0; special < 16; ++special) {
        for (int value = 0; value < 64; ++value) {
            for (const int others : {0, 63}) {
                std::int8_t scales[8];
                std::uint8_t mins[8];
                for (int g = 0; g < 8; ++g) {
                    scales[g] = static_cast<std::int8_t>(g == special ? value : others);
                    mins[g] = static_cast<std::uint8_t>(g + 8 == special ? value : others);
                }
                const PackedScales packed = PackedScales::pack(scales, mins);
                std::int8_t scales_back[8];
                std::uint8_t mins_back[8];
                packed.unpack(scales_back, mins_back);
                for (std::size_t g = 0; g < 8; ++g) {
                    REQUIRE(scales_back[g] == scales[g]);
                    REQUIRE(mins_back[g] == mins[g]);
                }
            }
        }
    }
}
