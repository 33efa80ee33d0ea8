// SPDX-License-Identifier: Apache-2.0
#include "sluice/text/bpe_merges.hpp"

#include <array>
#include <cstdint>
#include <doctest/doctest.h>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace sluice;

namespace {

constexpr auto byte_tokens = [] {
    std::array<Token, 256> tokens{};
    std::iota(tokens.begin(), tokens.end(), 0);
    return tokens;
}();

std::vector<Token> merged(const BpeMerges& merges, std::string_view word) {
    std::vector<Token> out;
    BpeMerger(merges).merge(word, byte_tokens, out);
    return out;
}

//! One merge a pass over the whole word.
std::vector<Token> merged_naively(const BpeMerges& merges, std::string_view word) {
    std::vector<Token> tokens;
    for (const char byte : word) tokens.push_back(static_cast<unsigned char>(byte));
    while (true) {
        std::uint32_t best = BpeMerges::no_rank;
        std::size_t where = 0;
        for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
            const std::uint32_t rank = merges.rank_of(tokens[i], tokens[i + 1]);
            if (rank < best) best = rank, where = i;
        }
        if (best == BpeMerges::no_rank) return tokens;
        tokens[where] = merges.result_of(best);
        tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(where) + 1);
    }
}

}  // namespace

TEST_CASE("bpe_merges: a rule for a pair, once") {
    BpeMerges merges(3);
    CHECK(merges.add(1, 2, 300));
    CHECK(merges.add(2, 1, 301));
    CHECK_FALSE(merges.add(1, 2, 302));
    CHECK(merges.rank_of(1, 2) == 0);
    CHECK(merges.rank_of(2, 1) == 1);
    CHECK(merges.result_of(1) == 301);
    CHECK(merges.rank_of(0, 0) == BpeMerges::no_rank);
    CHECK(BpeMerges().rank_of(0, 0) == BpeMerges::no_rank);
}

TEST_CASE("bpe_merges: rank goes before position, position before length") {
    BpeMerges merges(4);
    merges.add('b', 'c', 256);
    merges.add('a', 'b', 257);
    merges.add('a', 'a', 258);
    merges.add(256, 'd', 259);
    CHECK(merged(merges, "").empty());
    CHECK(merged(merges, "a") == std::vector<Token>{'a'});
    CHECK(merged(merges, "abc") == std::vector<Token>{'a', 256});
    CHECK(merged(merges, "aaa") == std::vector<Token>{258, 'a'});
    CHECK(merged(merges, "aaab") == std::vector<Token>{258, 257});
    CHECK(merged(merges, "abcd") == std::vector<Token>{'a', 259});
}

TEST_CASE("bpe_merges: agrees with the plain algorithm on random rules and words") {
    std::mt19937 random(3);
    for (int round = 0; round < 400; ++round) {
        // Rules over three letters and what they make, added in random order: a later rule may need an earlier one's
        // result or a later one's.
        std::vector<std::array<Token, 3>> rules;
        std::vector<Token> tokens{'a', 'b', 'c'};
        std::map<std::pair<Token, Token>, Token> seen;
        for (Token result = 256; result < 276; ++result) {
            const Token left = tokens[random() % tokens.size()];
            const Token right = tokens[random() % tokens.size()];
            if (!seen.emplace(std::pair(left, right), result).second) continue;
            rules.push_back({left, right, result});
            tokens.push_back(result);
        }
        std::shuffle(rules.begin(), rules.end(), random);
        BpeMerges merges(rules.size());
        for (const auto& [left, right, result] : rules) REQUIRE(merges.add(left, right, result));
        for (int words = 0; words < 50; ++words) {
            std::string word;
            for (auto length = random() % 40; length > 0; --length) word += static_cast<char>('a' + random() % 3);
            if (merged(merges, word) != merged_naively(merges, word)) FAIL(word);
        }
    }
}

TEST_CASE("bpe_merges: a merger gives the same result again") {
    BpeMerges merges(1);
    merges.add('a', 'b', 256);
    BpeMerger merger(merges);
    std::vector<Token> out;
    merger.merge("abab", byte_tokens, out);
    merger.merge("b", byte_tokens, out);
    merger.merge("ab", byte_tokens, out);
    CHECK(out == std::vector<Token>{256, 256, 'b', 256});
}
