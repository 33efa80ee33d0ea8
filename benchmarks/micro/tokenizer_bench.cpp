// SPDX-License-Identifier: Apache-2.0
//! How fast text becomes tokens of the real Qwen3 vocabulary, in bytes a second.
#include <algorithm>
#include <benchmark/benchmark.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "sluice/io/gguf.hpp"
#include "sluice/text/bpe_tokenizer.hpp"

namespace {

using namespace sluice;

constexpr const char* vocabulary = SLUICE_SOURCE_DIR "/tests/golden/qwen3-vocab.gguf";

std::string contents(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

//! This project's own pages, as prose.
std::string english() {
    std::string text;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(SLUICE_SOURCE_DIR "/docs")) {
        if (entry.path().extension() == ".md") text += contents(entry.path());
    }
    return text + contents(SLUICE_SOURCE_DIR "/README.md");
}

//! This project's own headers, the tables of numbers aside.
std::string code() {
    std::string text;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(SLUICE_SOURCE_DIR "/include")) {
        const auto& path = entry.path();
        if (path.extension() == ".hpp" && path.stem() != "unicode_tables") text += contents(path);
    }
    return text;
}

//! Chinese characters in sentences: long words that are never single tokens.
std::string chinese() {
    std::mt19937 random(1);
    std::string text;
    for (int sentence = 0; sentence < 4000; ++sentence) {
        for (auto length = 5 + random() % 20; length > 0; --length) {
            utf8::append(text, 0x4E00 + static_cast<char32_t>(random() % 0x1000));
        }
        utf8::append(text, 0x3002);
    }
    return text;
}

std::string one_letter() { return std::string(1U << 20U, 'a'); }

void encode(benchmark::State& state, const std::string& text, Normalization normalization) {
    const auto file = gguf::File::open(vocabulary);
    if (!file.ok()) return state.SkipWithError(file.status().message().c_str());
    const auto tokenizer = BpeTokenizer::from_gguf(*file, normalization);
    if (!tokenizer.ok()) return state.SkipWithError(tokenizer.status().message().c_str());
    std::size_t tokens = 0;
    for (auto _ : state) {
        const auto encoded = tokenizer->encode(text, SpecialTokens::parse);
        tokens = encoded->size();
        benchmark::DoNotOptimize(tokens);
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
    state.counters["bytes/token"] = static_cast<double>(text.size()) / static_cast<double>(tokens);
}

void load(benchmark::State& state) {
    const auto file = gguf::File::open(vocabulary);
    if (!file.ok()) return state.SkipWithError(file.status().message().c_str());
    for (auto _ : state) benchmark::DoNotOptimize(BpeTokenizer::from_gguf(*file).ok());
}

BENCHMARK_CAPTURE(encode, english, english(), Normalization::none)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode, english_nfc, english(), Normalization::nfc)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode, code, code(), Normalization::none)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode, chinese, chinese(), Normalization::none)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode, one_letter, one_letter(), Normalization::none)->Unit(benchmark::kMillisecond);
BENCHMARK(load)->Unit(benchmark::kMillisecond);

}  // namespace
