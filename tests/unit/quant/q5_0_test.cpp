// SPDX-License-Identifier: Apache-2.0
#include "sluice/quant/q5_0.hpp"

#include "format_checks.hpp"

using namespace sluice;

TEST_CASE("q5_0: decodes as the layout says") {
    test::check_decode<quant::Q5_0>({0}, [](const unsigned char* block, std::size_t i) -> test::ValueAndMagnitude {
        std::uint32_t high = 0;  // a little-endian word
        for (int b = 0; b < 4; ++b) high |= static_cast<std::uint32_t>(block[2 + b]) << (8 * b);
        const int nibble = i < 16 ? block[6 + i] & 15 : block[6 + i - 16] >> 4;
        const int fifth = (high >> i) % 2 == 1 ? 16 : 0;
        const double value = test::half_at(block) * (nibble + fifth - 16);
        return {value, std::fabs(value)};
    });
}

TEST_CASE("q5_0: encoding loses no more than it should") {
    CHECK(test::relative_error<quant::Q5_0>(0.02F) < 0.042);
    CHECK(test::relative_error<quant::Q5_0>(30.0F) < 0.042);
}

TEST_CASE("q5_0: takes extreme blocks") { test::check_extremes<quant::Q5_0>({0}); }
