// SPDX-License-Identifier: Apache-2.0
//! Weights in float formats times float activations.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/config.hpp"
#include "sluice/cpu/row_tile.hpp"
#include "sluice/cpu/simd.hpp"
#include "sluice/quant/bf16.hpp"
#include "sluice/quant/f16.hpp"
#include "sluice/quant/f32.hpp"

namespace sluice::cpu {

namespace detail {

//! Elements w [0, n) of a row, n <= 16, as floats, zeros after them.
template <FloatFormat F, class V>
SLUICE_INLINE typename V::F32 load_floats(const typename F::Block* w, std::size_t n) {
    using quant::BF16, quant::F16, quant::F32;
    if constexpr (std::same_as<F, F32> || std::same_as<F, F16> || std::same_as<F, BF16>) {
        if (n == simd::lanes) return V::load(w);
    }
    float decoded[simd::lanes] = {};
    for (std::size_t i = 0; i < n; ++i) decoded[i] = F::decode(w[i]);
    return V::load(decoded);
}

//! acc[r][c] += w[i + lane] * x[i + lane] for R rows from row `from` of the tile on, C columns and n <= 16 lanes.
template <FloatFormat F, class V, std::size_t R, std::size_t C>
SLUICE_INLINE void add_products(const RowTile& tile, std::size_t from, const Column<quant::F32View>* columns,
                                std::size_t i, std::size_t n, typename V::F32 (&acc)[R][C]) {
    typename V::F32 x[C];
    SLUICE_UNROLL
    for (std::size_t c = 0; c < C; ++c) x[c] = load_floats<quant::F32, V>(columns[c].x.x + i, n);
    SLUICE_UNROLL
    for (std::size_t r = 0; r < R; ++r) {
        const auto w = load_floats<F, V>(tile.at<typename F::Block>(from + r, 0) + i, n);
        SLUICE_UNROLL
        for (std::size_t c = 0; c < C; ++c) acc[r][c] = V::fma(w, x[c], acc[r][c]);
    }
}

//! C columns times the tile's first n rows, R at a time.
template <FloatFormat F, class V, std::size_t R, std::size_t C>
void multiply_columns(const RowTile& tile, std::size_t k, const Column<quant::F32View>* columns, std::size_t first_row,
                      std::size_t n) {
    for (std::size_t from = 0; from < n; from += R) {
        typename V::F32 acc[R][C];
        SLUICE_UNROLL
        for (auto& row : acc) {
            SLUICE_UNROLL
            for (auto& sum : row) sum = V::zero();
        }
        std::size_t i = 0;
        for (; i + simd::lanes <= k; i += simd::lanes) add_products<F, V>(tile, from, columns, i, simd::lanes, acc);
        if (i < k) add_products<F, V>(tile, from, columns, i, k - i, acc);
        SLUICE_UNROLL
        for (std::size_t r = 0; r < R; ++r) {
            SLUICE_UNROLL
            for (std::size_t c = 0; c < C; ++c) {
                const float sum = V::sum(acc[r][c]);
                if (from + r < n) columns[c].y[first_row + from + r] = sum;
            }
        }
    }
}

}  // namespace detail

//! column.y[first_row + r] = row r . column.x for the tile's first n rows of k elements.
template <FloatFormat F, class V>
void multiply_floats(const RowTile& tile, std::size_t k, std::span<const Column<quant::F32View>> columns,
                     std::size_t first_row, std::size_t n) {
    constexpr std::size_t rows = 4, several = V::registers >= 32 ? 4 : 1;
    std::size_t c = 0;
    for (; c + several <= columns.size(); c += several) {
        detail::multiply_columns<F, V, rows, several>(tile, k, columns.data() + c, first_row, n);
    }
    for (; c < columns.size(); ++c) {
        detail::multiply_columns<F, V, rows, 1>(tile, k, columns.data() + c, first_row, n);
    }
}

}  // namespace sluice::cpu
