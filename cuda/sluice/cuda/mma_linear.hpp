// SPDX-License-Identifier: Apache-2.0
//! Matrix times a long batch by tensor cores.
#pragma once

#include <cstddef>

#include "sluice/concepts/quantization.hpp"
#include "sluice/cuda/activations.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/mma_tile.hpp"
#include "sluice/cuda/projections.hpp"
#include "sluice/cuda/tuning.hpp"
#include "sluice/cuda/warp_tiles.hpp"

namespace sluice::cuda {

//! Each y [count, rows] = x [count, cols] times the transposed weights, or y += that.
template <IntegerFormat F, tuning::MatrixTile Tuning = tuning::many_rows>
struct MmaLinear {
    using Tile = MmaTile<F, Tuning.columns>;
    using Products = typename Tile::Products;
    static constexpr unsigned threads = Tuning.threads();
    static_assert(Tuning.rows == Tile::rows);

    Projections of;
    ActivationRows x;
    unsigned count;
    bool add;

    Dim grid() const { return {of.blocks(Tuning.block_rows()), grid_size(count, Tile::columns)}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const detail::TileWarp<Tile, Tuning.warps> warp(t);
        unsigned block = t.block().x;
        const Projection& p = of.find(block, Tuning.block_rows());
        const std::size_t first_row = warp.first_row(block, Tile::rows);
        const unsigned first_column = t.block().y * Tile::columns;
        const Products products = Tile::multiply(
            t, warp.scratch, x, count - first_column,
            [&](unsigned r) { return detail::row_or_last(p.weights, 0, p.weights.rows, first_row + r); },
            [&](unsigned c) { return first_column + c; });
        SLUICE_UNROLL
        for (unsigned n = 0; n < Tile::column_tiles; ++n) {
            SLUICE_UNROLL
            for (unsigned i = 0; i < 4; ++i) {
                const std::size_t row = first_row + Products::row(warp.lane, i),
                                  column = first_column + Products::column(warp.lane, n, i);
                if (row >= p.weights.rows || column >= count) continue;
                float& out = p.y[column * p.weights.rows + row];
                out = add ? out + products.value[n][i] : products.value[n][i];
            }
        }
    }
};

}  // namespace sluice::cuda
