// SPDX-License-Identifier: Apache-2.0
//! A device's tensor cores beside the reference dot product, to the bit. For the emulated device and for a GPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <vector>

#include "cuda/batch.hpp"
#include "cuda/check_linear.hpp"
#include "cuda/multiply_fragments.hpp"
#include "cuda/on_device.hpp"
#include "cuda/tiles.hpp"
#include "cuda/uploaded_matrix.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cuda/experts.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/cuda/mma_experts.hpp"
#include "sluice/cuda/mma_linear.hpp"
#include "sluice/cuda/tuning.hpp"
#include "sluice/quant/sets.hpp"
#include "support/numbers.hpp"

namespace sluice::test {

//! Each lane's elements are where the PTX ISA has them, and sums are exact.
template <cuda::Device D>
void check_fragments(D& device) {
    std::vector<std::int8_t> a(16 * 32), b(32 * 8);
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<std::int8_t>(i * 37 % 256);
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<std::int8_t>(i * 91 % 251);
    a[0] = b[0] = -128;
    std::vector<std::int32_t> start(2 * 16 * 8);
    for (std::size_t i = 0; i < start.size(); ++i) start[i] = static_cast<std::int32_t>(i);
    const OnDevice<D, std::int8_t> on_a(device, a), on_b(device, b);
    const OnDevice<D, std::int32_t> on_c(device, start);
    launch(device, MultiplyFragments{on_a.data(), on_b.data(), on_c.data()});
    const std::vector<std::int32_t> got = on_c.read();
    for (std::size_t i = 0; i < start.size(); ++i) {
        std::int32_t wanted = 0;
        for (std::size_t k = 0; k < 32; ++k) wanted += a[i % 128 / 8 * 32 + k] * b[k * 8 + i % 8];
        CHECK(got[i] == start[i] + 3 * wanted);
    }
}

//! More weight rows than a block's, two column tiles of eight begun.
template <class F, cuda::tuning::MatrixTile Tuning = cuda::tuning::many_rows, cuda::Device D>
void check_mma_linear(D& device, std::size_t cols, unsigned count) {
    check_products<F>(device, 69, cols, count, [](const auto&... of) { return cuda::MmaLinear<F, Tuning>{of...}; });
}

//! Every integer format.
template <cuda::Device D>
void check_every_mma_linear(D& device) {
    const auto check = [&]<class... F>(quant::OneOf<F...>) { (check_mma_linear<F>(device, 512, 35), ...); };
    check(quant::OneOf<quant::Q4_K, quant::Q5_K, quant::Q6_K, quant::Q8_0, quant::Q4_0, quant::Q5_0>());
    check_mma_linear<quant::Q8_0>(device, 96, 9);  // less than a pass
    check_mma_linear<quant::Q6_K>(device, 256, 16);
    check_mma_linear<quant::Q4_K, other_mma_tile>(device, 256, 20);
}

//! The bits of the other kernels. Four experts: one has more entries than a tile, one has none. `blocks` go through the
//! list of tiles.
template <class F, cuda::Device D>
void check_mma_experts(D& device, std::size_t hidden, std::size_t ff, unsigned blocks) {
    CAPTURE(F::name);
    CAPTURE(blocks);
    constexpr std::size_t rows = 40, used = 2, entries = rows * used, experts = 4;
    std::vector<ExpertChoice> choices(entries);
    for (std::size_t i = 0; i < entries; ++i) choices[i] = {i % 2 == 0 ? 1 : i % 6 == 1 ? 0 : 3, 0.5F};
    const OnDevice<D, ExpertChoice> on_choices(device, choices);
    const OnDevice<D, std::uint32_t> begin(device, experts + 1), sorted(device, entries), tile_count(device, 1);
    const OnDevice<D, cuda::ExpertTile> tiles(device, cuda::ExpertGroups::most_tiles(experts, entries));
    const cuda::ExpertGroups groups{begin.data(), sorted.data(), tiles.data(), tile_count.data()};
    launch(device, cuda::GroupByExpert{on_choices.data(), experts, entries, groups});

    const UploadedMatrix<D, F> gate(device, experts * ff, hidden, 1), up(device, experts * ff, hidden, 2),
        down(device, experts * hidden, ff, 3);
    const Batch<D> x(device, random_floats(rows * hidden, 4), hidden);
    const OnDevice<D, float> wanted(device, entries * ff), got(device, entries * ff);
    launch(device,
           cuda::GateUp<F, cuda::tuning::few_rows>{
               gate.matrix(), up.matrix(), x.rows, on_choices.data(), groups, used, entries, {ff, wanted.data()}});
    launch(device, cuda::MmaGateUp<F>{gate.matrix(), up.matrix(), x.rows, groups, used, {ff, got.data()}, blocks});
    CHECK(tile_count.read()[0] == 4);  // 40 entries are two tiles
    CHECK(same_bits(got.read(), wanted.read()));

    const Batch<D> inner(device, wanted.read(), ff);
    const OnDevice<D, float> wanted_results(device, entries * hidden), results(device, entries * hidden);
    launch(device, cuda::GroupedDown<F>{down.matrix(), inner.rows, groups, hidden, wanted_results.data()});
    launch(device, cuda::MmaDown<F>{down.matrix(), inner.rows, groups, hidden, results.data(), blocks});
    CHECK(same_bits(results.read(), wanted_results.read()));
}

//! However many blocks share the tiles.
template <cuda::Device D>
void check_every_mma_experts(D& device) {
    check_mma_experts<quant::Q4_K>(device, 256, 256, 3);
    check_mma_experts<quant::Q8_0>(device, 96, 96, 9);
}

}  // namespace sluice::test
