// SPDX-License-Identifier: Apache-2.0
//! The story model against float64 logits, with the errors that llama.cpp makes on the same files beside ours.
//!
//! The goldens come from an independent float64 implementation and hold five positions of each prompt. Ours is checked
//! against them to the last float bit, and then stands for the truth at all positions, as llama.cpp was measured.
//!
//! Where two experts are almost equally probable, any rounding may choose the other one: that costs the position, and
//! weakly those behind it, orders of magnitude more than the rounding itself. Hence the judgement of single prompts is
//! on the median position.
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <functional>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "skip.hpp"
#include "sluice/contracts/reference_forward.hpp"
#include "sluice/text/vocabulary.hpp"
#include "support/goldens.hpp"
#include "support/numbers.hpp"
#include "support/runner.hpp"

using namespace sluice;
using namespace sluice::test;
using contracts::ReferenceForward;
using nlohmann::json;

namespace {

struct Goldens {
    std::string format;  //!< as the manifest calls it
    std::filesystem::path models, logits;

    gguf::File open() const { return open_model(models / ("story-" + format + ".gguf")); }
    const json& of(const json& prompt) const { return prompt.at("formats").at(format); }
};

//! The file and the goldens that the project keeps.
Goldens kept() { return {"Q4_K_M", source_path("samples/models"), source_path("tests/golden")}; }

//! Those of the larger files, where the environment says they are; else the test is skipped.
std::optional<Goldens> elsewhere(const std::string& format) {
    const char* folder = std::getenv("SLUICE_GOLDENS");
    if (folder == nullptr || *folder == '\0') {
        skip("SLUICE_GOLDENS names no folder with models/story-" + format + ".gguf and goldens/");
        return std::nullopt;
    }
    return Goldens{format, std::filesystem::path(folder) / "models", std::filesystem::path(folder) / "goldens"};
}

template <class Number>
std::size_t best_of(std::span<const Number> logits) {
    return static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

//! How far the best logit is above the second.
double lead_of(std::span<const double> logits) {
    std::vector<double> sorted(logits.begin(), logits.end());
    std::partial_sort(sorted.begin(), sorted.begin() + 2, sorted.end(), std::greater<>());
    return sorted[0] - sorted[1];
}

//! NMSE against the reference: over all positions, and at single ones.
struct Errors {
    double all = 0.0, median = 0.0, worst = 0.0;
    std::size_t top1 = 0;  //!< positions with the reference's best token
};

Errors errors_of(std::span<const float> got, std::span<const double> wanted, std::size_t vocab) {
    Errors errors{.all = nmse(got, wanted)};
    std::vector<double> each;
    for (std::size_t at = 0; at < wanted.size(); at += vocab) {
        const auto mine = got.subspan(at, vocab);
        const auto truth = wanted.subspan(at, vocab);
        each.push_back(nmse(mine, truth));
        const bool same_best = best_of(mine) == best_of(truth);
        errors.top1 += same_best ? 1 : 0;
        constexpr double router_flip = 5e-3, narrow_lead = 0.1;
        CAPTURE(at / vocab);
        CHECK((same_best || lead_of(truth) < narrow_lead || each.back() > router_flip));
    }
    std::sort(each.begin(), each.end());
    errors.median = each[each.size() / 2];
    errors.worst = each.back();
    return errors;
}

//! Our errors on each prompt, printed; f(prompt, errors) judges them.
template <class Cache>
void for_each_prompt(const Goldens& goldens, const char* cache, const std::function<void(const json&, Errors)>& f) {
    const gguf::File file = goldens.open();
    ReferenceForward reference(file);
    for (const json& prompt : story_prompts()) {
        const std::string name = prompt.at("name");
        CAPTURE(name);
        const std::vector<Token> tokens = tokens_of(prompt);
        Runner<CoreOf<quant::Any, Cache>> runner(file, {.threads = 2, .max_rows = 128, .capacity = 512});
        const Errors e = errors_of(runner.feed(tokens, 128), reference(tokens), runner.vocab());
        const json& theirs = goldens.of(prompt).at("llama_cpp_f16");
        std::cout << goldens.format << ", " << cache << " cache, " << name << ": NMSE " << e.all << ", median position "
                  << e.median << ", worst " << e.worst << ", best token right at " << e.top1 << " of " << tokens.size()
                  << "; llama.cpp: NMSE " << theirs.at("nmse") << ", worst " << theirs.at("worst_position_nmse")
                  << std::endl;
        f(prompt, e);
    }
}

//! No worse than llama.cpp by more than a tenth: the median position of each prompt, and the mean over all positions of
//! all prompts, in which single flips weigh little.
void check_quantized(const Goldens& goldens) {
    double ours = 0.0, theirs = 0.0;
    for_each_prompt<cpu::KvCacheF16>(goldens, "f16", [&](const json& prompt, const Errors& errors) {
        const double nmse = goldens.of(prompt).at("llama_cpp_f16").at("nmse");
        const auto positions = static_cast<double>(prompt.at("tokens").size());
        ours += positions * errors.all;
        theirs += positions * nmse;
        CHECK(errors.median <= 1.1 * nmse);
    });
    CHECK(ours <= 1.1 * theirs);
}

void check_reference(const Goldens& goldens) {
    const gguf::File file = goldens.open();
    ReferenceForward reference(file);
    for (const json& prompt : story_prompts()) {
        const std::vector<double> all = reference(tokens_of(prompt));
        const std::size_t vocab = all.size() / prompt.at("tokens").size();
        std::vector<double> kept;
        for (const std::size_t position : prompt.at("positions").get<std::vector<std::size_t>>()) {
            const auto row = std::span(all).subspan(position * vocab, vocab);
            kept.insert(kept.end(), row.begin(), row.end());
        }
        CHECK(nmse(kept, read_logits(goldens.logits / goldens.of(prompt).at("logits"))) < 1e-14);
    }
}

}  // namespace

TEST_CASE("golden: the prompts' tokens") {
    const gguf::File file = kept().open();
    const auto text = read_vocabulary<BpeTokenizer>(file);
    REQUIRE_MESSAGE(text.ok(), text.status().message());
    for (const json& prompt : story_prompts()) {
        const auto tokens = text->tokenizer.encode(prompt.at("text").get<std::string>(), SpecialTokens::parse);
        REQUIRE_MESSAGE(tokens.ok(), tokens.status().message());
        CHECK(*tokens == tokens_of(prompt));
    }
}

TEST_CASE("golden: Q4_K_M, our float64 reference gives the golden logits") { check_reference(kept()); }

TEST_CASE("golden: Q4_K_M logits are as near to the truth as llama.cpp's") { check_quantized(kept()); }

TEST_CASE("golden: Q8_0 logits are as near to the truth as llama.cpp's") {
    const auto goldens = elsewhere("Q8_0");
    if (!goldens) return;
    check_reference(*goldens);
    check_quantized(*goldens);
}

TEST_CASE("golden: BF16 logits are as near to the truth as llama.cpp's, and exact but for floats with a float cache") {
    const auto goldens = elsewhere("BF16");
    if (!goldens) return;
    check_reference(*goldens);
    for_each_prompt<cpu::KvCacheF16>(*goldens, "f16", [&](const json& prompt, const Errors& errors) {
        CHECK(errors.median <= 1.1 * goldens->of(prompt).at("llama_cpp_f16").at("nmse").get<double>());
    });
    for_each_prompt<cpu::KvCacheF32>(*goldens, "f32",
                                     [](const json&, const Errors& errors) { CHECK(errors.worst < 1e-11); });
}

TEST_CASE("golden: BF16 greedy continuations are the truth's up to the first narrow choice") {
    const auto goldens = elsewhere("BF16");
    if (!goldens) return;
    const gguf::File file = goldens->open();
    for (const json& prompt : story_prompts()) {
        const std::string name = prompt.at("name");
        CAPTURE(name);
        const json& facts = goldens->of(prompt);
        const auto wanted = facts.at("greedy").get<std::vector<Token>>();
        Runner<CoreOf<quant::Any, cpu::KvCacheF16>> runner(file, {.threads = 2, .max_rows = 128, .capacity = 512});
        std::vector<float> logits = runner.feed(tokens_of(prompt), 128);
        std::size_t agreed = 0;
        for (; agreed < wanted.size(); ++agreed) {
            const auto next = static_cast<Token>(best_of(std::span<const float>(logits).last(runner.vocab())));
            if (next != wanted[agreed]) break;
            logits = runner.feed(std::span(&next, 1));
        }
        const json& narrow = facts.at("greedy_first_gap_below_0.05");
        std::cout << name << ": " << agreed << " of " << wanted.size() << " tokens agree; the first narrow choice is "
                  << narrow << std::endl;
        CHECK(agreed >= (narrow.is_null() ? wanted.size() : narrow.get<std::size_t>()));
    }
}
