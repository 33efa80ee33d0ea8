// SPDX-License-Identifier: Apache-2.0
#include "sluice/core/random.hpp"

#include <cstdint>
#include <doctest/doctest.h>
#include <vector>

using namespace sluice;

namespace {

constexpr bool gives(std::uint64_t key, PhiloxBlock counter, PhiloxBlock expected) {
    const PhiloxBlock actual = philox(key, counter);
    for (int i = 0; i < 4; ++i) {
        if (actual.words[i] != expected.words[i]) return false;
    }
    return true;
}

// The known answers published with the paper's Random123 library.
static_assert(gives(0, {{0, 0, 0, 0}}, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}));
static_assert(gives(~std::uint64_t{0}, {{~0U, ~0U, ~0U, ~0U}}, {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}));
static_assert(gives(0x299f31d0a4093822, {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
                    {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}));

}  // namespace

TEST_CASE("random: the published Philox answers also come out at run time") {
    volatile std::uint64_t key = 0x299f31d0a4093822;
    CHECK(gives(key, {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
                {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}));
}

TEST_CASE("random: uniform depends on each of seed, sequence, position and draw") {
    const double base = uniform(1, 2, 3, 4);
    CHECK(uniform(1, 2, 3, 4) == base);
    CHECK(uniform(2, 2, 3, 4) != base);
    CHECK(uniform(1ULL + (1ULL << 32), 2, 3, 4) != base);
    CHECK(uniform(1, 3, 3, 4) != base);
    CHECK(uniform(1, 2, 4, 4) != base);
    CHECK(uniform(1, 2, 3, 5) != base);
    CHECK(uniform(1, 2, 3, 4) != uniform(1, 3, 2, 4));
}

TEST_CASE("random: uniform fills [0, 1) evenly") {
    constexpr int draws = 100000, bins = 100;
    std::vector<int> count(bins);
    for (std::uint32_t i = 0; i < draws; ++i) {
        const double u = uniform(42, 0, i);
        REQUIRE(u >= 0.0);
        REQUIRE(u < 1.0);
        ++count[static_cast<std::size_t>(u * bins)];
    }
    double chi_square = 0.0;
    for (const int n : count) chi_square += (n - draws / bins) * (n - draws / bins) / double{draws / bins};
    CHECK(chi_square < 148.2);  // 99 degrees of freedom, p = 0.001
}
