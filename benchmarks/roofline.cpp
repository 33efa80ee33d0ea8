// SPDX-License-Identifier: Apache-2.0
//! Measures the two ceilings of this machine, with one thread and with all: how fast it reads memory, which bounds
//! decoding, and how fast it multiplies int8 numbers, which bounds a prompt. Prints JSON.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "../samples/bench/build_info.hpp"
#include "../samples/bench/machine.hpp"
#include "../samples/bench/report.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/core/config.hpp"
#include "sluice/cpu/executor.hpp"
#include "sluice/cpu/simd.hpp"

namespace {

using namespace sluice;
using V = simd::Native;

constexpr std::size_t columns = V::registers >= 32 ? 12 : 4,  // as many as the registers hold
    vectors = 16, rounds = std::size_t{1} << 18U;
constexpr std::size_t together = std::min(vectors, V::dots_fit<15>);  // vectors whose sums fit

//! The matrix kernel's inner loop and nothing else: vectors of levels times `columns` activations, all in the
//! first-level cache. The sum of each column is 4 * vectors * rounds times its activation, in every lane.
void multiply_add(const std::byte* levels, const std::int8_t* x, std::int32_t* result) {
    typename V::I32 sums[columns];
    for (auto& sum : sums) sum = V::zero_i32();
    for (std::size_t round = 0; round < rounds; ++round) {
        for (std::size_t first = 0; first < vectors; first += together) {
            V::Dots<15> dots[columns];
            SLUICE_UNROLL
            for (std::size_t c = 0; c < columns; ++c) dots[c] = V::no_dots<15>();
            for (std::size_t i = first; i < first + together; ++i) {
                const auto level = V::load_bytes(levels + 64 * i);
                SLUICE_UNROLL
                for (std::size_t c = 0; c < columns; ++c) dots[c] = V::dot4_each<15>(dots[c], level, x + 4 * c);
            }
            SLUICE_UNROLL
            for (std::size_t c = 0; c < columns; ++c) sums[c] = V::add_dots<15>(sums[c], dots[c]);
        }
    }
    for (std::size_t c = 0; c < columns; ++c) V::store(result + simd::lanes * c, sums[c]);
}

//! Multiply-adds a second of all threads together: the best of nine passes.
double int8_rate(cpu::ThreadPool& pool) {
    constexpr std::size_t results = simd::lanes * columns;
    Buffer<std::byte> levels(64 * vectors);
    Buffer<std::int8_t> x(4 * columns);
    Buffer<std::int32_t> sums(pool.size() * results);
    std::fill_n(levels.data(), levels.size(), std::byte{1});
    std::fill_n(x.data(), x.size(), std::int8_t{1});

    double best = 0.0;
    for (int pass = 0; pass < 9; ++pass) {
        const auto start = std::chrono::steady_clock::now();
        pool.run([&](auto& team) { multiply_add(levels.data(), x.data(), sums.data() + team.rank() * results); });
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        const bool is_right = std::count(sums.data(), sums.data() + sums.size(), std::int32_t{4 * vectors * rounds}) ==
                              static_cast<std::ptrdiff_t>(sums.size());
        const double products = 4.0 * static_cast<double>(sums.size() * vectors * rounds);
        if (is_right) best = std::max(best, products / seconds);
    }
    return best;
}

//! Of the last minute: what else ran, and spoils the figures where it is not near 0. NaN if unknown.
double load_average() {
    double load = 0.0;
    return getloadavg(&load, 1) == 1 ? load : std::nan("");
}

bench::Record measure(std::size_t threads) {
    cpu::ThreadPool pool(threads);
    return {{"cpu", bench::cpu_name()},
            {"memory", bench::proc_value("/proc/meminfo", "MemTotal")},
            {"load_average", load_average()},
            {"build_compiler", std::string(bench::compiler)},
            {"build_instructions", std::string(V::name)},
            {"n_threads", std::uint64_t{threads}},
            {"memory_bytes_per_second", bench::read_bandwidth(pool)},
            {"int8_multiply_adds_per_second", int8_rate(pool)}};
}

}  // namespace

int main() {
    std::vector<bench::Record> records;
    for (const std::size_t threads : std::set<std::size_t>{1, std::max(1U, std::thread::hardware_concurrency())}) {
        records.push_back(measure(threads));
    }
    std::cout << bench::to_json(records);
}
