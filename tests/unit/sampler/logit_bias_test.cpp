// SPDX-License-Identifier: Apache-2.0
#include "sluice/sampler/logit_bias.hpp"

#include <doctest/doctest.h>

#include "support.hpp"

using namespace sluice;
using namespace sluice::test;

TEST_CASE("logit_bias: adds up, and -inf forbids") {
    const auto left = narrow({1.0F, 2.0F, 3.0F}, {}, LogitBias({{0, 4.0F}, {2, -infinity}, {0, 1.0F}}));
    REQUIRE(left.ok());
    CHECK((*left)[0].logit == 6.0F);
    CHECK((*left)[1].logit == 2.0F);
    CHECK((*left)[2].logit == -infinity);
}

TEST_CASE("logit_bias: refuses a token outside the vocabulary and a bias that is no number") {
    const auto left = narrow({1.0F, 2.0F}, {}, LogitBias({{2, 1.0F}}));
    REQUIRE_FALSE(left.ok());
    CHECK(left.status().message() == "logit_bias: token 2: is outside the vocabulary of 2; give ids from 0 to 1");
    CHECK(LogitBias({{7, -100.0F}, {8, -infinity}}).check().ok());
    CHECK_FALSE(LogitBias({{-1, 0.0F}}).check().ok());
    CHECK_FALSE(LogitBias({{1, infinity}}).check().ok());
    CHECK(LogitBias({{1, not_a_number}}).check().what() == "token 1 with bias nan");
}
