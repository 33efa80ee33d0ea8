// SPDX-License-Identifier: Apache-2.0
//! Attention on one thread, 32 query heads of 128. Decoding one row: bytes of keys and values a second. A block of a
//! prompt: multiply-accumulates a second.
#include <benchmark/benchmark.h>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "gaussian.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/cpu/attention.hpp"
#include "sluice/cpu/executor.hpp"
#include "sluice/cpu/kv_cache.hpp"

using namespace sluice;

namespace {

constexpr std::size_t heads = 32, head_dim = 128;
constexpr std::size_t layers = 16;  // attended to in turns, so that a long context comes from memory, as in a model

//! The last `rows` positions of a sequence of `context`, with so many query heads to each key/value head.
template <KvCache Cache>
void attend(benchmark::State& state, std::size_t rows, std::size_t context, std::size_t group) {
    const std::size_t kv_heads = heads / group;
    const Buffer<float> queries = bench::gaussian(rows * heads * head_dim);
    Buffer<float> output(queries.size());

    Cache cache({layers, kv_heads, head_dim, 1, context});
    for (std::size_t layer = 0; layer < layers; ++layer) {
        for (std::size_t kv_head = 0; kv_head < kv_heads; ++kv_head) {
            for (std::size_t p = 0; p < context; ++p) {
                const float* some = queries.data() + p % heads * head_dim;
                cache.write({layer, 0, kv_head}, p, some, some);
            }
        }
    }
    std::vector<Row> batch;
    for (std::size_t p = context - rows; p < context; ++p) batch.push_back({0, 0, static_cast<std::int32_t>(p), true});

    cpu::SoftmaxAttention<> attention({heads, kv_heads, head_dim, context, 1});
    cpu::SerialExecutor::Team team;
    std::size_t layer = 0;
    for (auto _ : state) {
        attention.attend(team, batch, layer, queries.data(), cache, output.data());
        benchmark::ClobberMemory();
        layer = (layer + 1) % layers;
    }
    if (rows == 1) {
        state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(cache.bytes() / layers));
    } else {
        const std::size_t seen = rows * (2 * context - rows + 1) / 2;  // positions, by all rows
        const double products = static_cast<double>(2 * heads * head_dim * seen);
        state.counters["MAC/s"] = {products, benchmark::Counter::kIsIterationInvariantRate};
    }
}

template <KvCache Cache>
void decode(benchmark::State& state) {
    attend<Cache>(state, 1, static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)));
}
template <KvCache Cache>
void prefill(benchmark::State& state) {
    attend<Cache>(state, 256, static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)));
}

BENCHMARK(decode<cpu::KvCacheF16>)->ArgNames({"context", "group"})->ArgsProduct({{128, 1024, 8192}, {4, 8}});
BENCHMARK(decode<cpu::KvCacheF32>)->ArgNames({"context", "group"})->ArgsProduct({{128, 1024, 8192}, {4, 8}});
BENCHMARK(decode<cpu::KvCacheQ8_0>)->ArgNames({"context", "group"})->ArgsProduct({{128, 1024, 8192}, {4, 8}});
BENCHMARK(prefill<cpu::KvCacheF16>)->ArgNames({"context", "group"})->ArgsProduct({{256, 2048}, {4, 8}});
BENCHMARK(prefill<cpu::KvCacheQ8_0>)->ArgNames({"context", "group"})->ArgsProduct({{256, 2048}, {4, 8}});
BENCHMARK(prefill<cpu::KvCacheF32>)->ArgNames({"context", "group"})->ArgsProduct({{256, 2048}, {4, 8}});

}  // namespace
