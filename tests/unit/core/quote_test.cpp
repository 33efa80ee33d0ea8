// SPDX-License-Identifier: Apache-2.0
#include "sluice/core/quote.hpp"

#include <doctest/doctest.h>
#include <string>

using namespace sluice;

TEST_CASE("quote: names cannot write to a terminal, nor fill it") {
    CHECK(quote("plain name") == "'plain name'");
    CHECK(quote("\x1B[2J\n\x7F\xC3\xBC") == "'\\x1b[2J\\x0a\\x7f\\xc3\\xbc'");
    CHECK(quote(std::string(80, 'a')) == "'" + std::string(80, 'a') + "'");
    CHECK(quote(std::string(5000, 'a')) == "'" + std::string(80, 'a') + "...'");
}
