// SPDX-License-Identifier: Apache-2.0
//! The decisions of the evidence programs: figures on both sides of each claim.
#include "../../benchmarks/evidence/claims.hpp"

#include <doctest/doctest.h>
#include <vector>

using namespace sluice::evidence;

TEST_CASE("evidence: a run of 9.6 tokens a second is too slow") {
    CHECK(decodes_fast_enough(std::vector<double>{10.0, 9.62, 11.0}));
    CHECK(!decodes_fast_enough(std::vector<double>{10.0, 9.6, 11.0}));
}

TEST_CASE("evidence: gaps of 600 ms are too long") {
    CHECK(tokens_come_apart({600.0, 480.0, 510.0, 100.0}));
    CHECK(!tokens_come_apart({600.0, 600.0, 600.0, 100.0}));
    CHECK(!tokens_come_apart({600.0, 490.0, 510.0, 100.0}));  // 500 ms are not below 500 ms
}

TEST_CASE("evidence: a penalty of 1, and falls that chance explains, show nothing") {
    CHECK(!penalty_tells(std::vector<double>(50, 0.0)));  // what a penalty of 1 gives
    std::vector<double> falls(50, 1.0);
    for (std::size_t i = 0; i < 25; ++i) falls[i] = -0.5;  // 2.333 standard errors from 0
    CHECK(!penalty_tells(falls));
    for (std::size_t i = 0; i < 25; ++i) falls[i] = -0.48;  // 2.459
    CHECK(penalty_tells(falls));
}

TEST_CASE("evidence: other tokens, or a gain below the claimed one, are no speculation that pays") {
    CHECK(speculation_pays(true, {1.0, 1.3, 9.0}, same_again));
    CHECK(!speculation_pays(false, {1.0, 1.3, 9.0}, same_again));
    CHECK(!speculation_pays(true, {1.0, 1.29, 9.0}, same_again));
}
