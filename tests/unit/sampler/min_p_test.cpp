// SPDX-License-Identifier: Apache-2.0
#include "sluice/sampler/min_p.hpp"

#include <cmath>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <vector>

#include "sluice/sampler/temperature.hpp"
#include "support.hpp"

using namespace sluice;
using namespace sluice::test;

TEST_CASE("min_p: keeps what is at least min_p times as likely as the best") {
    for (std::uint32_t seed = 0; seed < 200; ++seed) {
        const std::vector<float> logits = random_logits(seed, 1 + seed * 29 % 4000);
        const std::vector<Candidate> ranked = ranking(logits);
        for (const float min_p : {1e-4F, 0.05F, 0.5F, 1.0F}) {
            const auto left = narrow(logits, {}, Temperature(1.5F), MinP(min_p));
            REQUIRE(left.ok());
            REQUIRE_FALSE(left->empty());
            CHECK(ids(*left) == first_ids(ranked, left->size()));
            const auto probability = [&](std::size_t i) {
                return std::exp((double{ranked[i].logit} - double{ranked[0].logit}) / 1.5);
            };
            CHECK(probability(left->size() - 1) >= double{min_p} * (1 - 1e-6));
            if (left->size() < ranked.size()) CHECK(probability(left->size()) < double{min_p} * (1 + 1e-6));
        }
    }
}

TEST_CASE("min_p: 0 changes nothing, 1 keeps the best and its equals") {
    CHECK(narrow({1.0F, -50.0F}, {}, MinP(0.0F))->size() == 2);
    CHECK(ids(*narrow({1.0F, 2.0F, 2.0F}, {}, MinP(1.0F))) == std::vector<Token>{1, 2});
}

TEST_CASE("min_p: check") {
    CHECK(MinP(1.5F).check().message() == "min_p: 1.5 is outside [0, 1]; give 0 to keep all");
    CHECK_FALSE(MinP(-0.1F).check().ok());
    CHECK_FALSE(MinP(std::numeric_limits<float>::quiet_NaN()).check().ok());
}
