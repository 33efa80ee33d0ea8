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

namespace sluice::cuda {

//! Blocks that go through the list of tiles in strides. Not measured: a few for each place of a multiprocessor, as
//! there are dozens in the other dimension of the grid.
inline constexpr unsigned tile_blocks = 64;

namespace detail {

//! f(tile) for those tiles of the list that are a block's.
template <class F>
SLUICE_HD void each_tile(const ExpertGroups& groups, unsigned block, unsigned blocks, F f) {
    const std::uint32_t count = *groups.tile_count;
    for (std::uint32_t i = block; i < count; i += blocks) f(groups.tiles[i]);
}

}  // namespace detail

//! inner [entries, ff] = silu(gate x) * up x by each entry's expert. A warp computes eight elements of a tile's
//! entries: eight rows of `gate` and the same eight of `up`, which have the same format.
template <IntegerFormat F>
struct MmaGateUp {
    using Tile = MmaTile<F>;
    using Products = typename Tile::Products;
    static constexpr unsigned warps = 4, threads = warps * warp_size, elements = Tile::rows / 2;
    static_assert(Tile::columns == ExpertGroups::tile_entries);

    Matrix gate, up;  //!< [experts * ff, hidden]
    ActivationRows x;
    ExpertGroups groups;
    std::size_t used;  //!< entries a row of x
    ActivationRows inner;
    unsigned blocks = tile_blocks;  //!< that share the list

    Dim grid() const { return {grid_size(inner.k, warps * elements), blocks}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        struct Shared {
            typename Tile::Scratch warp[warps];
        };
        auto& scratch = t.template shared<Shared>().warp[t.thread() / warp_size];
        const unsigned warp = t.thread() / warp_size, lane = t.thread() % warp_size;
        const std::size_t ff = inner.k, first = (std::size_t{t.block().x} * warps + warp) * elements;
        detail::each_tile(groups, t.block().y, blocks, [&](const ExpertTile& tile) {
            const Products products = Tile::multiply(
                t, scratch, x, tile.last - tile.first,
                [&](unsigned r) {
                    const std::size_t row = first + r % elements < ff ? first + r % elements : ff - 1;
                    const Matrix& from = r < elements ? gate : up;
                    return from.data + (tile.expert * ff + row) * from.row_bytes;
                },
                [&](unsigned c) { return groups.entries[tile.first + c] / used; });
            const std::size_t element = first + Products::row(lane, 0);
            SLUICE_UNROLL
            for (unsigned n = 0; n < Tile::column_tiles; ++n) {
                SLUICE_UNROLL
                for (unsigned i = 0; i < 2; ++i) {  // products i + 2 are of the other eight rows
                    const std::size_t entry = tile.first + Products::column(lane, n, i);
                    if (element >= ff || entry >= tile.last) continue;
                    const float gated = math::silu(products.value[n][i]) * products.value[n][i + 2];
                    inner.row(groups.entries[entry])[element] = gated;
                }
            }
        });
    }
};

//! results [entries, hidden] = down(inner) by each entry's expert. A warp computes sixteen elements of a tile's
//! entries.
template <IntegerFormat F>
struct MmaDown {
    using Tile = MmaTile<F>;
    using Products = typename Tile::Products;
    static constexpr unsigned warps = 4, threads = warps * warp_size;

    Matrix down;  //!< [experts * hidden, ff]
    ActivationRows inner;
    ExpertGroups groups;
    std::size_t hidden;
    float* results;
    unsigned blocks = tile_blocks;  //!< that share the list

    Dim grid() const { return {grid_size(hidden, warps * Tile::rows), blocks}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        struct Shared {
            typename Tile::Scratch warp[warps];
        };
        auto& scratch = t.template shared<Shared>().warp[t.thread() / warp_size];
        const unsigned warp = t.thread() / warp_size, lane = t.thread() % warp_size;
        const std::size_t first = (std::size_t{t.block().x} * warps + warp) * Tile::rows;
        detail::each_tile(groups, t.block().y, blocks, [&](const ExpertTile& tile) {
            const Products products = Tile::multiply(
                t, scratch, inner, tile.last - tile.first,
                [&](unsigned r) {
                    const std::size_t row = first + r < hidden ? first + r : hidden - 1;
                    return down.data + (tile.expert * hidden + row) * down.row_bytes;
                },
                [&](unsigned c) { return groups.entries[tile.first + c]; });
            SLUICE_UNROLL
            for (unsigned n = 0; n < Tile::column_tiles; ++n) {
                SLUICE_UNROLL
                for (unsigned i = 0; i < 4; ++i) {
                    const std::size_t row = first + Products::row(lane, i),
                                      entry = tile.first + Products::column(lane, n, i);
                    if (row >= hidden || entry >= tile.last) continue;
                    results[groups.entries[entry] * hidden + row] = products.value[n][i];
                }
            }
        });
    }
};

}  // namespace sluice::cuda
