// SPDX-License-Identifier: Apache-2.0
//! Matrix times batch on the device.
#pragma once

#include <cstddef>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/matrix.hpp"
#include "sluice/cuda/activations.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/dot_tile.hpp"
#include "sluice/cuda/mma_linear.hpp"

namespace sluice::cuda {

//! y [count, weights.rows] = x [count, cols] times the transposed weights, or y += that. A warp computes four weight
//! rows of Columns columns.
template <BlockFormat F, unsigned Columns>
struct Linear {
    static constexpr unsigned warps = 4, threads = warps * warp_size, tile_rows = 4;
    using Tile = DotTile<F, tile_rows, Columns>;

    Matrix weights;
    ActivationRows x;
    unsigned count;
    float* y;
    bool add;

    Dim grid() const { return {grid_size(weights.rows, warps * tile_rows), grid_size(count, Columns)}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        struct Shared {
            typename Tile::Scratch warp[warps];
        };
        const unsigned warp = t.thread() / warp_size, lane = t.thread() % warp_size;
        const std::size_t first_row = (std::size_t{t.block().x} * warps + warp) * tile_rows;
        const unsigned first_column = t.block().y * Columns;
        const float product = Tile::multiply(
            t, t.template shared<Shared>().warp[warp], weights.cols, count - first_column,
            [&](unsigned r) {  // rows behind the last one repeat it
                const std::size_t row = first_row + r < weights.rows ? first_row + r : weights.rows - 1;
                return weights.data + row * weights.row_bytes;
            },
            [&](unsigned c) { return x.template view<typename F::Activation>(first_column + c); });
        const std::size_t row = first_row + lane / Columns, column = first_column + lane % Columns;
        if (lane >= Tile::products || row >= weights.rows || column >= count) return;
        float& out = y[column * weights.rows + row];
        out = add ? out + product : product;
    }
};

//! y = x times the transposed weights, or y += that, for weights in any format of Q.
template <Quantization Q, class D>
void linear(D& device, const Matrix& weights, const ActivationRows& x, unsigned count, float* y, bool add = false) {
    Q::visit(weights.format, [&]<class F>() {
        const auto launch = [&](const auto& kernel) { device.launch(kernel, kernel.grid()); };
        if (count == 1) return launch(Linear<F, 1>{weights, x, count, y, add});
        if constexpr (IntegerFormat<F>) {
            if (count >= mma_from_rows) return launch(MmaLinear<F>{weights, x, count, y, add});
        }
        launch(Linear<F, 8>{weights, x, count, y, add});
    });
}

}  // namespace sluice::cuda
