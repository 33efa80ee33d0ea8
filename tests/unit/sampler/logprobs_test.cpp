// SPDX-License-Identifier: Apache-2.0
#include "sluice/sampler/logprobs.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <doctest/doctest.h>
#include <limits>
#include <vector>

#include "support/numbers.hpp"

using namespace sluice;

TEST_CASE("logprobs: are the log-softmax, and the best ones in order of rank") {
    for (const std::size_t vocab : {1U, 2U, 300U, 5000U}) {
        std::vector<float> logits = test::random_floats(vocab, static_cast<std::uint32_t>(vocab), 6.0);
        if (vocab > 100) logits[90] = logits[7] = 40;  // a tie at the top
        long double sum = 0;
        for (const float logit : logits) sum += std::exp(static_cast<long double>(logit));
        const auto expected = [&](Token id) {
            return static_cast<double>(logits[static_cast<std::size_t>(id)] - std::log(sum));
        };
        std::vector<Token> ranking(vocab);
        for (std::size_t i = 0; i < vocab; ++i) ranking[i] = static_cast<Token>(i);
        std::stable_sort(ranking.begin(), ranking.end(), [&](Token a, Token b) { return expected(a) > expected(b); });

        std::vector<TokenLogprob> out;
        for (const std::size_t top : {0U, 1U, 5U, 20U}) {
            const auto sampled = static_cast<Token>(vocab / 2);
            compute_logprobs(logits, sampled, top, out);
            REQUIRE(out.size() == 1 + std::min(top, vocab));
            CHECK(out[0].id == sampled);
            for (std::size_t i = 0; i < out.size(); ++i) {
                if (i > 0) CHECK(out[i].id == ranking[i - 1]);
                CHECK(std::abs(static_cast<double>(out[i].logprob) - expected(out[i].id)) <
                      1e-6 * (1 + std::abs(expected(out[i].id))));
            }
        }
    }
}

TEST_CASE("logprobs: what cannot be is as improbable as JSON can say") {
    std::vector<TokenLogprob> out;
    compute_logprobs(std::vector{0.0F, -std::numeric_limits<float>::infinity(), -20000.0F}, 1, 3, out);
    REQUIRE(out.size() == 4);
    CHECK(out[0].logprob == -9999.0F);
    CHECK(std::abs(out[1].logprob) < 1e-12F);
    CHECK(out[2].id == 2);
    CHECK(out[2].logprob == -9999.0F);
    CHECK(out[3].id == 1);
}
