// SPDX-License-Identifier: Apache-2.0
//! A device's matrices times batches beside the reference dot product, to the bit. For the emulated device and for a
//! GPU.
#pragma once

#include <cstddef>
#include <doctest/doctest.h>
#include <vector>

#include "cuda/batch.hpp"
#include "cuda/on_device.hpp"
#include "cuda/tiles.hpp"
#include "cuda/uploaded_matrix.hpp"
#include "sluice/core/matrix.hpp"
#include "sluice/cuda/linear.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/cuda/projections.hpp"
#include "sluice/cuda/tuning.hpp"
#include "sluice/quant/dot_reference.hpp"
#include "sluice/quant/sets.hpp"
#include "support/numbers.hpp"

namespace sluice::test {

//! What the kernel that make(projections, x, count, add) gives makes of a matrix of so many rows.
template <class F, cuda::Device D, class Make>
void check_products(D& device, std::size_t rows, std::size_t cols, unsigned count, Make make) {
    CAPTURE(F::name);
    CAPTURE(cols);
    CAPTURE(count);
    const UploadedMatrix<D, F> weights(device, rows, cols, 7);
    const Batch<D> batch(device, random_floats(count * cols, 8), cols);
    ReadBatch x = batch.read();
    const std::vector<float> before = random_floats(count * rows, 9);
    for (const bool add : {false, true}) {
        const OnDevice<D, float> y(device, before);
        launch(device, make(cuda::Projections{{{weights.matrix(), y.data()}}}, batch.rows, count, add));
        const std::vector<float> got = y.read();
        for (std::size_t i = 0; i < before.size(); ++i) {
            const float dot =
                quant::dot_reference<F>(weights.row(i % rows), cols, x.template view<typename F::Activation>(i / rows));
            CHECK(same_bits(got[i], add ? before[i] + dot : dot));
        }
    }
}

//! Five weight rows more than a block of the grid.
template <class F, cuda::tuning::MatrixTile Tuning, cuda::Device D>
void check_linear(D& device, std::size_t cols, unsigned count) {
    check_products<F>(device, 21, cols, count, [](const auto&... of) { return cuda::Linear<F, Tuning>{of...}; });
}

//! Every format but Q5_0 has pieces of its own; that one shows the form for all others. Two rows of a batch more than a
//! tile.
template <cuda::Device D>
void check_every_linear(D& device) {
    const auto check = [&]<class... F>(quant::OneOf<F...>) {
        // Nine blocks of 256: more than a pass of a warp.
        (check_linear<F, cuda::tuning::one_row>(device, 2304, 1), ...);
        (check_linear<F, cuda::tuning::few_rows>(device, 256, 10), ...);
    };
    check(quant::Any());
    check_linear<quant::Q4_K, other_linear_tile>(device, 256, 6);
    check_linear<quant::F32, other_linear_tile>(device, 40, 6);
    check_linear<quant::F32, cuda::tuning::one_row>(device, 40, 1);
    check_linear<quant::Q8_0, cuda::tuning::one_row>(device, 96, 1);
}

//! Matrices of one format share a launch, and have the bits of a launch each. Rows that are no multiple of a block's,
//! so that a block which had rows of two matrices would show.
template <cuda::Device D>
void check_shared_launches(D& device) {
    constexpr std::size_t cols = 256;
    const UploadedMatrix<D, quant::Q4_K> first(device, 70, cols, 1), third(device, 5, cols, 3);
    const UploadedMatrix<D, quant::Q6_K> second(device, 21, cols, 2);
    const std::vector<Matrix> matrices = {first.matrix(), second.matrix(), third.matrix()};
    for (const unsigned count : {1U, 3U, 17U}) {
        CAPTURE(count);
        const Batch<D> x(device, random_floats(count * cols, 4), cols);
        const auto multiply = [&](const cuda::Projections& of) {
            cuda::linear<quant::OneOf<quant::Q4_K, quant::Q6_K>>(device, of, x.rows, count);
        };
        std::vector<OnDevice<D, float>> alone, together;
        cuda::Projections all;
        for (std::size_t i = 0; i < matrices.size(); ++i) {
            alone.emplace_back(device, count * matrices[i].rows);
            together.emplace_back(device, count * matrices[i].rows);
            all.each[i] = {matrices[i], together[i].data()};
        }
        const std::size_t before = launches(device);
        multiply(all);
        if constexpr (counts_launches<D>) CHECK(launches(device) - before == 2);
        for (std::size_t i = 0; i < matrices.size(); ++i) {
            multiply({{{matrices[i], alone[i].data()}}});
            CHECK(same_bits(together[i].read(), alone[i].read()));
        }
    }
}

}  // namespace sluice::test
