// SPDX-License-Identifier: Apache-2.0
#include "sluice/cuda/emulated.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <string>
#include <vector>

#include "cuda/on_device.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Dim, cuda::Emulated, cuda::Order;

namespace {

//! Each thread hands its number to the next one through shared memory, with or without a barrier.
struct PassOn {
    static constexpr unsigned threads = 64;
    bool with_barrier;
    float* out;  // [threads]

    void operator()(cuda::ThreadContext auto& t) const {
        struct Shared {
            float number[threads];
        };
        auto& shared = t.template shared<Shared>();
        shared.number[t.thread()] = static_cast<float>(t.thread());
        if (with_barrier) t.barrier();
        out[t.thread()] = shared.number[(t.thread() + 1) % threads];
    }
};

struct LeavesEarly {
    static constexpr unsigned threads = 64;
    bool whole_warp;  // the others wait in vain too, for those of a warp that has left

    void operator()(cuda::ThreadContext auto& t) const {
        if (whole_warp ? t.thread() < 32 : t.thread() == 5) return;
        t.barrier();
    }
};

struct Shuffles {
    static constexpr unsigned threads = 64;
    std::uint64_t* out;  // [blocks, threads]

    void operator()(cuda::ThreadContext auto& t) const {
        std::uint64_t sum = t.thread();
        for (unsigned mask = 16; mask > 0; mask /= 2) sum += t.shuffle_xor(sum, mask);
        const Dim block = t.block();
        out[((block.z * 2 + block.y) * 3 + block.x) * threads + t.thread()] = sum + 10000 * block.x;
    }
};

struct Dot {
    static constexpr unsigned threads = 32;
    std::int32_t* out;

    void operator()(cuda::ThreadContext auto& t) const { out[t.thread()] = t.dot4(7, 0x80FF017F, 0x7F027F80); }
};

}  // namespace

TEST_CASE("emulated: threads meet at barriers, and a missing barrier shows") {
    const auto right = [](bool with_barrier, Order order) {
        Emulated device({.order = order});
        const OnDevice<Emulated, float> out(device, PassOn::threads);
        device.launch(PassOn{with_barrier, out.data()}, {1});
        const std::vector<float> got = out.read();
        bool all = true;
        for (unsigned i = 0; i < PassOn::threads; ++i) {
            all = all && got[i] == static_cast<float>((i + 1) % PassOn::threads);
        }
        return all;
    };
    CHECK(right(true, Order::ascending));
    CHECK(right(true, Order::descending));
    CHECK(!right(false, Order::ascending));
    CHECK(!right(false, Order::descending));
}

TEST_CASE("emulated: a barrier that some threads never reach is an error, told once") {
    for (const bool whole_warp : {false, true}) {
        Emulated device;
        device.launch(LeavesEarly{whole_warp}, {3});
        const Status status = device.finish();
        CHECK(status.where() == "emulated kernel: block 0");
        CHECK(device.finish().ok());
    }
}

TEST_CASE("emulated: shuffles stay in their warp, blocks know their place") {
    Emulated device({.order = Order::descending});
    constexpr std::size_t blocks = 3 * 2 * 2;
    const OnDevice<Emulated, std::uint64_t> out(device, blocks * Shuffles::threads);
    device.launch(Shuffles{out.data()}, {3, 2, 2});
    const std::vector<std::uint64_t> got = out.read();
    for (std::size_t i = 0; i < blocks * Shuffles::threads; ++i) {
        const std::uint64_t warp_sum = i % 64 < 32 ? 31 * 16 : 31 * 16 + 32 * 32;
        CHECK(got[i] == warp_sum + 10000 * (i / Shuffles::threads % 3));
    }
}

TEST_CASE("emulated: recorded launches run when they are asked for, with the arguments they were recorded with") {
    Emulated device;
    const OnDevice<Emulated, std::int32_t> first(device, Dot::threads), second(device, Dot::threads);
    Dot dot{first.data()};
    Emulated::Graph graph;
    device.record(graph, [&] { device.launch(dot, {1}); });
    CHECK(first.read()[0] == -1);  // as memory begins
    dot.out = second.data();
    device.launch(graph);
    CHECK(first.read()[0] != -1);
    CHECK(second.read()[0] == -1);
}

TEST_CASE("emulated: memory begins as NaNs; four signed products are added at once") {
    Emulated device;
    const OnDevice<Emulated, float> fresh(device, 3);
    for (const float x : fresh.read()) CHECK(std::isnan(x));
    const OnDevice<Emulated, std::int32_t> out(device, Dot::threads);
    device.launch(Dot{out.data()}, {1});
    CHECK(out.read()[0] == 7 - 128 * 127 - 2 + 127 - 127 * 128);
}
