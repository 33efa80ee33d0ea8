// SPDX-License-Identifier: Apache-2.0
//! The matrix kernel for many rows of activations: tensor cores make the integer sums, which any order gives alike;
//! then each lane takes the float steps of its own products, in the order that quant/dot_reference.hpp defines.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sluice/concepts/quantization.hpp"
#include "sluice/cuda/activations.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/pieces.hpp"
#include "sluice/cuda/tuning.hpp"
#include "sluice/quant/dot_reference.hpp"

namespace sluice::cuda {

//! Sixteen weight rows of format F times so many rows of activations ("columns"), by one warp.
template <IntegerFormat F, unsigned Columns>
struct MmaTile {
    static constexpr unsigned rows = 16, columns = Columns, column_tiles = columns / 8;
    static_assert(columns % 8 == 0 && columns <= warp_size);

    //! What a lane gets: value[n][i] is the product of weight row(i) with column(n, i).
    struct Products {
        float value[column_tiles][4] = {};

        static SLUICE_HD unsigned row(unsigned lane, unsigned i) { return lane / 4 + i / 2 * 8; }
        static SLUICE_HD unsigned column(unsigned lane, unsigned n, unsigned i) { return 8 * n + lane % 4 * 2 + i % 2; }
    };

private:
    using L = typename F::Levels;
    static constexpr std::size_t pass = tuning::unpacked_elements;  // of each weight row at a time
    static constexpr std::size_t blocks_a_pass = pass / F::block_size, groups_a_pass = pass / L::group;
    static constexpr auto pieces_a_pass = static_cast<unsigned>(blocks_a_pass * Pieces<F>::count);
    // A scale belongs to the sums of whole groups, within which levels may be multiplied in any order. So for groups of
    // 32 a lane's two words of the inner dimension may be neighbours, and are one load; for groups of 16 one belongs to
    // each half.
    static constexpr bool halves = L::group % 32 != 0;
    static_assert(F::block_size % 32 == 0 && pass % F::block_size == 0);

public:
    //! What a warp keeps in shared memory. Rows end with words that are not used: the lanes then read different banks.
    struct Scratch {
        std::uint32_t levels[rows][pass / 4 + (halves ? 4 : 8)];
        std::int8_t scale[rows][groups_a_pass + 4];
        std::uint8_t min[rows][groups_a_pass + 4];
        std::uint32_t source[columns];
    };

    //! Called by all lanes of a warp. `row_at(r)` is where weight row r lies, `source(c)` which row of x column c is.
    //! Columns behind the first `used`, one at least, are not computed or repeat the last of them.
    template <ThreadContext T, class RowAt, class Source>
    static SLUICE_HD Products multiply(T& t, Scratch& s, const ActivationRows& x, unsigned used, RowAt row_at,
                                       Source source) {
        const unsigned lane = t.thread() % warp_size;
        if (lane < columns) s.source[lane] = static_cast<std::uint32_t>(source(lane < used ? lane : used - 1));
        const std::size_t blocks = x.k / F::block_size;
        const std::byte* const weights[2] = {row_at(Products::row(lane, 0)), row_at(Products::row(lane, 2))};
        Products products;
        for (std::size_t first = 0; first < blocks; first += blocks_a_pass) {
            unpack(lane, s, first, blocks, row_at);
            t.sync_warp();
            for (std::size_t b = 0; b < blocks_a_pass && first + b < blocks; ++b) {
                const BlockScale scale[2] = {Pieces<F>::scale(PlanarRow<F>(weights[0], blocks), first + b),
                                             Pieces<F>::scale(PlanarRow<F>(weights[1], blocks), first + b)};
                add_block(t, s, b, first + b, used, x, scale, products);
            }
            t.sync_warp();
        }
        return products;
    }

private:
    //! Blocks [first, first + blocks_a_pass) of all rows, as far as there are so many.
    template <class RowAt>
    static SLUICE_HD void unpack(unsigned lane, Scratch& s, std::size_t first, std::size_t blocks, RowAt row_at) {
        for (unsigned i = lane; i < rows * pieces_a_pass; i += warp_size) {
            constexpr auto count = static_cast<unsigned>(Pieces<F>::count);
            const unsigned row = i / pieces_a_pass, index = i % count;
            const std::size_t block = i % pieces_a_pass / count;
            if (first + block >= blocks) continue;
            const auto piece = Pieces<F>::load(PlanarRow<F>(row_at(row), blocks), first + block, index);
            SLUICE_UNROLL
            for (std::size_t g = 0; g < piece.groups; ++g) {
                const std::size_t element = block * F::block_size + Pieces<F>::element(index, g);
                for (std::size_t w = 0; w < 4; ++w) s.levels[row][element / 4 + w] = piece.words[4 * g + w];
                s.scale[row][element / L::group] = static_cast<std::int8_t>(piece.scale[g]);
                if constexpr (L::has_min) {
                    s.min[row][element / L::group] = static_cast<std::uint8_t>(piece.min[g]);
                }
            }
        }
    }

