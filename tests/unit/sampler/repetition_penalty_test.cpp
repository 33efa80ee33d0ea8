// SPDX-License-Identifier: Apache-2.0
#include "sluice/sampler/repetition_penalty.hpp"

#include <doctest/doctest.h>
#include <limits>
#include <vector>

#include "sluice/sampler/chain.hpp"
#include "sluice/sampler/greedy.hpp"
#include "support.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

std::vector<float> penalized(std::vector<float> logits, std::vector<Token> history, RepetitionPenalty penalty) {
    const auto left = narrow(std::move(logits), {.history = history}, penalty);
    REQUIRE(left.ok());
    std::vector<float> result;
    for (const Candidate& c : *left) result.push_back(c.logit);
    return result;
}

}  // namespace

TEST_CASE("repetition_penalty: divides positive logits, multiplies the others") {
    const std::vector<float> expected{2.0F, -8.0F, 0.0F, 4.0F};
    CHECK(penalized({4.0F, -4.0F, 0.0F, 4.0F}, {0, 1, 2}, RepetitionPenalty(2.0F)) == expected);
}

TEST_CASE("repetition_penalty: never compounds") {
    CHECK(penalized({8.0F, 1.0F}, {0, 0, 0, 0}, RepetitionPenalty(2.0F)) == std::vector<float>{4.0F, 1.0F});
}

TEST_CASE("repetition_penalty: 1 or an empty window changes nothing") {
    const std::vector<float> logits{3.0F, -1.0F};
    CHECK(penalized(logits, {0, 1}, RepetitionPenalty(1.0F)) == logits);
    CHECK(penalized(logits, {0, 1}, RepetitionPenalty(2.0F, 0)) == logits);
    CHECK(penalized(logits, {}, RepetitionPenalty(2.0F)) == logits);
}

TEST_CASE("repetition_penalty: the window decides the winner") {
    const std::vector<Token> history{1, 3, 3};
    const auto winner = [&](std::int32_t window) {
        std::vector<float> logits{1.0F, 10.0F, 9.0F, 3.0F};
        auto chain = Chain<RepetitionPenalty, Greedy>::make(RepetitionPenalty(1.5F, window), {});
        REQUIRE(chain.ok());
        const auto token = chain->sample(logits, {.history = history});
        REQUIRE(token.ok());
        return *token;
    };
    CHECK(winner(2) == 1);  // 3, 3: the best token is outside the window
    CHECK(winner(3) == 2);  // 1, 3, 3: 10 / 1.5 < 9
    CHECK(winner(-1) == 2);
}

TEST_CASE("repetition_penalty: check names the field and the value") {
    CHECK(RepetitionPenalty(1.1F).check().ok());
    for (const float bad :
         {0.0F, -1.0F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        const Status status = RepetitionPenalty(bad).check();
        REQUIRE_FALSE(status.ok());
        CHECK(status.where() == "repetition_penalty");
    }
    CHECK(RepetitionPenalty(-1.0F).check().what() == "-1 is not a positive finite number");
    CHECK(RepetitionPenalty(1.1F, -2).check().where() == "repeat_last_n");
}
