// SPDX-License-Identifier: Apache-2.0
#include "sluice/sampler/top_k.hpp"

#include <cstdint>
#include <doctest/doctest.h>
#include <vector>

#include "support.hpp"

using namespace sluice;
using namespace sluice::test;

TEST_CASE("top_k: equals a full sort, for few and many blocks, with ties and masks") {
    for (std::uint32_t seed = 0; seed < 300; ++seed) {
        const std::size_t size = 1 + seed * 37 % 5000;
        const std::vector<float> logits = random_logits(seed, size);
        const std::vector<Candidate> ranked = ranking(logits);
        for (const std::int32_t k : {1, 2, 5, 19, 40, 300, 4999}) {
            if (static_cast<std::size_t>(k) >= size) continue;
            const auto left = narrow(logits, {}, TopK(k));
            REQUIRE(left.ok());
            CHECK_MESSAGE(ids(*left) == first_ids(ranked, std::min(ranked.size(), static_cast<std::size_t>(k))),
                          "seed " << seed << " size " << size << " k " << k);
        }
    }
}

TEST_CASE("top_k: ties at the edge go to the lowest ids") {
    CHECK(ids(*narrow(std::vector<float>(2000, 1.0F), {}, TopK(3))) == std::vector<Token>{0, 1, 2});
    CHECK(ids(*narrow({1.0F, 2.0F, 1.0F, 1.0F}, {}, TopK(2))) == std::vector<Token>{0, 1});
}

TEST_CASE("top_k: 0 and the whole vocabulary keep all") {
    const std::vector<float> logits{1.0F, 2.0F, 3.0F};
    CHECK(narrow(logits, {}, TopK(0))->size() == 3);
    CHECK(narrow(logits, {}, TopK(3))->size() == 3);
    CHECK(narrow(logits, {}, TopK(1000))->size() == 3);
}

TEST_CASE("top_k: narrows what an earlier stage left") {
    const std::vector<float> logits = random_logits(2, 3000);
    std::vector<Candidate> odd;
    for (const Candidate& c : ranking(logits)) {
        if (c.id % 2 == 1) odd.push_back(c);
    }
    struct OddOnly {
        Status apply(Candidates& candidates, const SampleContext&) const {
            return candidates.keep_if([](Candidate c) { return c.id % 2 == 1; });
        }
    };
    CHECK(ids(*narrow(logits, {}, OddOnly{}, TopK(30), TopK(4))) == first_ids(odd, 4));
}

TEST_CASE("top_k: check refuses a negative k") {
    CHECK(TopK(-1).check().message() == "top_k: -1 is negative; give a number of tokens, or 0 to keep all");
    CHECK(TopK(0).check().ok());
}
