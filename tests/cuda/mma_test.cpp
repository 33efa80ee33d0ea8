// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <vector>

#include "cuda/on_device.hpp"
#include "cuda/uploaded_matrix.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cuda/experts.hpp"
#include "sluice/cuda/mma_experts.hpp"
#include "sluice/cuda/mma_linear.hpp"
#include "sluice/cuda/mma_tile.hpp"
#include "sluice/cuda/tuning.hpp"
#include "sluice/quant/dot_reference.hpp"
#include "sluice/quant/sets.hpp"
#include "support/numbers.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Emulated, cuda::Order;

namespace {

//! c [16, 8] += a [16, 32] times b [32, 8], both warps of a block. A lane takes its elements from where the PTX ISA
//! says
//! ("Matrix Fragments for mma.m16n8k32", .s8), from a thread's point of view.
struct Multiply {
    static constexpr unsigned threads = 64;
    const std::int8_t *a, *b;
    std::int32_t* c;  // [warps, 16, 8]

    void operator()(cuda::ThreadContext auto& t) const {
        const unsigned lane = t.thread() % 32, group = lane >> 2, in_group = lane % 4;
        std::uint32_t of_a[4] = {}, of_b[2] = {};
        for (unsigned i = 0; i < 16; ++i) {
            const unsigned row = i < 4 || (8 <= i && i < 12) ? group : group + 8;
            const unsigned col = in_group * 4 + (i & 3) + (i < 8 ? 0 : 16);
            of_a[i / 4] |= std::uint32_t{static_cast<std::uint8_t>(a[row * 32 + col])} << (i % 4 * 8);
        }
        for (unsigned i = 0; i < 8; ++i) {
            const unsigned row = in_group * 4 + (i & 3) + (i < 4 ? 0 : 16);
            of_b[i / 4] |= std::uint32_t{static_cast<std::uint8_t>(b[row * 8 + group])} << (i % 4 * 8);
        }
        std::int32_t* sums = c + t.thread() / 32 * 16 * 8;
        const auto place = [&](unsigned i) { return (i < 2 ? group : group + 8) * 8 + in_group * 2 + (i & 1); };
        std::int32_t mine[4];
        for (unsigned i = 0; i < 4; ++i) mine[i] = sums[place(i)];
        for (int repeat = 0; repeat < 3; ++repeat) t.mma(mine, of_a, of_b);
        for (unsigned i = 0; i < 4; ++i) sums[place(i)] = mine[i];
    }
};

//! More weight rows than a block's, two column tiles of eight begun.
template <class F, cuda::tuning::MatrixTile Tuning = cuda::tuning::many_rows>
void check_linear(Order order, std::size_t cols, unsigned count) {
    CAPTURE(F::name);
    CAPTURE(cols);
    CAPTURE(count);
    Emulated device({.order = order});
    const UploadedMatrix<F> weights(device, 69, cols, 7);
    const Batch batch(device, random_floats(count * cols, 8), cols);
    const std::vector<float> before = random_floats(count * weights.rows, 9);
    for (const bool add : {false, true}) {
        const OnDevice<float> y(before);
        const cuda::MmaLinear<F, Tuning> kernel{{{{weights.matrix(), y.data()}}}, batch.rows, count, add};
        device.launch(kernel, kernel.grid());
        REQUIRE(device.finish().ok());
        for (std::size_t i = 0; i < before.size(); ++i) {
            const float dot = quant::dot_reference<F>(weights.row(i % weights.rows), cols,
                                                      batch.rows.view<typename F::Activation>(i / weights.rows));
            CHECK(same_bits(y.data()[i], add ? before[i] + dot : dot));
        }
    }
}

//! Four experts: one has more entries than a tile, one has none. `blocks` go through the list of tiles.
template <class F>
void check_experts(Order order, std::size_t hidden, std::size_t ff, unsigned blocks) {
    CAPTURE(F::name);
    CAPTURE(blocks);
    constexpr std::size_t rows = 40, used = 2, entries = rows * used, experts = 4;
    std::vector<ExpertChoice> choices(entries);
    for (std::size_t i = 0; i < entries; ++i) choices[i] = {i % 2 == 0 ? 1 : i % 6 == 1 ? 0 : 3, 0.5F};
    Emulated device({.order = order});
    const OnDevice<ExpertChoice> on_choices(choices);
    const OnDevice<std::uint32_t> begin(experts + 1), sorted(entries), tile_count(1);
    const OnDevice<cuda::ExpertTile> tiles(cuda::ExpertGroups::most_tiles(experts, entries));
    const cuda::ExpertGroups groups{begin.data(), sorted.data(), tiles.data(), tile_count.data()};
    const auto launch = [&](const auto& kernel) { device.launch(kernel, kernel.grid()); };
    launch(cuda::GroupByExpert{on_choices.data(), experts, entries, groups});

    const UploadedMatrix<F> gate(device, experts * ff, hidden, 1), up(device, experts * ff, hidden, 2),
        down(device, experts * hidden, ff, 3);
    const Batch x(device, random_floats(rows * hidden, 4), hidden);
    const OnDevice<float> wanted(entries * ff), got(entries * ff);
    launch(cuda::GateUp<F, cuda::tuning::few_rows>{
        gate.matrix(), up.matrix(), x.rows, on_choices.data(), groups, used, entries, {ff, wanted.data()}});
    launch(cuda::MmaGateUp<F>{gate.matrix(), up.matrix(), x.rows, groups, used, {ff, got.data()}, blocks});
    REQUIRE(device.finish().ok());
    CHECK(tile_count.data()[0] == 4);  // 40 entries are two tiles
    CHECK(same_bits(got.span(), wanted.span()));

    const Batch inner(device, std::vector<float>(wanted.span().begin(), wanted.span().end()), ff);
    const OnDevice<float> wanted_results(entries * hidden), results(entries * hidden);
    launch(cuda::GroupedDown<F>{down.matrix(), inner.rows, groups, hidden, wanted_results.data()});
    launch(cuda::MmaDown<F>{down.matrix(), inner.rows, groups, hidden, results.data(), blocks});
    REQUIRE(device.finish().ok());
    CHECK(same_bits(results.span(), wanted_results.span()));
}

}  // namespace

