// SPDX-License-Identifier: Apache-2.0
//! A router of one's own: the best expert of each of k groups, as where each group has a machine to itself and all are
//! to be equally busy.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "sluice/concepts/executor.hpp"
#include "sluice/core/math.hpp"
#include "sluice/core/types.hpp"

struct BestOfEachGroup {
    void route(std::span<float> logits, std::span<sluice::ExpertChoice> chosen) const {
        for (std::size_t i = 0; i < chosen.size(); ++i) {
            const sluice::Range group = sluice::share(logits.size(), 1, i, chosen.size());
            const auto best = std::max_element(&logits[group.first], logits.data() + group.last);
            chosen[i] = {static_cast<std::int32_t>(best - logits.data()), *best};
        }
        const auto by_weight = [](const auto& a, const auto& b) { return a.weight < b.weight; };
        const float highest = std::max_element(chosen.begin(), chosen.end(), by_weight)->weight;
        float sum = 0.0F;
        for (sluice::ExpertChoice& choice : chosen) {
            choice.weight = sluice::math::exp(choice.weight - highest);
            sum += choice.weight;
        }
        for (sluice::ExpertChoice& choice : chosen) choice.weight /= sum;
    }
};
