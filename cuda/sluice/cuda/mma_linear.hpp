// SPDX-License-Identifier: Apache-2.0
//! Matrix times a long batch by tensor cores.
#pragma once

#include <cstddef>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/matrix.hpp"
#include "sluice/cuda/activations.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/mma_tile.hpp"

namespace sluice::cuda {

//! y [count, weights.rows] = x [count, cols] times the transposed weights, or y += that. A warp computes sixteen weight
//! rows of 32 columns.
template <IntegerFormat F>
struct MmaLinear {
    using Tile = MmaTile<F>;
    using Products = typename Tile::Products;
    static constexpr unsigned warps = 4, threads = warps * warp_size;

    Matrix weights;
    ActivationRows x;
    unsigned count;
    float* y;
    bool add;

    Dim grid() const { return {grid_size(weights.rows, warps * Tile::rows), grid_size(count, Tile::columns)}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        struct Shared {
            typename Tile::Scratch warp[warps];
        };
        const unsigned warp = t.thread() / warp_size, lane = t.thread() % warp_size;
        const std::size_t first_row = (std::size_t{t.block().x} * warps + warp) * Tile::rows;
        const unsigned first_column = t.block().y * Tile::columns;
        const Products products = Tile::multiply(
            t, t.template shared<Shared>().warp[warp], x, count - first_column,
            [&](unsigned r) {  // rows behind the last one repeat it
                const std::size_t row = first_row + r < weights.rows ? first_row + r : weights.rows - 1;
                return weights.data + row * weights.row_bytes;
            },
            [&](unsigned c) { return first_column + c; });
        SLUICE_UNROLL
        for (unsigned n = 0; n < Tile::column_tiles; ++n) {
            SLUICE_UNROLL
            for (unsigned i = 0; i < 4; ++i) {
                const std::size_t row = first_row + Products::row(lane, i),
                                  column = first_column + Products::column(lane, n, i);
                if (row >= weights.rows || column >= count) continue;
                float& out = y[column * weights.rows + row];
                out = add ? out + products.value[n][i] : products.value[n][i];
            }
        }
    }
};

}  // namespace sluice::cuda
