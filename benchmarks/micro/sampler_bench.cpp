// SPDX-License-Identifier: Apache-2.0
//! Time to sample one token, single thread: from the 151,936 logits of Qwen3, of several spreads, and from fewer.
#include <benchmark/benchmark.h>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "sluice/sampler/standard.hpp"

using namespace sluice;

namespace {

constexpr std::int64_t vocab_size = 151936;

//! Gaussian logits: at temperature 1 the nucleus is nearly everything for a spread of 0 (all equal), thousands of
//! tokens for 2, a few for 8.
std::vector<float> gaussian_logits(double spread, std::size_t count) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    std::vector<float> logits(count);
    for (float& x : logits) x = static_cast<float>(spread) * normal(random);
    return logits;
}

//! Arguments: spread, logits.
void sample(benchmark::State& state, const SamplingParams& params) {
    const std::vector<float> logits =
        gaussian_logits(static_cast<double>(state.range(0)), static_cast<std::size_t>(state.range(1)));
    std::vector<float> row(logits.size());
    auto sampler = make_standard_sampler(params);
    SampleContext context;
    for (auto _ : state) {
        row = logits;  // the sampler overwrites it
        ++context.position;
        const auto start = std::chrono::steady_clock::now();
        benchmark::DoNotOptimize(sampler->sample(row, context));
        state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
}

void greedy(benchmark::State& state) { sample(state, {}); }
void top_k_top_p(benchmark::State& state) { sample(state, {.temperature = 0.8F, .top_k = 40, .top_p = 0.95F}); }
void top_p(benchmark::State& state) { sample(state, {.temperature = 1.0F, .top_p = 0.95F}); }
void min_p(benchmark::State& state) { sample(state, {.temperature = 1.0F, .min_p = 0.05F}); }
void draw_from_all(benchmark::State& state) { sample(state, {.temperature = 1.0F}); }
void large_top_k(benchmark::State& state) { sample(state, {.temperature = 1.0F, .top_k = 10000}); }

void shapes(benchmark::internal::Benchmark* b) {
    b->ArgNames({"spread", "vocab"})->UseManualTime()->Unit(benchmark::kMicrosecond);
    for (const std::int64_t spread : {0, 2, 8}) b->Args({spread, vocab_size});
    for (const std::int64_t vocab : {2048, 32000}) b->Args({2, vocab});
}

BENCHMARK(greedy)->Apply(shapes);
BENCHMARK(top_k_top_p)->Apply(shapes);
BENCHMARK(top_p)->Apply(shapes);
BENCHMARK(min_p)->Apply(shapes);
BENCHMARK(draw_from_all)->Apply(shapes);
BENCHMARK(large_top_k)->Apply(shapes);

}  // namespace

BENCHMARK_MAIN();
