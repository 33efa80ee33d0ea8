// SPDX-License-Identifier: Apache-2.0
//! A row of weights to floats, as the embedding of a token is read, on one thread: bytes of floats a second.
#include <benchmark/benchmark.h>
#include <cstddef>
#include <cstdint>

#include "gaussian.hpp"
#include "sluice/concepts/quantization.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/quant/row.hpp"
#include "sluice/quant/sets.hpp"

using namespace sluice;

namespace {

//! Argument: elements of the row.
template <BlockFormat F>
void decode_row(benchmark::State& state) {
    const auto k = static_cast<std::size_t>(state.range(0));
    Buffer<float> x = bench::gaussian(k);
    Buffer<std::byte> row(quant::row_bytes<F>(k));
    quant::encode_row<F>(x.data(), k, row.data());
    for (auto _ : state) {
        quant::decode_row<F>(row.data(), k, x.data());
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(k * sizeof(float)));
}

BENCHMARK(decode_row<quant::Q4_K>)->ArgName("k")->Arg(2048);
BENCHMARK(decode_row<quant::Q5_K>)->ArgName("k")->Arg(2048);
BENCHMARK(decode_row<quant::Q6_K>)->ArgName("k")->Arg(2048);
BENCHMARK(decode_row<quant::Q8_0>)->ArgName("k")->Arg(2048);
BENCHMARK(decode_row<quant::Q4_0>)->ArgName("k")->Arg(2048);
BENCHMARK(decode_row<quant::Q5_0>)->ArgName("k")->Arg(2048);
BENCHMARK(decode_row<quant::F32>)->ArgName("k")->Arg(2048);
BENCHMARK(decode_row<quant::F16>)->ArgName("k")->Arg(2048);
BENCHMARK(decode_row<quant::BF16>)->ArgName("k")->Arg(2048);

}  // namespace
