// SPDX-License-Identifier: Apache-2.0
//! Facts about the machine and the process that a measurement means nothing without. Linux's /proc is asked; elsewhere
//! the answers are "unknown" and 0.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/concepts/executor.hpp"
#include "sluice/core/buffer.hpp"

namespace sluice::bench {

//! What follows "KEY<spaces>:" in a file of such lines, or nothing.
inline std::string proc_value(const char* file, std::string_view key) {
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);) {
        const std::size_t colon = line.find(':');
        if (line.rfind(key, 0) != 0 || colon == line.npos || line.find_first_not_of(" \t", key.size()) != colon)
            continue;
        const std::size_t start = line.find_first_not_of(" \t", colon + 1);
        return start == line.npos ? "" : line.substr(start);
    }
    return {};
}

inline std::string cpu_name() {
    std::string name = proc_value("/proc/cpuinfo", "model name");
    return name.empty() ? "unknown" : name;
}

//! Bytes of a "NUMBER kB" line of this process' status: "VmHWM" is the most memory it ever held, mapped files
//! included; "RssAnon" what it holds now beyond them.
inline std::uint64_t memory_bytes(std::string_view key) {
    const std::string kilobytes = proc_value("/proc/self/status", key);
    return kilobytes.empty() ? 0 : std::stoull(kilobytes) * 1024;
}

//! Bytes a second at which the executor's threads read memory together: the best of five passes over half a gigabyte,
//! which no cache holds.
template <Executor E>
double read_bandwidth(E& executor) {
    constexpr std::size_t words = std::size_t{1} << 26U, lanes = 32;
    Buffer<std::uint64_t> memory(words);
    std::vector<std::uint64_t> sums(executor.size() * lanes);  // written, so that the reading is not optimized away
    executor.run([&](auto& team) {
        const Range mine = share(words, lanes, team.rank(), team.size());
        std::fill_n(memory.data() + mine.first, mine.size(), std::uint64_t{1});
    });
    double best = 0.0;
    for (int pass = 0; pass < 5; ++pass) {
        const auto start = std::chrono::steady_clock::now();
        executor.run([&](auto& team) {
            const Range mine = share(words, lanes, team.rank(), team.size());
            std::uint64_t sum[lanes] = {};
            for (std::size_t i = mine.first; i < mine.last; i += lanes) {
                for (std::size_t lane = 0; lane < lanes; ++lane) sum[lane] += memory[i + lane];
            }
            std::copy_n(sum, lanes, sums.data() + team.rank() * lanes);
        });
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        const bool is_complete = std::accumulate(sums.begin(), sums.end(), std::uint64_t{0}) == words;
        if (is_complete) best = std::max(best, static_cast<double>(words * sizeof(std::uint64_t)) / seconds);
    }
    return best;
}

}  // namespace sluice::bench
