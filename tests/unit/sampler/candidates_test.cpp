// SPDX-License-Identifier: Apache-2.0
#include "sluice/sampler/candidates.hpp"

#include <cstddef>
#include <vector>

#include "support.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

Status scan_of(std::vector<float> logits) {
    Candidates candidates;
    SLUICE_TRY(candidates.reset(logits));
    return candidates.scan();
}

}  // namespace

TEST_CASE("candidates: refuses an empty row") {
    const Status status = scan_of({});
    REQUIRE_FALSE(status.ok());
    CHECK(status.code() == Errc::invalid_argument);
    CHECK(status.message() == "logits: a row of 0 logits; give 1 to 8388608");
}

TEST_CASE("candidates: names the first logit that is not a number, wherever it is") {
    for (const std::size_t size : {1U, 15U, 16U, 255U, 256U, 257U, 1000U}) {
        for (const std::size_t at : {std::size_t{0}, size / 2, size - 1}) {
            for (const float bad : {not_a_number, -not_a_number, infinity}) {
                std::vector<float> logits(size, 3.0F);
                logits[at] = bad;
                logits[size - 1] = bad;
                const Status status = scan_of(logits);
                REQUIRE_FALSE(status.ok());
                CHECK(status.code() == Errc::numeric);
                CHECK(status.where() == "logits[" + to_text(at) + "]");
                CHECK(status.what() == (bad > 0 ? "is +inf" : "is NaN"));
            }
        }
    }
}

TEST_CASE("candidates: -inf is legal unless all are") {
    CHECK(scan_of({-infinity, -1.0F, -infinity}).ok());
    const Status status = scan_of(std::vector<float>(300, -infinity));
    REQUIRE_FALSE(status.ok());
    CHECK(status.code() == Errc::numeric);
    CHECK(status.what() == "no token is left to sample: every logit is -inf");
}

TEST_CASE("candidates: best is the first of the ranking, ties to the lowest id") {
    Candidates candidates;
    for (std::uint32_t seed = 0; seed < 400; ++seed) {
        std::vector<float> logits = random_logits(seed, 1 + seed * 3);
        REQUIRE(candidates.reset(logits).ok());
        REQUIRE(candidates.scan().ok());
        CHECK(candidates.best().id == ranking(logits)[0].id);
    }
    std::vector<float> zeros{-1.0F, -0.0F, 0.0F};  // equal numbers, different bits
    REQUIRE(candidates.reset(zeros).ok());
    REQUIRE(candidates.scan().ok());
    CHECK(candidates.best().id == 1);
}

TEST_CASE("candidates: block weights are the bits of the single weight, and exp to 1e-6") {
    std::vector<float> logits = random_logits(1, 700);
    Candidates candidates;
    REQUIRE(candidates.reset(logits).ok());
    candidates.divide_by(0.7F);
    REQUIRE(candidates.scan().ok());
    const float best = candidates.best().logit;
    Candidates::BlockDepths depths;
    Candidates::BlockWeights weights;
    for (std::size_t i = 0; i < 3 * Candidates::block_size; ++i) {
        if (i % Candidates::block_size == 0) {
            candidates.measure(i / Candidates::block_size, depths);
            Candidates::weigh(depths, weights);
        }
        const std::uint64_t weight = weights[i % Candidates::block_size];
        if (i >= logits.size()) {
            CHECK(weight == 0);
            continue;
        }
        CHECK(weight == token_weight(candidates.depth(logits[i])));
        const double exact = std::exp((double{logits[i]} - double{best}) / 0.7F) * 0x1p40;
        CHECK(std::abs(static_cast<double>(weight) - exact) <= 1.0 + 1e-5 * exact);
    }
    CHECK(token_weight(0.0F) == unit_weight);
}

TEST_CASE("candidates: update reaches a token by its id before and after others were dropped") {
    std::vector<float> logits{5.0F, 1.0F, 4.0F, 2.0F};
    Candidates candidates;
    REQUIRE(candidates.reset(logits).ok());
    const auto add_ten = [](float x) { return x + 10.0F; };
    REQUIRE(candidates.update(3, add_ten).ok());
    REQUIRE(candidates.keep_if([](Candidate c) { return c.id != 0; }).ok());
    REQUIRE(candidates.update(2, add_ten).ok());
    REQUIRE(candidates.update(0, add_ten).ok());  // dropped: nothing to change
    REQUIRE(candidates.size() == 3);
    CHECK(candidates[0].logit == 1.0F);
    CHECK(candidates[1].logit == 14.0F);
    CHECK(candidates[2].logit == 12.0F);
    REQUIRE(candidates.scan().ok());
    CHECK(candidates.best().id == 2);
}

TEST_CASE("candidates: update after the temperature sees the divided logit") {
    std::vector<float> logits{4.0F, 8.0F};
    Candidates candidates;
    REQUIRE(candidates.reset(logits).ok());
    candidates.divide_by(2.0F);
    REQUIRE(candidates.update(0, [](float x) { return x + 1.0F; }).ok());
    CHECK(candidates[0].logit == 6.0F);
}

TEST_CASE("candidates: update refuses a token outside the vocabulary") {
    std::vector<float> logits{1.0F, 2.0F};
    Candidates candidates;
    REQUIRE(candidates.reset(logits).ok());
    for (const Token bad : {-1, 2}) {
        const Status status = candidates.update(bad, [](float x) { return x; });
        REQUIRE_FALSE(status.ok());
        CHECK(status.message() == "token " + to_text(bad) + ": is outside the vocabulary of 2; give ids from 0 to 1");
    }
}

TEST_CASE("candidates: a stage that drops everything is an error at the next scan") {
    std::vector<float> logits{1.0F, 2.0F};
    Candidates candidates;
    REQUIRE(candidates.reset(logits).ok());
    REQUIRE(candidates.keep_if([](Candidate) { return false; }).ok());
    CHECK_FALSE(candidates.scan().ok());
}

TEST_CASE("candidates: keep_if drops no NaN or +inf in silence, and leaves all where it finds one") {
    for (const float bad : {not_a_number, infinity}) {
        for (const bool was_scanned : {false, true}) {
            std::vector<float> logits{1.0F, 3.0F, 2.0F};
            Candidates candidates;
            REQUIRE(candidates.reset(logits).ok());
            if (was_scanned) REQUIRE(candidates.scan().ok());
            REQUIRE(candidates.update(1, [bad](float) { return bad; }).ok());
            const Status status = candidates.keep_if([](Candidate c) { return c.logit < 2.5F; });
            REQUIRE_FALSE(status.ok());
            CHECK(status.code() == Errc::numeric);
            CHECK(candidates.size() == 3);
        }
    }
}

TEST_CASE("candidates: a vanishing or huge temperature stays a number") {
    std::vector<float> logits{1.0F, 2.0F, Candidates::masked};
    Candidates candidates;
    for (const float temperature : {1e-45F, 1e-20F, 3e38F}) {
        REQUIRE(candidates.reset(logits).ok());
        candidates.divide_by(temperature);
        REQUIRE(candidates.scan().ok());
        CHECK(token_weight(candidates.depth(2.0F)) == unit_weight);
        CHECK(token_weight(candidates.depth(1.0F)) == (temperature < 1.0F ? 0 : unit_weight));
        CHECK(token_weight(candidates.depth(Candidates::masked)) == 0);
    }
}
