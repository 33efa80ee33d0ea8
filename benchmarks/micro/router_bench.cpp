// SPDX-License-Identifier: Apache-2.0
//! Time to choose 8 of 128 experts for a row, on one thread: rows a second.
#include <algorithm>
#include <array>
#include <benchmark/benchmark.h>
#include <cstddef>
#include <random>
#include <vector>

#include "sluice/cpu/router.hpp"

using namespace sluice;

namespace {

constexpr std::size_t rows = 256, experts = 128, experts_used = 8;

template <class R>
void route(benchmark::State& state) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    std::vector<float> logits(rows * experts);
    for (float& x : logits) x = normal(random);
    std::array<float, experts> row{};
    std::array<ExpertChoice, experts_used> chosen{};
    const R router;
    std::size_t r = 0;
    for (auto _ : state) {
        std::copy_n(logits.data() + r * experts, experts, row.data());  // the router overwrites it
        router.route(row, chosen);
        benchmark::DoNotOptimize(chosen);
        r = (r + 1) % rows;
    }
    state.SetItemsProcessed(state.iterations());
}

BENCHMARK(route<cpu::SoftmaxTopKRouter<>>);

}  // namespace
