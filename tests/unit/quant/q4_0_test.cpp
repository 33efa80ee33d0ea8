// SPDX-License-Identifier: Apache-2.0
#include "sluice/quant/q4_0.hpp"

#include "format_checks.hpp"

using namespace sluice;

TEST_CASE("q4_0: decodes as the layout says") {
    test::check_decode<quant::Q4_0>({0}, [](const unsigned char* block, std::size_t i) -> test::ValueAndMagnitude {
        const int nibble = i < 16 ? block[2 + i] & 15 : block[2 + i - 16] >> 4;
        const double value = test::half_at(block) * (nibble - 8);
        return {value, std::fabs(value)};
    });
}

TEST_CASE("q4_0: encoding loses no more than it should") {
    CHECK(test::relative_error<quant::Q4_0>(0.02F) < 0.085);
    CHECK(test::relative_error<quant::Q4_0>(30.0F) < 0.085);
}

TEST_CASE("q4_0: takes extreme blocks") { test::check_extremes<quant::Q4_0>({0}); }
