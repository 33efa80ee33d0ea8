// SPDX-License-Identifier: Apache-2.0
//! What the matrix kernels begin with: each warp of a block has a tile of products of its own, and memory for it.
#pragma once

#include <cstddef>

#include "sluice/core/config.hpp"
#include "sluice/core/matrix.hpp"
#include "sluice/cuda/context.hpp"

namespace sluice::cuda::detail {

//! One warp of a block of `Warps`, as a thread of it sees it. Tile is a DotTile or an MmaTile.
template <class Tile, unsigned Warps>
struct TileWarp {
    typename Tile::Scratch& scratch;  //!< in shared memory
    unsigned index, lane;             //!< of the warp in its block, of the thread in its warp

    template <ThreadContext T>
    explicit SLUICE_HD TileWarp(T& t)
        : scratch(t.template shared<Shared>().warp[t.thread() / warp_size]),
          index(t.thread() / warp_size),
          lane(t.thread() % warp_size) {}

    //! The first row of the warp's tile, where a warp has `rows` of them: those of the blocks before come first.
    SLUICE_HD std::size_t first_row(unsigned block, unsigned rows) const {
        return (std::size_t{block} * Warps + index) * rows;
    }

private:
    struct Shared {
        typename Tile::Scratch warp[Warps];
    };
};

//! Row `row` of those `count` of a matrix that begin with row `first`; rows behind the last one repeat it.
SLUICE_HD inline const std::byte* row_or_last(const Matrix& m, std::size_t first, std::size_t count, std::size_t row) {
    return m.data + (first + (row < count ? row : count - 1)) * m.row_bytes;
}

}  // namespace sluice::cuda::detail
