// SPDX-License-Identifier: Apache-2.0
//! What starting costs before the weights: opening and checking a file's header and tensor table, and reading the
//! 151,936 tokens of the real Qwen3 vocabulary.
#include <benchmark/benchmark.h>

#include "sluice/io/gguf.hpp"
#include "sluice/text/bpe_tokenizer.hpp"
#include "sluice/text/vocabulary.hpp"

using namespace sluice;

namespace {

constexpr const char* story = SLUICE_SOURCE_DIR "/samples/models/story-Q4_K_M.gguf";
constexpr const char* vocabulary = SLUICE_SOURCE_DIR "/tests/golden/qwen3-vocab.gguf";

void open(benchmark::State& state, const char* path) {
    for (auto _ : state) {
        const auto file = gguf::File::open(path);
        if (!file.ok()) return state.SkipWithError(file.status().message().c_str());
    }
    state.SetItemsProcessed(state.iterations());
}

void read_vocabulary(benchmark::State& state) {
    const auto file = gguf::File::open(vocabulary);
    if (!file.ok()) return state.SkipWithError(file.status().message().c_str());
    for (auto _ : state) {
        const auto read = sluice::read_vocabulary<BpeTokenizer>(*file);
        if (!read.ok()) return state.SkipWithError(read.status().message().c_str());
    }
}

BENCHMARK_CAPTURE(open, story_model, story)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(open, qwen3_vocabulary, vocabulary)->Unit(benchmark::kMicrosecond);
BENCHMARK(read_vocabulary)->Unit(benchmark::kMillisecond);

}  // namespace
