// SPDX-License-Identifier: Apache-2.0
#include "sluice/cpu/router.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <numeric>
#include <set>
#include <vector>

#include "support/numbers.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

template <class R = cpu::SoftmaxTopKRouter<>>
std::vector<ExpertChoice> route(std::vector<float> logits, std::size_t k) {
    std::vector<ExpertChoice> chosen(k, {-1, -1.0F});
    R().route(logits, chosen);
    return chosen;
}

std::vector<std::int32_t> experts_of(const std::vector<ExpertChoice>& choices) {
    std::vector<std::int32_t> experts;
    for (const ExpertChoice& choice : choices) experts.push_back(choice.expert);
    return experts;
}

}  // namespace

TEST_CASE("router: softmax over all, the k best, renormalised, against double precision") {
    for (const std::size_t experts : {1U, 5U, 16U, 60U, 128U}) {
        for (const std::size_t k : {std::size_t{1}, std::min<std::size_t>(experts, 8), experts}) {
            CAPTURE(experts);
            CAPTURE(k);
            const std::vector<float> logits = random_floats(experts, static_cast<std::uint32_t>(experts + k), 3.0);
            std::vector<std::int32_t> order(experts);
            std::iota(order.begin(), order.end(), 0);
            std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
                return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)];
            });
            order.resize(k);
            double all = 0.0, best = 0.0;
            for (const float x : logits) all += std::exp(static_cast<double>(x));
            for (const std::int32_t e : order)
                best += std::exp(static_cast<double>(logits[static_cast<std::size_t>(e)]));

            const auto renormalised = route(logits, k);
            const auto plain = route<cpu::SoftmaxTopKRouter<false>>(logits, k);
            CHECK(experts_of(renormalised) == order);
            CHECK(experts_of(plain) == order);
            for (std::size_t i = 0; i < k; ++i) {
                const double e = std::exp(static_cast<double>(logits[static_cast<std::size_t>(order[i])]));
                CHECK(renormalised[i].weight == doctest::Approx(e / best).epsilon(1e-6));
                CHECK(plain[i].weight == doctest::Approx(e / all).epsilon(1e-6));
            }
        }
    }
}

TEST_CASE("router: of equal experts the lower id is chosen, and comes first") {
    CHECK(experts_of(route({1, 3, 3, 0, 3, 1}, 2)) == std::vector<std::int32_t>{1, 2});
    CHECK(experts_of(route({1, 3, 3, 0, 3, 1}, 5)) == std::vector<std::int32_t>{1, 2, 4, 0, 5});
    CHECK(experts_of(route(std::vector<float>(40, 0.5F), 3)) == std::vector<std::int32_t>{0, 1, 2});
    // Equal only after the softmax has become 0: still the lower id.
    CHECK(experts_of(route({0, -200, -150, -300}, 3)) == std::vector<std::int32_t>{0, 1, 2});
}

TEST_CASE("router: all experts chosen carry the whole weight") {
    const auto choices = route(random_floats(24, 3), 24);
    float sum = 0.0F;
    for (const ExpertChoice& choice : choices) sum += choice.weight;
    CHECK(sum == doctest::Approx(1.0).epsilon(1e-6));
}

TEST_CASE("router: NaN or infinite logits still give distinct experts of the layer, with NaN to be noticed") {
    for (const float bad : {not_a_number, infinity}) {
        for (const std::size_t at : {0U, 7U, 19U}) {
            std::vector<float> logits = random_floats(20, 4);
            logits[at] = bad;
            const auto choices = route(logits, 6);
            std::set<std::int32_t> distinct;
            for (const ExpertChoice& choice : choices) {
                CHECK(choice.expert >= 0);
                CHECK(choice.expert < 20);
                distinct.insert(choice.expert);
            }
            CHECK(distinct.size() == 6);
            CHECK(std::ranges::any_of(choices, [](const ExpertChoice& c) { return std::isnan(c.weight); }));
        }
    }
    const auto choices = route({-infinity, 1, -infinity, 2}, 3);
    CHECK(experts_of(choices) == std::vector<std::int32_t>{3, 1, 0});
    CHECK(choices[2].weight == 0.0F);
}

TEST_CASE("router: the native back end gives the scalar one's bits") {
    for (std::uint32_t seed = 0; seed < 200; ++seed) {
        std::vector<float> native = random_floats(1 + seed % 70, seed, 10.0), scalar = native;
        cpu::softmax<simd::Native>(native);
        cpu::softmax<simd::Scalar>(scalar);
        CHECK(same_bits(native, scalar));
    }
}