    //! products += block `b` of the pass, which is block `index` of the row.
    template <ThreadContext T>
    static SLUICE_HD void add_block(T& t, const Scratch& s, std::size_t b, std::size_t index, unsigned used,
                                    const ActivationRows& x, const BlockScale (&scale)[2], Products& products) {
        using View = typename F::Activation;
        const unsigned lane = t.thread() % warp_size, row = lane / 4, quarter = lane % 4;
        std::int32_t sums[column_tiles][4] = {};
        for (std::size_t at = b * F::block_size; at < (b + 1) * F::block_size; at += 32) {
            const Words<2> low = two_words(&s.levels[row][at / 4], quarter),
                           high = two_words(&s.levels[row + 8][at / 4], quarter);
            SLUICE_UNROLL
            for (unsigned n = 0; n < column_tiles; ++n) {
                if (8 * n >= used) break;
                const auto* q = reinterpret_cast<const std::uint32_t*>(x.view<View>(s.source[8 * n + row]).q);
                const std::size_t element = (index - b) * F::block_size + at;
                const Words<2> levels = two_words(q + element / 4, quarter);
                if constexpr (halves) {
                    add_scaled(t, s, at / L::group, {low.w[0], high.w[0], 0, 0}, levels, sums[n]);
                    add_scaled(t, s, at / L::group + 1, {0, 0, low.w[1], high.w[1]}, levels, sums[n]);
                } else {
                    add_scaled(t, s, at / L::group, {low.w[0], high.w[0], low.w[1], high.w[1]}, levels, sums[n]);
                }
            }
        }
        SLUICE_UNROLL
        for (unsigned n = 0; n < column_tiles; ++n) {
            if (8 * n >= used) break;
            SLUICE_UNROLL
            for (unsigned i = 0; i < 4; ++i) {
                const View column = x.view<View>(s.source[Products::column(lane, n, i)]);
                std::int32_t mins = 0;
                if constexpr (L::has_min) mins = min_sum(s, Products::row(lane, i), b, column.sums, index);
                products.value[n][i] = quant::add_block<L::has_min>(
                    products.value[n][i], scale[i / 2].d, scale[i / 2].dmin, column.d[index], sums[n][i], mins);
            }
        }
    }

    //! The two words of 32 levels that are a lane's part of a matrix.
    static SLUICE_HD Words<2> two_words(const std::uint32_t* levels, unsigned quarter) {
        if constexpr (halves) return {levels[quarter], levels[4 + quarter]};
        return load<Words<2>, 8>(levels + 2 * quarter);
    }

    //! sums += the rows' scale of a group times (a lane's part of) weights times levels.
    template <ThreadContext T>
    static SLUICE_HD void add_scaled(T& t, const Scratch& s, std::size_t group, const Words<4>& weights,
                                     const Words<2>& levels, std::int32_t (&sums)[4]) {
        std::int32_t products[4] = {};
        t.mma(products, weights.w, levels.w);
        const unsigned lane = t.thread() % warp_size;
        SLUICE_UNROLL
        for (unsigned i = 0; i < 4; ++i) sums[i] += s.scale[Products::row(lane, i)][group] * products[i];
    }

    //! The sum over the groups of block `b` of the pass, `index` of the row, of a row's minimum times the column's sum.
    static SLUICE_HD std::int32_t min_sum(const Scratch& s, unsigned row, std::size_t b, const std::int16_t* sums,
                                          std::size_t index) {
        constexpr std::size_t groups = F::block_size / L::group, sums_a_group = L::group / 16;
        std::int32_t total = 0;
        SLUICE_UNROLL
        for (std::size_t g = 0; g < groups; ++g) {
            std::int32_t sum = 0;
            for (std::size_t i = 0; i < sums_a_group; ++i) {
                sum += sums[index * (F::block_size / 16) + g * sums_a_group + i];
            }
            total += s.min[row][b * groups + g] * sum;
        }
        return total;
    }
};

}  // namespace sluice::cuda
