// SPDX-License-Identifier: Apache-2.0
#include "sluice/core/to_text.hpp"

#include <cstdint>
#include <doctest/doctest.h>
#include <limits>

using namespace sluice;

TEST_CASE("to_text: the shortest text that reads back") {
    CHECK(to_text(0.1F) == "0.1");
    CHECK(to_text(-1.5) == "-1.5");
    CHECK(to_text(1.0) == "1");
    CHECK(to_text(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
    CHECK(to_text(-7) == "-7");
    CHECK(to_text(-std::numeric_limits<double>::denorm_min()) == "-5e-324");
}

TEST_CASE("to_text: infinities and NaN have names") {
    CHECK(to_text(-std::numeric_limits<float>::infinity()) == "-inf");
    CHECK(to_text(std::numeric_limits<double>::quiet_NaN()) == "nan");
}
