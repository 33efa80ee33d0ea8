// SPDX-License-Identifier: Apache-2.0
#include "sluice/quant/q8_0.hpp"

#include "format_checks.hpp"

using namespace sluice;

TEST_CASE("q8_0: decodes as the layout says") {
    test::check_decode<quant::Q8_0>({0}, [](const unsigned char* block, std::size_t i) -> test::ValueAndMagnitude {
        const double value = test::half_at(block) * static_cast<signed char>(block[2 + i]);
        return {value, std::fabs(value)};
    });
}

TEST_CASE("q8_0: encoding loses no more than it should") {
    CHECK(test::relative_error<quant::Q8_0>(0.02F) < 0.0052);
    CHECK(test::relative_error<quant::Q8_0>(30.0F) < 0.0052);
}

TEST_CASE("q8_0: takes extreme blocks") { test::check_extremes<quant::Q8_0>({0}); }
