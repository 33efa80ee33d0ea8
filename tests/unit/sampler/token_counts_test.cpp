// SPDX-License-Identifier: Apache-2.0
#include "sluice/sampler/token_counts.hpp"

#include <doctest/doctest.h>
#include <map>
#include <random>
#include <vector>

using namespace sluice;

TEST_CASE("token_counts: the window is the end of the history") {
    const std::vector<Token> history{1, 2, 3};
    CHECK(last_tokens(history, 0).empty());
    CHECK(last_tokens(history, 2).front() == 2);
    CHECK(last_tokens(history, 3).size() == 3);
    CHECK(last_tokens(history, 64).size() == 3);
    CHECK(last_tokens(history, -1).size() == 3);
    CHECK(check_window(-1).ok());
    CHECK(check_window(-2).message() ==
          "repeat_last_n: -2 is below -1; give a number of tokens, 0 (none) or -1 (the whole history)");
}

TEST_CASE("token_counts: equals a map, call after call") {
    std::mt19937 random(7);
    TokenCounts counts;
    for (int round = 0; round < 300; ++round) {
        std::vector<Token> window(random() % 50);
        std::map<Token, std::uint32_t> expected;
        for (Token& token : window) ++expected[token = static_cast<Token>(random() % 30)];
        const auto entries = counts.count(window, 30);
        REQUIRE(entries.ok());
        REQUIRE(entries->size() == expected.size());
        for (const auto& entry : *entries) CHECK(expected.at(entry.token) == entry.count);
    }
}

TEST_CASE("token_counts: refuses a token outside the vocabulary") {
    TokenCounts counts;
    for (const Token bad : {-1, 30}) {
        const auto entries = counts.count(std::vector<Token>{3, bad}, 30);
        REQUIRE_FALSE(entries.ok());
        CHECK(entries.status().what() == "token " + to_text(bad) + " is outside the vocabulary of 30");
    }
}
