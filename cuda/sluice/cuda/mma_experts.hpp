// SPDX-License-Identifier: Apache-2.0
//! SwiGLU experts of a long batch: the list of tiles that GroupByExpert made, multiplied by tensor cores.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/math.hpp"
#include "sluice/core/matrix.hpp"
#include "sluice/cuda/activations.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/expert_groups.hpp"
#include "sluice/cuda/mma_tile.hpp"
#include "sluice/cuda/tuning.hpp"
#include "sluice/cuda/warp_tiles.hpp"

namespace sluice::cuda {

namespace detail {

//! f(tile) for those tiles of the list that are a block's.
template <class F>
SLUICE_HD void each_tile(const ExpertGroups& groups, unsigned block, unsigned blocks, F f) {
    const std::uint32_t count = *groups.tile_count;
    for (std::uint32_t i = block; i < count; i += blocks) f(groups.tiles[i]);
}

}  // namespace detail

//! inner [entries, ff] = silu(gate x) * up x by each entry's expert. A warp has eight rows of `gate` and the same eight
//! of `up`, which has the same format.
template <IntegerFormat F, tuning::MatrixTile Tuning = tuning::many_rows>
struct MmaGateUp {
    using Tile = MmaTile<F, Tuning.columns>;
    using Products = typename Tile::Products;
    static constexpr unsigned threads = Tuning.threads(), elements = Tile::rows / 2;
    static_assert(Tuning.rows == Tile::rows && Tile::columns == ExpertGroups::tile_entries);

    Matrix gate, up;  //!< [experts * ff, hidden]
    ActivationRows x;
    ExpertGroups groups;
    std::size_t used;  //!< entries a row of x
    ActivationRows inner;
    unsigned blocks = tuning::tile_blocks;  //!< that share the list

    Dim grid() const { return {grid_size(inner.k, Tuning.warps * elements), blocks}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const detail::TileWarp<Tile, Tuning.warps> warp(t);
        const std::size_t ff = inner.k, first = warp.first_row(t.block().x, elements);
        detail::each_tile(groups, t.block().y, blocks, [&](const ExpertTile& tile) {
            const Products products = Tile::multiply(
                t, warp.scratch, x, tile.last - tile.first,
                [&](unsigned r) {
                    return detail::row_or_last(r < elements ? gate : up, tile.expert * ff, ff, first + r % elements);
                },
                [&](unsigned c) { return groups.entries[tile.first + c] / used; });
            const std::size_t element = first + Products::row(warp.lane, 0);
            SLUICE_UNROLL
            for (unsigned n = 0; n < Tile::column_tiles; ++n) {
                SLUICE_UNROLL
                for (unsigned i = 0; i < 2; ++i) {  // products i + 2 are of the other eight rows
                    const std::size_t entry = tile.first + Products::column(warp.lane, n, i);
                    if (element >= ff || entry >= tile.last) continue;
                    const float gated = math::silu(products.value[n][i]) * products.value[n][i + 2];
                    inner.row(groups.entries[entry])[element] = gated;
                }
            }
        });
    }
};

//! results [entries, hidden] = down(inner) by each entry's expert.
template <IntegerFormat F, tuning::MatrixTile Tuning = tuning::many_rows>
struct MmaDown {
    using Tile = MmaTile<F, Tuning.columns>;
    using Products = typename Tile::Products;
    static constexpr unsigned threads = Tuning.threads();
    static_assert(Tuning.rows == Tile::rows && Tile::columns == ExpertGroups::tile_entries);

    Matrix down;  //!< [experts * hidden, ff]
    ActivationRows inner;
    ExpertGroups groups;
    std::size_t hidden;
    float* results;
    unsigned blocks = tuning::tile_blocks;  //!< that share the list

    Dim grid() const { return {grid_size(hidden, Tuning.block_rows()), blocks}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const detail::TileWarp<Tile, Tuning.warps> warp(t);
        const std::size_t first = warp.first_row(t.block().x, Tile::rows);
        detail::each_tile(groups, t.block().y, blocks, [&](const ExpertTile& tile) {
            const Products products = Tile::multiply(
                t, warp.scratch, inner, tile.last - tile.first,
                [&](unsigned r) { return detail::row_or_last(down, tile.expert * hidden, hidden, first + r); },
                [&](unsigned c) { return groups.entries[tile.first + c]; });
            SLUICE_UNROLL
            for (unsigned n = 0; n < Tile::column_tiles; ++n) {
                SLUICE_UNROLL
                for (unsigned i = 0; i < 4; ++i) {
                    const std::size_t row = first + Products::row(warp.lane, i),
                                      entry = tile.first + Products::column(warp.lane, n, i);
                    if (row >= hidden || entry >= tile.last) continue;
                    results[groups.entries[entry] * hidden + row] = products.value[n][i];
                }
            }
        });
    }
};

}  // namespace sluice::cuda