TEST_CASE("cuda mma: each lane's elements are where the PTX ISA has them, and sums are exact") {
    std::vector<std::int8_t> a(16 * 32), b(32 * 8);
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<std::int8_t>(i * 37 % 256);
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<std::int8_t>(i * 91 % 251);
    a[0] = b[0] = -128;
    std::vector<std::int32_t> start(2 * 16 * 8);
    for (std::size_t i = 0; i < start.size(); ++i) start[i] = static_cast<std::int32_t>(i);
    for (const Order order : {Order::ascending, Order::descending}) {
        const OnDevice<std::int8_t> on_a(a), on_b(b);
        const OnDevice<std::int32_t> on_c(start);
        Emulated device({.order = order});
        device.launch(Multiply{on_a.data(), on_b.data(), on_c.data()}, {1});
        REQUIRE(device.finish().ok());
        for (std::size_t i = 0; i < start.size(); ++i) {
            std::int32_t wanted = 0;
            for (std::size_t k = 0; k < 32; ++k) wanted += a[i % 128 / 8 * 32 + k] * b[k * 8 + i % 8];
            CHECK(on_c.data()[i] == start[i] + 3 * wanted);
        }
    }
}

TEST_CASE("cuda mma: the bits of the reference dot product, in every integer format and any order of threads") {
    for (const Order order : {Order::ascending, Order::descending}) {
        const auto check = [&]<class... F>(quant::OneOf<F...>) { (check_linear<F>(order, 512, 35), ...); };
        check(quant::OneOf<quant::Q4_K, quant::Q5_K, quant::Q6_K, quant::Q8_0, quant::Q4_0, quant::Q5_0>());
        check_linear<quant::Q8_0>(order, 96, 9);  // less than a pass
        check_linear<quant::Q6_K>(order, 256, 16);
        check_linear<quant::Q4_K, cuda::tuning::MatrixTile{.warps = 1, .rows = 16, .columns = 16}>(order, 256, 20);
    }
}

TEST_CASE("cuda mma: experts have the bits of the other kernels, however many blocks share the tiles") {
    for (const Order order : {Order::ascending, Order::descending}) {
        check_experts<quant::Q4_K>(order, 256, 256, 3);
        check_experts<quant::Q8_0>(order, 96, 96, 9);
    }
}
