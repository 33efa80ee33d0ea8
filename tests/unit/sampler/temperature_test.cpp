// SPDX-License-Identifier: Apache-2.0
#include "sluice/sampler/temperature.hpp"

#include <doctest/doctest.h>
#include <limits>
#include <vector>

#include "sluice/sampler/top_k.hpp"
#include "support.hpp"

using namespace sluice;
using namespace sluice::test;

TEST_CASE("temperature: divides how deep a candidate is") {
    std::vector<float> logits{1.0F, 3.0F};
    Candidates candidates;
    REQUIRE(candidates.reset(logits).ok());
    REQUIRE(Temperature(4.0F).apply(candidates, {}).ok());
    REQUIRE(candidates.scan().ok());
    CHECK(candidates.depth(1.0F) == 0.5F);
    REQUIRE(candidates.reset(logits).ok());  // the next token starts at 1 again
    REQUIRE(candidates.scan().ok());
    CHECK(candidates.depth(1.0F) == 2.0F);
}

TEST_CASE("temperature: 0 leaves the best token alone, ties to the lowest id") {
    for (std::uint32_t seed = 0; seed < 200; ++seed) {
        const std::vector<float> logits = random_logits(seed, 1000);
        const auto left = narrow(logits, {}, Temperature(0.0F));
        REQUIRE(left.ok());
        CHECK(ids(*left) == first_ids(ranking(logits), 1));
    }
}

TEST_CASE("temperature: makes no ties of different logits") {
    const std::vector<float> logits{1.0F, 1.0F + 0x1p-23F};  // both 0.333... after a division by 3
    CHECK(ids(*narrow(logits, {}, Temperature(3.0F), TopK(1))) == std::vector<Token>{1});
}

TEST_CASE("temperature: check") {
    CHECK(Temperature(0.0F).check().ok());
    CHECK(Temperature(100.0F).check().ok());
    CHECK(Temperature(-1.0F).check().message() ==
          "temperature: -1 is negative or not finite; give 0 (greedy) or a positive number");
    CHECK_FALSE(Temperature(std::numeric_limits<float>::quiet_NaN()).check().ok());
    CHECK_FALSE(Temperature(std::numeric_limits<float>::infinity()).check().ok());
}
