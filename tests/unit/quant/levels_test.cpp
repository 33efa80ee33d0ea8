// SPDX-License-Identifier: Apache-2.0
#include "sluice/quant/levels.hpp"

#include <doctest/doctest.h>

using namespace sluice::quant;

TEST_CASE("levels: a block is d * scale * q - dmin * min, group by group") {
    LevelsWithMin<32, 16> levels = {};
    levels.d = 0.5F;
    levels.dmin = 0.25F;
    levels.scale[0] = 3;
    levels.scale[1] = -2;
    levels.min[1] = 5;
    for (int i = 0; i < 32; ++i) levels.q[i] = static_cast<std::int8_t>(i - 16);
    float out[32];
    expand(levels, out);
    CHECK(out[0] == -24.0F);
    CHECK(out[15] == -1.5F);
    CHECK(out[16] == -1.25F);
    CHECK(out[31] == -16.25F);

    Levels<32, 16>& without_min = levels;
    expand(without_min, out);
    CHECK(out[31] == -15.0F);
}
