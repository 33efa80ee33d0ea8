// SPDX-License-Identifier: Apache-2.0
//! The same logits, to the bit, from every compiler and instruction set. A change of these hashes is a change of the
//! numbers that users get: it needs a reason and a line in the change log.
#include <cstdint>
#include <doctest/doctest.h>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/core/hash.hpp"
#include "sluice/cpu/simd.hpp"
#include "support/goldens.hpp"
#include "support/runner.hpp"
#include "support/tiny_model.hpp"

using namespace sluice;
using namespace sluice::test;
using quant::Format;

namespace {

std::string hash_of_logits(const std::vector<float>& logits) { return to_hex(hash_of(std::span(logits))); }

//! One pipeline for all: compiling it, six times over, is what this test costs.
using Core = CoreOf<quant::Any, cpu::KvCacheF16>;

std::string hash_of_prompts(const gguf::File& file) {
    std::vector<float> all;
    for (const nlohmann::json& prompt : story_prompts()) {
        Runner<Core> runner(file, {.threads = 2, .max_rows = 128, .capacity = 512});
        const std::vector<float> logits = runner.feed(tokens_of(prompt), 128);
        all.insert(all.end(), logits.begin(), logits.end());
    }
    return hash_of_logits(all);
}

std::string hash_of_tiny(const TinyModel& model) {
    const MemoryFile file(model.draft());
    Runner<Core> runner(*file);
    return hash_of_logits(runner.feed(random_tokens(9, 1, runner.vocab())));
}

//! The first tokens that a seed gives after the first prompt, each with a space behind it.
std::string seeded_tokens(std::uint64_t seed) {
    const gguf::File file = open_story_model();
    Runner<Core> runner(file, {.threads = 2, .max_rows = 128, .capacity = 512});
    SamplingParams params;
    params.temperature = 0.8F;
    params.top_k = 40;
    params.top_p = 0.95F;
    params.repetition_penalty = 1.1F;
    auto sampler = make_standard_sampler(params);
    REQUIRE(sampler.ok());
    std::vector<Token> history = tokens_of(story_prompts().front());
    std::string text;
    std::vector<float> logits = runner.feed(history, 128);
    for (int i = 0; i < 32; ++i) {
        const std::span<float> last = std::span(logits).last(runner.vocab());
        const auto token = sampler->sample(
            last, {.history = history, .seed = seed, .position = static_cast<std::uint32_t>(history.size())});
        REQUIRE(token.ok());
        text += std::to_string(*token) + " ";
        history.push_back(*token);
        logits = runner.feed(std::span(history).last(1));
    }
    return text;
}

}  // namespace

TEST_CASE("isa: a seed gives the story model's golden tokens") {
    CHECK(seeded_tokens(42) ==
          "306 258 700 770 464 471 260 1167 46 522 258 1112 393 44 813 1527 324 300 289 800 526 1367 46 800 289 258 "
          "1343 275 468 619 436 46 ");
}

TEST_CASE("isa: the native back end is the one that the build names") {
    CHECK(std::string_view(simd::Native::name) == SLUICE_ISA);
}

TEST_CASE("logits hash: all positions of the story model's four prompts") {
    const gguf::File file = open_story_model();
    CHECK(hash_of_prompts(file) == "0c04c5be0a500993");
}

TEST_CASE("logits hash: random models in every format") {
    CHECK(hash_of_tiny(TinyModel{}.in(Format::F32)) == "c599eb8d112dff51");
    CHECK(hash_of_tiny(TinyModel{}.in(Format::F16)) == "d9bf5e0055c15ad9");
    CHECK(hash_of_tiny(TinyModel{}.in(Format::BF16)) == "f5e675a3e1b63e85");
    CHECK(hash_of_tiny(odd_model.in(Format::F32, Format::BF16)) == "4bceff6715fac8cd");
    CHECK(hash_of_tiny(TinyModel{}.in(Format::Q8_0)) == "3a4b7cff6df1feb6");
    CHECK(hash_of_tiny(TinyModel{}.in(Format::Q4_0, Format::Q5_0)) == "d06ec58a6a559886");
    CHECK(hash_of_tiny(TinyModel{}.in(Format::Q4_K, Format::Q6_K)) == "a2a1efc39ea93670");
    CHECK(hash_of_tiny(TinyModel{}.in(Format::Q5_K, Format::Q8_0)) == "3d8776cebfdfa80d");
}
