// SPDX-License-Identifier: Apache-2.0
#include "sluice/sampler/top_p.hpp"

#include <cmath>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <vector>

#include "sluice/sampler/temperature.hpp"
#include "sluice/sampler/top_k.hpp"
#include "support.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

//! Checks by a full sort in double precision that `kept` is the shortest prefix of the ranking that reaches p.
void check_nucleus(const std::vector<Candidate>& kept, const std::vector<Candidate>& ranked, double p,
                   double temperature) {
    const auto weight = [&](const Candidate& c) {
        return std::exp((double{c.logit} - double{ranked[0].logit}) / temperature);
    };
    double total = 0.0, reached = 0.0, before_last = 0.0;
    for (const Candidate& c : ranked) total += weight(c);
    for (std::size_t i = 0; i < kept.size(); ++i) {
        before_last = reached;
        reached += weight(ranked[i]);
    }
    REQUIRE_FALSE(kept.empty());
    CHECK(ids(kept) == first_ids(ranked, kept.size()));
    CHECK(reached >= (p - 1e-6) * total);
    CHECK(before_last < (p + 1e-6) * total);
}

}  // namespace

TEST_CASE("top_p: keeps the token that crosses p, and none after it") {
    const std::vector<float> logits{0.0F, std::log(2.0F), 0.0F};  // 1/4, 1/2, 1/4
    CHECK(ids(*narrow(logits, {}, TopP(0.01F))) == std::vector<Token>{1});
    CHECK(ids(*narrow(logits, {}, TopP(0.49F))) == std::vector<Token>{1});
    CHECK(ids(*narrow(logits, {}, TopP(0.51F))) == std::vector<Token>{0, 1});
    CHECK(ids(*narrow(logits, {}, TopP(0.74F))) == std::vector<Token>{0, 1});
    CHECK(ids(*narrow(logits, {}, TopP(0.76F))) == std::vector<Token>{0, 1, 2});
}

TEST_CASE("top_p: reaching p exactly is enough") {
    const std::vector<float> equal(8, 1.0F);
    CHECK(ids(*narrow(equal, {}, TopP(0.5F))) == std::vector<Token>{0, 1, 2, 3});
    CHECK(ids(*narrow(equal, {}, TopP(0.5F + 0x1p-20F))) == std::vector<Token>{0, 1, 2, 3, 4});
}

TEST_CASE("top_p: reaching p exactly is enough, also where a less likely token follows") {
    REQUIRE(token_weight(std::log(2.0F)) == unit_weight / 2);
    const std::vector<float> logits{0.0F, std::log(2.0F), 0.0F};  // 1/4, 1/2, 1/4
    CHECK(ids(*narrow(logits, {}, TopP(0.5F))) == std::vector<Token>{1});
    CHECK(ids(*narrow(logits, {}, TopP(0.75F))) == std::vector<Token>{0, 1});
}

TEST_CASE("top_p: equals a full sort, with ties and masks") {
    for (std::uint32_t seed = 0; seed < 300; ++seed) {
        const std::vector<float> logits = random_logits(seed, 1 + seed * 41 % 6000);
        const std::vector<Candidate> ranked = ranking(logits);
        for (const float p : {1e-6F, 0.1F, 0.5F, 0.95F, 0.9999F}) {
            for (const float temperature : {0.3F, 1.0F, 2.0F}) {
                const auto left = narrow(logits, {}, Temperature(temperature), TopP(p));
                REQUIRE(left.ok());
                check_nucleus(*left, ranked, double{p}, double{temperature});
            }
        }
    }
}

TEST_CASE("top_p: the probabilities are those of the candidates that are left") {
    const std::vector<float> logits = random_logits(4, 5000);
    std::vector<Candidate> ranked = ranking(logits);
    ranked.resize(20);
    const auto left = narrow(logits, {}, TopK(20), TopP(0.6F));
    REQUIRE(left.ok());
    check_nucleus(*left, ranked, double{0.6F}, 1.0);
}

TEST_CASE("top_p: outside (0, 1) changes nothing") {
    for (const float p : {-1.0F, 0.0F, 1.0F, 2.0F}) CHECK(narrow({1.0F, 2.0F, -100.0F}, {}, TopP(p))->size() == 3);
    CHECK(TopP(2.0F).check().ok());
    CHECK(TopP(std::numeric_limits<float>::quiet_NaN()).check().where() == "top_p");
}
