// SPDX-License-Identifier: Apache-2.0
//! What follows from the samples that an evidence file keeps: whether its claim holds, and the figures that sum the
//! samples up. A program writes them down, and contracts_check draws them again, so that neither a verdict nor a sum
//! can be changed by hand alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "claims.hpp"

namespace sluice::evidence {

struct Conclusion {
    bool holds = false;
    nlohmann::json figures;
};

namespace detail {

//! The samples called `name`, as many as the claim is of.
template <class T = double>
std::vector<T> samples_of(const nlohmann::json& figures, const char* name, std::size_t count) {
    std::vector<T> samples = figures.at(name).get<std::vector<T>>();
    if (samples.size() == count) return samples;
    throw std::invalid_argument(std::string(name) + " has " + std::to_string(samples.size()) + " samples, not " +
                                std::to_string(count));
}

inline double least(const std::vector<double>& numbers) { return *std::min_element(numbers.begin(), numbers.end()); }
inline double greatest(const std::vector<double>& numbers) { return *std::max_element(numbers.begin(), numbers.end()); }

}  // namespace detail

inline Conclusion conclude_decode_rate(const nlohmann::json& figures) {
    const auto rates = detail::samples_of(figures, "tokens_per_second", 5);
    return {decodes_fast_enough(rates), {{"slowest_tokens_per_second", detail::least(rates)}}};
}

inline Conclusion conclude_token_gaps(const nlohmann::json& figures) {
    const auto gaps = detail::samples_of(figures, "gaps_ms", 32);
    return {tokens_come_apart(gaps), {{"median_ms", median(gaps)}, {"longest_ms", detail::greatest(gaps)}}};
}

//! The shares are those of each prompt, in one order.
inline Conclusion conclude_repetition(const nlohmann::json& figures) {
    const auto greedy = detail::samples_of(figures, "repeated_4grams_greedy", 50),
               penalised = detail::samples_of(figures, "repeated_4grams_penalised", 50);
    std::vector<double> falls;
    for (std::size_t i = 0; i < greedy.size(); ++i) falls.push_back(greedy[i] - penalised[i]);
    return {penalty_tells(falls),
            {{"mean_greedy", mean(greedy)},
             {"mean_penalised", mean(penalised)},
             {"mean_fall", mean(falls)},
             {"standard_error_of_mean_fall", standard_error(falls)}}};
}

//! The texts of evidence_speculation, and the gain that is claimed of each.
inline constexpr std::array<std::pair<const char*, double>, 6> speculation_texts = {{
    {"greedy, falls into a loop", same_again},
    {"a long prompt, said again", same_again},
    {"a long prompt, said again but for a token in 60", edited_copy},
    {"a story, drawn at temperature 0.8", no_repetition},
    {"a story, greedy with repetition penalty 1.2", no_repetition},
    {"noise", no_repetition},
}};

//! The samples are those of each turn.
inline Conclusion conclude_speculation(const nlohmann::json& figures) {
    constexpr std::size_t turns = 15;
    Conclusion conclusion{true, nlohmann::json::object()};
    for (const auto& [text, claimed_gain] : speculation_texts) {
        const nlohmann::json& of_text = figures.at(text);
        const auto without = detail::samples_of(of_text, "ms_without", turns),
                   with = detail::samples_of(of_text, "ms_with", turns);
        const auto same = detail::samples_of<bool>(of_text, "same_tokens", turns);
        const bool all_same = std::find(same.begin(), same.end(), false) == same.end();
        std::vector<double> gains;
        for (std::size_t i = 0; i < turns; ++i) gains.push_back(without[i] / with[i]);
        conclusion.holds = speculation_pays(all_same, gains, claimed_gain) && conclusion.holds;
        conclusion.figures[text] = {{"claimed_gain", claimed_gain},       {"median_ms_without", median(without)},
                                    {"median_ms_with", median(with)},     {"median_gain", median(gains)},
                                    {"least_gain", detail::least(gains)}, {"greatest_gain", detail::greatest(gains)}};
    }
    return conclusion;
}

//! What follows from the samples among the figures of benchmarks/evidence/PROGRAM.cpp, with the figures as they are
//! when they are summed up. Throws a std::exception where they are not this program's samples.
inline Conclusion conclude(const std::string& program, nlohmann::json figures) {
    constexpr std::pair<const char*, Conclusion (*)(const nlohmann::json&)> programs[] = {
        {"decode_rate", conclude_decode_rate},
        {"repetition", conclude_repetition},
        {"speculation", conclude_speculation},
        {"token_gaps", conclude_token_gaps},
    };
    for (const auto& [name, conclude_it] : programs) {
        if (name != program) continue;
        Conclusion conclusion = conclude_it(figures);
        figures.merge_patch(conclusion.figures);
        return {conclusion.holds, std::move(figures)};
    }
    throw std::invalid_argument("no claim is known of the program " + program);
}

}  // namespace sluice::evidence
