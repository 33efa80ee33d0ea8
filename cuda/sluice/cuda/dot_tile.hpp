// SPDX-License-Identifier: Apache-2.0
//! The one matrix kernel: a warp multiplies some weight rows with some activation rows, in the order of summation that
//! quant/dot_reference.hpp defines. The lanes make the parts that any order gives alike (integer sums) or that have a
//! lane of their own (partial sums of floats); then each product is put together by one lane.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/math.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/pieces.hpp"
#include "sluice/quant/activation.hpp"
#include "sluice/quant/dot_reference.hpp"

namespace sluice::cuda {

//! Exact integer sums over a block or a part of one.
struct BlockSums {
    std::int32_t levels = 0, mins = 0;
};

namespace detail {

//! The sums of a piece with the levels of x.
template <IntegerFormat F, ThreadContext T>
SLUICE_HD BlockSums dot(T& t, const Piece<Pieces<F>::groups>& w, unsigned piece, const typename F::Activation& x,
                        std::size_t block) {
    BlockSums sums;
    for (std::size_t s = 0; s < w.groups; ++s) {
        const std::size_t at = block * F::block_size + Pieces<F>::element(piece, s);
        const auto levels = load<Words<4>, 16>(x.q + at);
        std::int32_t sum = 0;
        for (std::size_t i = 0; i < 4; ++i) sum = t.dot4(sum, w.words[4 * s + i], levels.w[i]);
        sums.levels += w.scale[s] * sum;
        if constexpr (F::Levels::has_min) sums.mins += w.min[s] * x.sums[at / 16];
    }
    return sums;
}

}  // namespace detail

//! Weights of format F: Rows rows times Columns columns, one product a lane.
template <BlockFormat F, unsigned Rows, unsigned Columns>
struct DotTile {
    static constexpr unsigned products = Rows * Columns;
    static_assert(products <= warp_size && Rows % 2 == 0);

    //! What a warp keeps in shared memory. One more than it needs a line: the lanes then read different banks.
    struct Scratch {
        BlockSums sums[products][warp_size + 1];
    };

    //! Lane r * Columns + c gets the product of row_at(r) with x_at(c), for the columns below `columns`; called by all
    //! lanes of a warp. k elements a row.
    template <ThreadContext T, class RowAt, class XAt>
    static SLUICE_HD float multiply(T& t, Scratch& scratch, std::size_t k, unsigned columns, RowAt row_at, XAt x_at) {
        constexpr unsigned pieces = Pieces<F>::count, blocks_a_pass = warp_size / pieces;
        const unsigned lane = t.thread() % warp_size, row = lane / Columns, column = lane % Columns;
        const std::size_t blocks = k / F::block_size;
        float product = 0.0F;
        for (std::size_t first = 0; first < blocks; first += blocks_a_pass) {
            const std::size_t mine = first + lane / pieces;
            for (unsigned r = 0; r < Rows && mine < blocks; ++r) {
                const auto piece = Pieces<F>::load(PlanarRow<F>(row_at(r), blocks), mine, lane % pieces);
                for (unsigned c = 0; c < Columns; ++c) {
                    if (c >= columns) break;
                    scratch.sums[r * Columns + c][lane] = detail::dot<F>(t, piece, lane % pieces, x_at(c), mine);
                }
            }
            t.sync_warp();
            if (lane < products && column < columns) {
                const PlanarRow<F> weights(row_at(row), blocks);
                const auto x = x_at(column);
                for (unsigned b = 0; b < blocks_a_pass && first + b < blocks; ++b) {
                    BlockSums sums;
                    for (unsigned p = b * pieces; p < (b + 1) * pieces; ++p) {
                        sums.levels += scratch.sums[lane][p].levels;
                        sums.mins += scratch.sums[lane][p].mins;
                    }
                    const BlockScale scale = Pieces<F>::scale(weights, first + b);
                    product = quant::add_block<F::Levels::has_min>(product, scale.d, scale.dmin, x.d[first + b],
                                                                   sums.levels, sums.mins);
                }
            }
            t.sync_warp();
        }
        return product;
    }
};

//! The same for floats: lanes j and j + 16 make partial sum j, each for every other row.
template <FloatFormat F, unsigned Rows, unsigned Columns>
struct DotTile<F, Rows, Columns> {
    static constexpr unsigned products = Rows * Columns;
    static_assert(products <= warp_size && Rows % 2 == 0);

    struct Scratch {
        float partial[products][16 + 1];
    };

    template <ThreadContext T, class RowAt, class XAt>
    static SLUICE_HD float multiply(T& t, Scratch& scratch, std::size_t k, unsigned columns, RowAt row_at, XAt x_at) {
        const unsigned lane = t.thread() % warp_size, j = lane % 16;
        for (unsigned r = lane / 16; r < Rows; r += 2) {
            const auto* weights = reinterpret_cast<const typename F::Block*>(row_at(r));
            float partial[Columns] = {};
            for (std::size_t i = j; i < div_up(k, 16) * 16; i += 16) {  // as if there were zeros behind the end
                const float w = i < k ? F::decode(weights[i]) : 0.0F;
                for (unsigned c = 0; c < Columns; ++c) {
                    if (c < columns) partial[c] = ::fmaf(w, i < k ? x_at(c).x[i] : 0.0F, partial[c]);
                }
            }
            for (unsigned c = 0; c < Columns; ++c) scratch.partial[r * Columns + c][j] = partial[c];
        }
        t.sync_warp();
        float product = 0.0F;
        if (lane < products) {
            float partial[16];
            for (unsigned i = 0; i < 16; ++i) partial[i] = scratch.partial[lane][i];
            product = math::sum_tree(partial);
        }
        t.sync_warp();
        return product;
    }
};

}  // namespace sluice::cuda
