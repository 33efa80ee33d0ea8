// SPDX-License-Identifier: Apache-2.0
//! What stands between the matrices of one row of Qwen3-30B-A3B, on one thread: the norm of the residual, norm and
//! rotation of every query and key head, and the angles of a position. Elements a second.
#include <benchmark/benchmark.h>
#include <cstddef>
#include <cstdint>

#include "gaussian.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/cpu/norm.hpp"
#include "sluice/cpu/rope.hpp"
#include "sluice/model/rope.hpp"
#include "sluice/model/shape.hpp"

using namespace sluice;

namespace {

constexpr shape::Qwen3_30B_A3B s;
constexpr std::size_t half = s.head_dim / 2;
constexpr float eps = 1e-6F;

void count_elements(benchmark::State& state, std::size_t each_time) {
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(each_time));
}

void rms_norm(benchmark::State& state) {
    const Buffer<float> x = bench::gaussian(s.hidden), weight = bench::gaussian(s.hidden);
    Buffer<float> y(s.hidden);
    for (auto _ : state) {
        cpu::rms_norm(x.data(), weight.data(), s.hidden, eps, y.data());
        benchmark::ClobberMemory();
    }
    count_elements(state, s.hidden);
}

void head_norm_and_rotation(benchmark::State& state) {
    constexpr std::size_t heads = s.heads + s.kv_heads;
    Buffer<float> x = bench::gaussian(heads * s.head_dim), cosines(half), sines(half);
    const Buffer<float> weight = bench::gaussian(s.head_dim);
    model::RopeFrequencies(s.head_dim, 1e6, {}).at(1000, cosines.data(), sines.data());
    for (auto _ : state) {
        for (float* head = x.data(); head < x.data() + x.size(); head += s.head_dim) {
            cpu::rms_norm(head, weight.data(), s.head_dim, eps, head);
            cpu::rotate_half(head, cosines.data(), sines.data(), half);
        }
        benchmark::ClobberMemory();
    }
    count_elements(state, x.size());
}

void angles(benchmark::State& state) {
    const model::RopeFrequencies frequencies(s.head_dim, 1e6, {});
    Buffer<float> cosines(half), sines(half);
    std::int32_t position = 0;
    for (auto _ : state) {
        frequencies.at(position++, cosines.data(), sines.data());
        benchmark::ClobberMemory();
    }
    count_elements(state, half);
}

BENCHMARK(rms_norm);
BENCHMARK(head_norm_and_rotation);
BENCHMARK(angles);

}  // namespace
