// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <span>

#include "sluice/contracts/mutants/sampler_mutants.hpp"
#include "sluice/contracts/sampler_laws.hpp"

using namespace sluice;
using namespace sluice::contracts;

namespace {

//! A sampler as a user may write it, from nothing but the slot's promise.
struct PlainArgMax {
    Expected<Token> sample(std::span<float> logits, const SampleContext&) const {
        const auto best = std::max_element(logits.begin(), logits.end());
        if (best == logits.end() || !std::all_of(logits.begin(), logits.end(), [](float x) { return x < INFINITY; }) ||
            *best == -INFINITY) {
            return Status(Errc::numeric, "logits", "have no largest one");
        }
        return static_cast<Token>(best - logits.begin());
    }
};

}  // namespace

TEST_CASE("sampler laws: StandardSampler") { sampler_laws("StandardSampler", make_standard_sampler); }

TEST_CASE("sampler laws: a chain of one's own, and a sampler without any") {
    sampler_slot_laws<PlainArgMax>("PlainArgMax");
    sampler_slot_laws<Chain<TopK, Multinomial>>("Chain<TopK, Multinomial>", [](Case& c, std::size_t) {
        return *Chain<TopK, Multinomial>::make(TopK(c.integer(0, 9)), Multinomial());
    });
}

TEST_CASE("sampler mutants: each is caught by its law") { check_mutants(sampler_mutants()); }
