// SPDX-License-Identifier: Apache-2.0
#include "sluice/sampler/presence_frequency.hpp"

#include <doctest/doctest.h>
#include <limits>
#include <vector>

#include "support.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

std::vector<float> penalized(const std::vector<Token>& history, PresenceFrequencyPenalty penalty) {
    const auto left = narrow({5.0F, 5.0F, -5.0F}, {.history = history}, penalty);
    REQUIRE(left.ok());
    return {(*left)[0].logit, (*left)[1].logit, (*left)[2].logit};
}

}  // namespace

TEST_CASE("presence_frequency: presence counts once, frequency each time") {
    const std::vector<Token> history{0, 2, 0, 0};
    CHECK(penalized(history, {0.5F, 0.0F}) == std::vector<float>{4.5F, 5.0F, -5.5F});
    CHECK(penalized(history, {0.0F, 0.25F}) == std::vector<float>{4.25F, 5.0F, -5.25F});
    CHECK(penalized(history, {0.5F, 0.25F}) == std::vector<float>{3.75F, 5.0F, -5.75F});
    CHECK(penalized(history, {0.5F, 0.25F, 1}) == std::vector<float>{4.25F, 5.0F, -5.0F});
    CHECK(penalized(history, {-1.0F, 0.0F}) == std::vector<float>{6.0F, 5.0F, -4.0F});
    CHECK(penalized(history, {0.0F, 0.0F}) == std::vector<float>{5.0F, 5.0F, -5.0F});
    CHECK(penalized(history, {1.0F, 1.0F, 0}) == std::vector<float>{5.0F, 5.0F, -5.0F});
}

TEST_CASE("presence_frequency: check names the field") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK(PresenceFrequencyPenalty(2.0F, -2.0F).check().ok());
    CHECK(PresenceFrequencyPenalty(nan, 0.0F).check().where() == "presence_penalty");
    CHECK(PresenceFrequencyPenalty(0.0F, nan).check().where() == "frequency_penalty");
    CHECK(PresenceFrequencyPenalty(0.0F, 0.0F, -5).check().where() == "repeat_last_n");
}
