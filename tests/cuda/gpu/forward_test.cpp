// SPDX-License-Identifier: Apache-2.0
//! The emulated tests' comparison with the CPU, on a GPU, and what takes too long to emulate.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <span>
#include <string>
#include <vector>

#include "cuda/gpu/kernels.hpp"
#include "cuda/gpu/on_gpu.hpp"
#include "cuda/same_bits.hpp"
#include "support/goldens.hpp"
#include "support/tiny_model.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Gpu;
using quant::Format;

TEST_CASE("gpu forward: the CPU's logits to the bit, in every format") {
    on_gpu([](Gpu& gpu) {
        for (const Format format : {Format::Q4_K, Format::Q5_K, Format::Q6_K, Format::Q8_0, Format::Q4_0, Format::Q5_0,
                                    Format::F32, Format::F16, Format::BF16}) {
            CAPTURE(quant::format_name(format));
            check_same_bits<quant::Any>(*MemoryFile(TinyModel{}.in(format).draft()), gpu);
        }
        check_same_bits<quant::Any>(*MemoryFile(odd_model.in(Format::F32, Format::BF16).draft()), gpu);
    });
}

TEST_CASE("gpu forward: the CPU's logits to the bit with a cache of Q8_0, and with experts on the CPU") {
    on_gpu([](Gpu& gpu) {
        const MemoryFile file(TinyModel{.layers = 3}.in(Format::Q4_K, Format::Q6_K).draft());
        check_same_bits<quant::Any, quant::Q8_0::Block>(*file, gpu);
        for (const std::size_t cpu_moe : {1UL, 3UL}) check_same_bits<quant::Any>(*file, gpu, cpu_moe);
    });
}

TEST_CASE("gpu forward: the CPU's logits with YaRN, and of a tied output") {
    on_gpu([](Gpu& gpu) {
        Draft draft = odd_model.in(Format::F32, Format::BF16).draft();
        draft.set("qwen3moe.rope.scaling.type", std::string("yarn"))
            .set("qwen3moe.rope.scaling.factor", 4.0F)
            .set("qwen3moe.rope.scaling.original_context_length", std::uint32_t{512});
        check_same_bits<quant::Any>(*MemoryFile(draft), gpu);
        TinyModel tied = TinyModel{}.in(Format::Q4_K);
        tied.tied = true;
        check_same_bits<quant::Any>(*MemoryFile(tied.draft()), gpu);
    });
}

TEST_CASE("gpu forward: the CPU's logits behind two thousand positions, whose attention is of several spans") {
    on_gpu([](Gpu& gpu) {
        const MemoryFile file(TinyModel{}.in(Format::Q4_K, Format::Q6_K).draft());
        check_long_context<quant::Any>(*file, gpu);
        check_long_context<quant::Any, quant::Q8_0::Block>(*file, gpu);
    });
}

// Experts with many tiles of rows, tiles of attention over three spans; then one row at a time behind them.
TEST_CASE("gpu forward: the CPU's logits of a long prompt, in batches of five hundred rows") {
    on_gpu([](Gpu& gpu) {
        for (const Format format : {Format::Q4_K, Format::F16}) {
            CAPTURE(quant::format_name(format));
            const MemoryFile file(TinyModel{}.in(format, format).draft());
            OnBoth<Gpu, quant::Any> both(*file, gpu, {.capacity = 2200, .max_rows = 512});
            const std::vector<Token> tokens = random_tokens(2100, 4, 200);
            for (std::size_t at = 0; at < tokens.size(); at += 512) {
                both.feed(std::span(tokens).subspan(at, std::min<std::size_t>(512, tokens.size() - at)));
            }
            for (std::uint32_t i = 0; i < 8; ++i) both.feed(random_tokens(1, i, 200));
        }
    });
}

// The CPU's logits are judged by the goldens in tests/golden; these are the same.
TEST_CASE("gpu forward: the golden prompts' logits are the CPU's to the bit") {
    on_gpu([](Gpu& gpu) {
        const gguf::File file = open_story_model();
        for (const auto& prompt : story_prompts()) {
            OnBoth<Gpu, quant::Any> both(file, gpu, {.capacity = 512});
            const std::vector<Token> tokens = tokens_of(prompt);
            for (std::size_t at = 0; at < tokens.size(); at += 16) {
                both.feed(std::span(tokens).subspan(at, std::min<std::size_t>(16, tokens.size() - at)));
            }
        }
    });
}

TEST_CASE("gpu forward: a thousand greedy tokens without drift") {
    on_gpu([](Gpu& gpu) {
        OnBoth<Gpu, quant::Any> both(open_story_model(), gpu, {.capacity = 1024});
        Token token = 1;
        for (int i = 0; i < 1000; ++i) {
            const std::vector<float> logits = both.feed(std::span(&token, 1));
            token = static_cast<Token>(std::max_element(logits.begin(), logits.end()) - logits.begin());
        }
    });
}
