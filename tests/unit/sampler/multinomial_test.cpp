// SPDX-License-Identifier: Apache-2.0
#include "sluice/sampler/multinomial.hpp"

#include <cmath>
#include <cstdint>
#include <doctest/doctest.h>
#include <vector>

#include "sluice/sampler/chain.hpp"
#include "support.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

Token draw(std::vector<float> logits, const SampleContext& context) {
    auto chain = Chain<Multinomial>::make({});
    REQUIRE(chain.ok());
    const auto token = chain->sample(logits, context);
    REQUIRE(token.ok());
    return *token;
}

}  // namespace

TEST_CASE("multinomial: draws with the exact probabilities") {
    const std::vector<float> logits = random_logits(0, 600);  // three blocks
    double total = 0.0;
    for (const float x : logits) total += std::exp(double{x});
    constexpr int draws = 60000;
    std::vector<int> count(logits.size());
    auto chain = Chain<Multinomial>::make({});
    for (std::uint32_t i = 0; i < draws; ++i) {
        std::vector<float> row = logits;
        ++count[static_cast<std::size_t>(*chain->sample(row, {.seed = 9, .position = i}))];
    }
    double chi_square = 0.0, pooled_expected = 0.0, pooled_count = 0.0;
    int bins = 0;
    const auto add = [&](double expected, double n) {
        chi_square += (n - expected) * (n - expected) / expected;
        ++bins;
    };
    for (std::size_t i = 0; i < logits.size(); ++i) {
        pooled_expected += draws * std::exp(double{logits[i]}) / total;  // rare tokens share a bin
        pooled_count += count[i];
        if (pooled_expected < 20.0) continue;
        add(pooled_expected, pooled_count);
        pooled_expected = pooled_count = 0.0;
    }
    const double freedom = bins - 1;
    REQUIRE(bins > 100);
    // Wilson-Hilferty: the p = 0.001 quantile.
    CHECK(chi_square < freedom * std::pow(1 - 2 / (9 * freedom) + 3.09 * std::sqrt(2 / (9 * freedom)), 3));
}

TEST_CASE("multinomial: depends on seed, sequence and position, and on nothing else") {
    const std::vector<float> logits(1000, 0.0F);
    const SampleContext base{.seed = 1, .sequence = 2, .position = 3};
    const std::vector<Token> history{1, 2, 3};
    const Token token = draw(logits, base);
    CHECK(draw(logits, base) == token);
    CHECK(draw(logits, {.history = history, .seed = 1, .sequence = 2, .position = 3}) == token);
    CHECK(draw(logits, {.seed = 2, .sequence = 2, .position = 3}) != token);
    CHECK(draw(logits, {.seed = 1, .sequence = 3, .position = 3}) != token);
    CHECK(draw(logits, {.seed = 1, .sequence = 2, .position = 4}) != token);
}

TEST_CASE("multinomial: never draws a masked token") {
    std::vector<float> logits(500, Candidates::masked);
    logits[77] = -3.0F;
    logits[499] = -3.0F;
    bool first = false, second = false;
    for (std::uint32_t i = 0; i < 100; ++i) {
        const Token token = draw(logits, {.position = i});
        CHECK((token == 77 || token == 499));
        first |= token == 77;
        second |= token == 499;
    }
    CHECK(first);
    CHECK(second);
}

TEST_CASE("multinomial: golden tokens, the same on every compiler and instruction set") {
    const std::vector<float> logits = random_logits(0, 5000);
    std::vector<Token> drawn;
    for (std::uint32_t i = 0; i < 8; ++i) drawn.push_back(draw(logits, {.seed = 42, .position = i}));
    CHECK(text(drawn) == "2195 1485 3373 3409 3987 1390 3682 1928");
}
