// SPDX-License-Identifier: Apache-2.0
//! Activations to int8 levels, in blocks of 32 and of 256, on one thread: bytes of floats a second.
#include <benchmark/benchmark.h>
#include <cstddef>
#include <cstdint>

#include "gaussian.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/cpu/quantize.hpp"

using namespace sluice;

namespace {

//! Argument: elements of the row.
template <std::size_t N>
void quantize_row(benchmark::State& state) {
    const auto k = static_cast<std::size_t>(state.range(0));
    Buffer<float> x = bench::gaussian(k);
    Buffer<std::byte> row(quant::Q8View<N>::row_bytes(k));
    for (auto _ : state) {
        benchmark::DoNotOptimize(cpu::quantize_row<N>(x.span(0, k), row.data()));
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(k * sizeof(float)));
}

BENCHMARK(quantize_row<32>)->ArgName("k")->Arg(768)->Arg(2048)->Arg(4096);
BENCHMARK(quantize_row<256>)->ArgName("k")->Arg(768)->Arg(2048)->Arg(4096);

}  // namespace
