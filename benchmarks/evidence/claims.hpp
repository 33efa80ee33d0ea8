// SPDX-License-Identifier: Apache-2.0
//! What the evidence programs take for shown: a decision on what each has measured. tests/contracts shows that each can
//! say no.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

namespace sluice::evidence {

//! Of an even number, the middle between the two in the middle.
inline double median(std::vector<double> numbers) {
    std::sort(numbers.begin(), numbers.end());
    const std::size_t size = numbers.size();
    return (numbers[(size - 1) / 2] + numbers[size / 2]) / 2;
}

inline double mean(std::span<const double> numbers) {
    return std::accumulate(numbers.begin(), numbers.end(), 0.0) / static_cast<double>(numbers.size());
}

//! The standard deviation of the mean of such numbers.
inline double standard_error(std::span<const double> numbers) {
    const double center = mean(numbers), count = static_cast<double>(numbers.size());
    double squares = 0.0;
    for (const double x : numbers) squares += (x - center) * (x - center);
    return std::sqrt(squares / (count - 1.0) / count);
}

//! qwen3-moe-kv-cache-v1 V1_004, by the tokens a second of each run.
inline bool decodes_fast_enough(std::span<const double> rates) {
    return *std::min_element(rates.begin(), rates.end()) >= 9.62;
}

//! qwen3-moe-streaming-sse-v1 V1_003, by the milliseconds between tokens.
inline bool tokens_come_apart(const std::vector<double>& gaps) { return median(gaps) < 500.0; }

//! qwen3-moe-repetition-penalty-v1 V1_004, by how far the share of repeated 4-grams falls with each of 50 prompts.
inline bool penalty_tells(std::span<const double> falls) {
    constexpr double student_99 = 2.405;  // of 49 degrees of freedom, one-sided
    return mean(falls) > student_99 * standard_error(falls);
}

//! speculation-lossless-v1 V1_006: the gains of a text that says the same again, of one with another token in 60, and
//! of one that does not repeat itself.
constexpr double same_again = 1.3, edited_copy = 1.1, no_repetition = 0.97;

inline bool speculation_pays(bool same_tokens, const std::vector<double>& gains, double claimed_gain) {
    return same_tokens && median(gains) >= claimed_gain;
}

}  // namespace sluice::evidence
