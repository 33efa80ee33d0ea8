// SPDX-License-Identifier: Apache-2.0
#include "sluice/text/token_table.hpp"

#include <doctest/doctest.h>
#include <string>

using namespace sluice;

TEST_CASE("token_table: bytes by id") {
    TokenBytes pieces;
    CHECK(pieces[0].empty());
    pieces.append("ab");
    pieces.append("");
    pieces.append(std::string_view("\0c", 2));
    CHECK(pieces.size() == 3);
    CHECK(pieces[0] == "ab");
    CHECK(pieces[1].empty());
    CHECK(pieces[2] == std::string_view("\0c", 2));
    CHECK(pieces[3].empty());
    CHECK(pieces[-1].empty());
}

TEST_CASE("token_table: finds each of many tokens, and nothing else") {
    constexpr Token count = 20000;
    TokenBytes pieces;
    TokenIndex index(count);
    for (Token i = 0; i < count; ++i) {
        pieces.append("token " + std::to_string(i));
        REQUIRE(index.insert(pieces, i));
    }
    for (Token i = 0; i < count; ++i) {
        if (index.find(pieces, "token " + std::to_string(i)) != i) FAIL(i);
        if (index.find(pieces, "taken " + std::to_string(i))) FAIL(i);
    }
    CHECK_FALSE(index.find(pieces, ""));
}

TEST_CASE("token_table: keeps the first of two tokens with the same bytes") {
    TokenBytes pieces;
    pieces.append("x");
    pieces.append("x");
    TokenIndex index(2);
    CHECK(index.insert(pieces, 0));
    CHECK_FALSE(index.insert(pieces, 1));
    CHECK(index.find(pieces, "x") == 0);
}

TEST_CASE("token_table: an empty index finds nothing") { CHECK_FALSE(TokenIndex().find(TokenBytes(), "x")); }
