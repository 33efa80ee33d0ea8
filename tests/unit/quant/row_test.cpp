// SPDX-License-Identifier: Apache-2.0
#include "sluice/quant/row.hpp"

#include <doctest/doctest.h>
#include <vector>

#include "sluice/quant/sets.hpp"

using namespace sluice;

TEST_CASE("row: sizes, and blocks in their places") {
    CHECK(quant::row_bytes<quant::Q4_K>(2048) == 1152);
    CHECK(quant::row_bytes<quant::Q6_K>(768) == 630);
    CHECK(quant::row_bytes<quant::BF16>(5) == 10);
    std::vector<float> x(96, 1.0F), y(96);
    x[0] = 127.0F;
    x[95] = -127.0F;
    std::vector<quant::Q8_0::Block> row(3);
    const auto bytes = reinterpret_cast<std::byte*>(row.data());
    quant::encode_row<quant::Q8_0>(x.data(), 96, bytes);
    quant::decode_row<quant::Q8_0>(bytes, 96, y.data());
    CHECK(y[0] == doctest::Approx(127.0F).epsilon(0.01));
    CHECK(y[1] == doctest::Approx(1.0F).epsilon(0.1));
    CHECK(y[40] == doctest::Approx(1.0F).epsilon(0.01));
    CHECK(y[95] == doctest::Approx(-127.0F).epsilon(0.01));
}
