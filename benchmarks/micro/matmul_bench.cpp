// SPDX-License-Identifier: Apache-2.0
//! The matrix kernels on one thread. One column: bytes of weights a second, from memory and from the L2 cache. Several
//! columns: multiply-accumulates a second.
#include <algorithm>
#include <benchmark/benchmark.h>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "gaussian.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/cpu/matmul.hpp"
#include "sluice/cpu/quantize.hpp"
#include "sluice/quant/row.hpp"
#include "sluice/quant/sets.hpp"

using namespace sluice;

namespace {

constexpr std::size_t k = 2048;  // the hidden size of Qwen3-30B-A3B

template <BlockFormat F>
class Problem {
    using View = typename F::Activation;

public:
    Problem(std::size_t rows, std::size_t columns)
        : rows_(rows),
          weights_(rows * row_bytes),
          x_(bench::gaussian(columns * k)),
          y_(columns * rows),
          storage_(columns * View::row_bytes(k) + 1),
          columns_(columns) {
        quant::encode_row<F>(x_.data(), k, weights_.data());
        for (std::size_t r = 1; r < rows; ++r) {
            std::copy_n(weights_.data(), row_bytes, weights_.data() + r * row_bytes);
        }
        for (std::size_t c = 0; c < columns; ++c) {
            const float* x = x_.data() + c * k;
            columns_[c].y = y_.data() + c * rows;
            if constexpr (FloatFormat<F>) {
                columns_[c].x = {x};
            } else {
                columns_[c].x = cpu::quantize_row<F::block_size>({x, k}, storage_.data() + c * View::row_bytes(k));
            }
        }
    }

    void multiply() {
        cpu::multiply<F>({weights_.data(), F::format, rows_, k, row_bytes}, 0, rows_,
                         std::span<const cpu::Column<View>>(columns_));
        benchmark::ClobberMemory();
    }

    std::size_t weight_bytes() const { return weights_.size(); }

private:
    static constexpr std::size_t row_bytes = quant::row_bytes<F>(k);

    std::size_t rows_;
    Buffer<std::byte> weights_;
    Buffer<float> x_, y_;
    Buffer<std::byte> storage_;
    std::vector<cpu::Column<View>> columns_;
};

//! Argument: KiB of weights.
template <BlockFormat F>
void one_column(benchmark::State& state) {
    const std::size_t bytes = static_cast<std::size_t>(state.range(0)) << 10;
    Problem<F> problem(bytes / quant::row_bytes<F>(k) / 16 * 16, 1);
    for (auto _ : state) problem.multiply();
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(problem.weight_bytes()));
}

//! Argument: columns.
template <BlockFormat F>
void columns(benchmark::State& state) {
    constexpr std::size_t rows = 768;
    const auto count = static_cast<std::size_t>(state.range(0));
    Problem<F> problem(rows, count);
    for (auto _ : state) problem.multiply();
    const double products = static_cast<double>(rows * k * count) * static_cast<double>(state.iterations());
    state.counters["MAC/s"] = benchmark::Counter(products, benchmark::Counter::kIsRate);
}

template <BlockFormat F>
void add(const char* name) {
    const std::string format(name);
    benchmark::RegisterBenchmark((format + "/one_column/KiB").c_str(), one_column<F>)->Arg(512)->Arg(256 << 10);
    benchmark::RegisterBenchmark((format + "/columns").c_str(), columns<F>)->Arg(2)->Arg(4)->Arg(8)->Arg(32)->Arg(64);
}

}  // namespace

int main(int argc, char** argv) {
    add<quant::Q4_K>("Q4_K");
    add<quant::Q5_K>("Q5_K");
    add<quant::Q6_K>("Q6_K");
    add<quant::Q8_0>("Q8_0");
    add<quant::Q4_0>("Q4_0");
    add<quant::Q5_0>("Q5_0");
    add<quant::F32>("F32");
    add<quant::F16>("F16");
    add<quant::BF16>("BF16");
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
}
