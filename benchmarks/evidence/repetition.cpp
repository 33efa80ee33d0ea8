// SPDX-License-Identifier: Apache-2.0
//! Evidence for qwen3-moe-repetition-penalty-v1 V1_004: over 50 prompts, the penalty makes repeated 4-grams rarer.
#include <array>
#include <cstddef>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "conclusions.hpp"
#include "sluice/sluice.hpp"
#include "write_evidence.hpp"

namespace {

using namespace sluice;

constexpr std::size_t story_tokens = 200;

//! Ten openings with five names.
std::vector<std::string> prompts() {
    std::vector<std::string> all;
    for (const std::string name : {"Lily", "Tom", "Mia", "Ben", "Anna"}) {
        for (const std::string opening :
             {"Once upon a time, there was a child named ", "One day, a small dog met ", "In the garden sat ",
              "It was a sunny day for ", "A little bird sang to ", "At the big old tree stood ",
              "Mom gave a red ball to ", "The rain did not stop for ", "In the morning the cat woke ",
              "There was a box with a gift for "}) {
            all.push_back(opening + name + ".");
        }
    }
    return all;
}

//! The share of a text's 4-grams that came in it before.
double repeated_share(std::span<const Token> tokens) {
    std::set<std::array<Token, 4>> seen;
    std::size_t repeated = 0;
    for (std::size_t i = 3; i < tokens.size(); ++i) {
        repeated += seen.insert({tokens[i - 3], tokens[i - 2], tokens[i - 1], tokens[i]}).second ? 0 : 1;
    }
    return static_cast<double>(repeated) / static_cast<double>(tokens.size() - 3);
}

//! The share in each story.
Expected<std::vector<double>> shares(Pipeline<Qwen3MoeCpu<>>& pipeline, const SamplingParams& params) {
    SLUICE_ASSIGN(auto sampler, make_standard_sampler(params));
    std::vector<double> all;
    for (const std::string& prompt : prompts()) {
        std::vector<Token> story;
        CallbackSink sink([&](const TokenEvent& event) { story.push_back(event.id); });
        const GenerateOptions options{.max_tokens = story_tokens, .ignore_stop_tokens = true};
        SLUICE_TRY(pipeline.generate(prompt, options, sampler, sink));
        all.push_back(repeated_share(story));
    }
    return all;
}

Status measure(const std::filesystem::path& model, std::size_t threads) {
    SLUICE_ASSIGN(auto pipeline, Pipeline<Qwen3MoeCpu<>>::load(model, {.threads = threads}));
    SLUICE_ASSIGN(const std::vector<double> greedy, shares(pipeline, {}));
    SLUICE_ASSIGN(const std::vector<double> penalised,
                  shares(pipeline, {.repetition_penalty = 1.2F, .repeat_last_n = 64}));
    const auto [holds, figures] = evidence::conclude("repetition", {{"tokens_per_prompt", story_tokens},
                                                                    {"repeated_4grams_greedy", greedy},
                                                                    {"repeated_4grams_penalised", penalised}});
    return evidence::write({.contract = "qwen3-moe-repetition-penalty-v1",
                            .version = 1,
                            .falsifier = "V1_004",
                            .text = "Over 50 prompts the share of repeated 4-grams falls with penalty 1.2 and window "
                                    "64, against greedy sampling, by more than chance explains at 99 % confidence.",
                            .holds = holds,
                            .figures = figures},
                           {.program = "evidence_repetition", .model = model, .threads = threads});
}

}  // namespace

int main(int argc, char** argv) {
    return evidence::run_program("evidence_repetition", measure, argc, argv,
                                 SLUICE_SOURCE_DIR "/samples/models/story-Q4_K_M.gguf");
}
