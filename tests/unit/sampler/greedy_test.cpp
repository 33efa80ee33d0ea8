// SPDX-License-Identifier: Apache-2.0
#include "sluice/sampler/greedy.hpp"

#include <cstdint>
#include <doctest/doctest.h>
#include <vector>

#include "sluice/sampler/chain.hpp"
#include "support.hpp"

using namespace sluice;
using namespace sluice::test;

TEST_CASE("greedy: the highest logit, ties to the lowest id") {
    auto chain = Chain<Greedy>::make({});
    REQUIRE(chain.ok());
    for (std::uint32_t seed = 0; seed < 200; ++seed) {
        std::vector<float> logits = random_logits(seed, 1 + seed * 31 % 3000);
        const Token expected = ranking(logits)[0].id;
        CHECK(*chain->sample(logits, {}) == expected);
    }
    std::vector<float> equal(1000, -2.0F);
    CHECK(*chain->sample(equal, {}) == 0);
}
