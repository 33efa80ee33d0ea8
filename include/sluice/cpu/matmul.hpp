// SPDX-License-Identifier: Apache-2.0
//! Matrix times columns for one number format: the one entry to the kernels. All give the bits of
//! quant/dot_reference.hpp, whatever the back end, the number of columns and the range of rows.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <span>

#include "sluice/concepts/quantization.hpp"
#include "sluice/cpu/matmul_floats.hpp"
#include "sluice/cpu/matmul_panel.hpp"
#include "sluice/cpu/matmul_rows.hpp"
#include "sluice/cpu/row_tile.hpp"
#include "sluice/cpu/simd.hpp"

namespace sluice::cpu {

//! column.y[r] = row r . column.x for the rows [first_row, last_row) and all columns. Row r has k elements (a multiple
//! of F::block_size) and lies at weights + r * row_bytes, aligned to alignof(F::Block); row_bytes < 2^27.
template <BlockFormat F, class V = simd::Native>
void multiply(const std::byte* weights, std::size_t row_bytes, std::size_t k, std::size_t first_row,
              std::size_t last_row, std::span<const Column<typename F::Activation>> columns) {
    assert(k % F::block_size == 0 && row_bytes < (std::size_t{1} << 27));
    for (std::size_t row = first_row; row < last_row; row += simd::lanes) {
        const RowTile tile(weights, row_bytes, row, last_row);
        const std::size_t n = std::min(simd::lanes, last_row - row);
        if constexpr (FloatFormat<F>) {
            multiply_floats<F, V>(tile, k, columns, row, n);
        } else if constexpr (Unpackable<F, V>) {
            constexpr std::size_t enough_for_panel = 3;  // where unpacking pays, measured on Zen 4
            if (columns.size() >= enough_for_panel) {
                multiply_panel<F, V>(tile, k, columns, row, n);
                continue;
            }
            for (const auto& column : columns) {
                multiply_rows<F, V>(tile, simd::lanes * row_bytes, k, column.x, column.y + row, n);
            }
        } else {
            multiply_panel<F, V>(tile, k, columns, row, n);
        }
    }
}

}  // namespace sluice::cpu
