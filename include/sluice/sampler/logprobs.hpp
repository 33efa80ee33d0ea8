// SPDX-License-Identifier: Apache-2.0
//! The model's own probabilities of a sampled token and of the likeliest ones.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "sluice/core/generation.hpp"
#include "sluice/core/math.hpp"
#include "sluice/core/types.hpp"
#include "sluice/sampler/candidates.hpp"

namespace sluice {

inline constexpr float lowest_logprob = -9999.0F;  //!< stands for everything below it, as in OpenAI's API

//! The natural logarithm of the softmax of `logits` [vocab], none of them NaN or +inf and not all -inf: before
//! penalties, biases and the temperature. Overwrites `out`: first the sampled token, then the `top` most likely ones in
//! the order of their rank, the sampled one among them where it belongs. `bytes` stay empty.
inline void compute_logprobs(std::span<const float> logits, Token sampled, std::size_t top,
                             std::vector<TokenLogprob>& out) {
    const float highest = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const float logit : logits) sum += static_cast<double>(math::exp(logit - highest));
    const double log_sum = math::log(sum);

    std::vector<Candidate> best;  // by rank
    best.reserve(top + 1);
    for (std::size_t i = 0; i < logits.size(); ++i) {
        const Candidate candidate{logits[i], static_cast<Token>(i)};
        if (best.size() == top && (top == 0 || !ranks_before(candidate, best.back()))) continue;
        best.insert(std::upper_bound(best.begin(), best.end(), candidate, ranks_before), candidate);
        if (best.size() > top) best.pop_back();
    }

    out.clear();
    const auto add = [&](const Candidate& candidate) {
        const auto logprob = static_cast<float>(static_cast<double>(candidate.logit - highest) - log_sum);
        out.push_back({candidate.id, std::max(logprob, lowest_logprob)});
    };
    add({logits[static_cast<std::size_t>(sampled)], sampled});
    for (const Candidate& candidate : best) add(candidate);
}

}  // namespace sluice
