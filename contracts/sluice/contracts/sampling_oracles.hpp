// SPDX-License-Identifier: Apache-2.0
//! What samplers compute, from the definitions: in double precision, naively, obviously right.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "sluice/contracts/oracles.hpp"
#include "sluice/core/types.hpp"
#include "sluice/sampler/standard.hpp"

namespace sluice::contracts::oracle {

//! The tokens that are not masked (-inf), highest logit first, lowest id first among equals.
inline std::vector<Token> ranking(const Vector& logits) {
    std::vector<Token> ranked;
    for (const std::size_t i : largest(logits, logits.size())) {
        if (logits[i] > -INFINITY) ranked.push_back(static_cast<Token>(i));
    }
    return ranked;
}

//! How often each token occurs among the last `window` ones; among all of them if it is negative.
inline std::map<Token, double> occurrences(std::span<const Token> history, std::int32_t window) {
    std::map<Token, double> counts;
    const std::size_t n = window < 0 ? history.size() : std::min(history.size(), static_cast<std::size_t>(window));
    for (const Token token : history.last(n)) counts[token] += 1.0;
    return counts;
}

//! The logits that the penalties and biases of `params` make of these.
inline Vector penalised(Vector logits, std::span<const Token> history, const SamplingParams& params) {
    for (const auto& [token, count] : occurrences(history, params.repeat_last_n)) {
        double& x = logits.at(static_cast<std::size_t>(token));
        x = x > 0.0 ? x / params.repetition_penalty : x * params.repetition_penalty;
        x -= static_cast<double>(params.presence_penalty) + params.frequency_penalty * count;
    }
    for (const auto& [token, bias] : params.logit_bias) logits.at(static_cast<std::size_t>(token)) += bias;
    return logits;
}

//! e^(x[i] / temperature) / their sum.
inline Vector probabilities(Vector logits, double temperature = 1.0) {
    for (double& x : logits) x /= temperature;
    return softmax(std::move(logits));
}

//! The probabilities with all but the first `kept` of the ranking set to 0, scaled to sum to one.
inline Vector first_of_ranking(const Vector& probabilities, const std::vector<Token>& ranked, std::size_t kept) {
    Vector left(probabilities.size(), 0.0);
    double total = 0.0;
    for (std::size_t i = 0; i < std::min(kept, ranked.size()); ++i) {
        const auto token = static_cast<std::size_t>(ranked[i]);
        total += left[token] = probabilities[token];
    }
    for (double& p : left) p /= total;
    return left;
}

//! How many of the ranking it takes to reach the probability p.
inline std::size_t nucleus(const Vector& probabilities, const std::vector<Token>& ranked, double p) {
    double sum = 0.0;
    std::size_t kept = 0;
    while (kept < ranked.size() && sum < p) sum += probabilities[static_cast<std::size_t>(ranked[kept++])];
    return kept;
}

//! Pearson's statistic of counts against probabilities, and what it stays below but for one time in 10^9.
struct ChiSquare {
    double statistic = 0.0, bound = 0.0;
};

//! Rare outcomes share a bin of at least 25 expected ones, as the bound holds for large bins (Wilson and Hilferty).
inline ChiSquare chi_square(std::span<const std::size_t> counts, const Vector& probabilities) {
    double total = 0.0;
    for (const std::size_t count : counts) total += static_cast<double>(count);
    ChiSquare result;
    double freedom = -1.0, expected = 0.0, counted = 0.0;
    const auto close_bin = [&] {
        result.statistic += (counted - expected) * (counted - expected) / expected;
        freedom += 1.0;
        expected = counted = 0.0;
    };
    for (const std::size_t i : largest(probabilities, probabilities.size())) {
        expected += total * probabilities[i];
        counted += static_cast<double>(counts[i]);
        if (expected >= 25.0) close_bin();
    }
    if (expected >= 1.0) close_bin();
    freedom = std::max(freedom, 1.0);
    constexpr double deviations = 6.0;
    result.bound = freedom * std::pow(1 - 2 / (9 * freedom) + deviations * std::sqrt(2 / (9 * freedom)), 3);
    return result;
}

}  // namespace sluice::contracts::oracle
