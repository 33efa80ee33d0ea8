// SPDX-License-Identifier: Apache-2.0
//! Also to be run under the thread sanitizer (preset tsan): the plain reads and writes below are races unless barriers
//! and the ends of regions order them.
#include "sluice/cpu/executor.hpp"

#include <chrono>
#include <cstddef>
#include <doctest/doctest.h>
#include <numeric>
#include <thread>
#include <utility>
#include <vector>

using namespace sluice;

TEST_CASE("executor: share cuts a count into contiguous parts of whole granules") {
    for (const std::size_t count : {0U, 1U, 15U, 16U, 17U, 100U, 768U}) {
        for (const std::size_t granule : {1U, 16U}) {
            for (std::size_t size = 1; size <= 9; ++size) {
                std::size_t at = 0;
                for (std::size_t rank = 0; rank < size; ++rank) {
                    const Range range = share(count, granule, rank, size);
                    CHECK(range.first == at);
                    CHECK(range.last >= range.first);
                    CHECK((range.last % granule == 0 || range.last == count));
                    CHECK(range.size() <= (count / granule / size + 2) * granule);
                    at = range.last;
                }
                CHECK(at == count);
            }
        }
    }
}

TEST_CASE("executor: every member runs the region once, with its own rank") {
    for (std::size_t size = 1; size <= 8; ++size) {
        cpu::ThreadPool pool(size);
        REQUIRE(pool.size() == size);
        std::vector<int> calls(size, 0);
        for (int region = 0; region < 50; ++region) {
            pool.run([&](auto& team) {
                if (team.size() == size) ++calls[team.rank()];
            });
            REQUIRE(calls == std::vector<int>(size, region + 1));  // the end of a region is a barrier
        }
    }
}

TEST_CASE("executor: what is written before a barrier is seen by all behind it") {
    for (std::size_t size = 1; size <= 8; ++size) {
        CAPTURE(size);
        cpu::ThreadPool pool(size);
        std::vector<std::size_t> now(size, 0), next(size), wrong(size, 0);
        constexpr std::size_t rounds = 300;
        pool.run([&](auto& team) {
            for (std::size_t round = 0; round < rounds; ++round) {
                const std::size_t sum = std::accumulate(now.begin(), now.end(), std::size_t{0});
                wrong[team.rank()] += sum == round * size ? 0 : 1;
                next[team.rank()] = now[team.rank()] + 1;
                team.barrier();
                now[team.rank()] = next[team.rank()];
                team.barrier();
            }
        });
        CHECK(wrong == std::vector<std::size_t>(size, 0));
        CHECK(now == std::vector<std::size_t>(size, rounds));
    }
}

TEST_CASE("executor: workers that went to sleep between regions wake up") {
    cpu::ThreadPool pool(4);
    std::vector<int> calls(4, 0);
    for (int region = 1; region <= 3; ++region) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        pool.run([&](auto& team) { ++calls[team.rank()]; });
        CHECK(calls == std::vector<int>(4, region));
    }
}

TEST_CASE("executor: a pool may be moved while it is idle, and ends without having run") {
    cpu::ThreadPool idle(3);
    cpu::ThreadPool first(3);
    cpu::ThreadPool second(std::move(first));
    int calls = 0;
    second.run([&](auto& team) {
        if (team.rank() == 0) ++calls;
    });
    CHECK(calls == 1);
    CHECK(cpu::ThreadPool(0).size() == 1);
}

TEST_CASE("executor: the serial one is a team of one") {
    cpu::SerialExecutor serial;
    int calls = 0;
    serial.run([&](auto& team) {
        team.barrier();
        calls += team.size() == 1 && team.rank() == 0 ? 1 : 0;
    });
    CHECK(calls == 1);
}
