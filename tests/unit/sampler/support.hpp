// SPDX-License-Identifier: Apache-2.0
//! Shared by the sampler tests: random rows of logits, and what a stage makes of a row.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <random>
#include <string>
#include <vector>

#include "sluice/concepts/sampler.hpp"
#include "sluice/sampler/candidates.hpp"

namespace sluice::test {

//! A row of logits, of the kind that `seed` selects: smooth, steep, full of ties, or partly masked.
inline std::vector<float> random_logits(std::uint32_t seed, std::size_t size) {
    std::mt19937 random(seed);
    const auto uniform = [&] { return static_cast<float>(random()) * 0x1p-32F; };
    const std::uint32_t kind = seed % 4;
    std::vector<float> logits(size);
    for (float& x : logits) {
        x = (uniform() + uniform() + uniform() - 1.5F) * (kind == 1 ? 40.0F : 6.0F);
        if (kind == 2) x = std::round(x);
        if (kind == 3 && random() % 3 == 0) x = Candidates::masked;
    }
    logits[random() % size] = 1.0F;  // at least one is not masked
    return logits;
}

//! The candidates that `stages` leave of a row.
template <class... Stages>
Expected<std::vector<Candidate>> narrow(std::vector<float> logits, const SampleContext& context, Stages... stages) {
    Candidates candidates;
    SLUICE_TRY(candidates.reset(logits));
    Status status;
    static_cast<void>(((status = stages.apply(candidates, context)).ok() && ...));
    if (!status.ok()) return status;
    std::vector<Candidate> left;
    for (std::size_t i = 0; i < candidates.size(); ++i) left.push_back(candidates[i]);
    return left;
}

inline std::vector<Token> ids(const std::vector<Candidate>& candidates) {
    std::vector<Token> result;
    for (const Candidate& c : candidates) result.push_back(c.id);
    return result;
}

//! "1 2 3": tokens in a form that a failed check can print.
inline std::string text(const std::vector<Token>& tokens) {
    std::string result;
    for (const Token token : tokens) {
        if (!result.empty()) result += ' ';
        result += to_text(token);
    }
    return result;
}

//! The tokens that are not masked, by a full sort: highest logit first, then lowest id.
inline std::vector<Candidate> ranking(const std::vector<float>& logits) {
    std::vector<Candidate> ranked;
    for (std::size_t i = 0; i < logits.size(); ++i) {
        if (std::isfinite(logits[i])) ranked.push_back({logits[i], static_cast<Token>(i)});
    }
    std::stable_sort(ranked.begin(), ranked.end(),
                     [](const Candidate& a, const Candidate& b) { return a.logit > b.logit; });
    return ranked;
}

//! The first `count` tokens of a ranking, in ascending order.
inline std::vector<Token> first_ids(const std::vector<Candidate>& ranked, std::size_t count) {
    std::vector<Token> result = ids({ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(count)});
    std::sort(result.begin(), result.end());
    return result;
}

}  // namespace sluice::test
