// SPDX-License-Identifier: Apache-2.0
//! Matrix times columns for one number format: the one entry to the kernels. All give the bits of
//! quant/dot_reference.hpp, whatever the back end, the number of columns and the range of rows.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <span>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/matrix.hpp"
#include "sluice/cpu/interleaved.hpp"
#include "sluice/cpu/matmul_floats.hpp"
#include "sluice/cpu/matmul_integers.hpp"
#include "sluice/cpu/matmul_rows.hpp"
#include "sluice/cpu/read_ahead.hpp"
#include "sluice/cpu/row_tile.hpp"
#include "sluice/cpu/simd.hpp"
#include "sluice/cpu/unit.hpp"

namespace sluice::cpu {

//! column.y[r] = row r . column.x for the weight rows r of [first_row, last_row) and all columns. The weights have
//! format F and cols a multiple of F::block_size; their data is aligned to alignof(F::Block) and row_bytes < 2^27. Of
//! interleaved weights first_row is a multiple of sixteen. `then`, if given, are weights that this thread reads next:
//! the kernel may ask for them as it ends.
template <BlockFormat F, class V = simd::Native>
void multiply(const Matrix& weights, std::size_t first_row, std::size_t last_row,
              std::span<const Column<typename F::Activation>> columns, const std::byte* then = nullptr) {
    assert(weights.cols % F::block_size == 0 && weights.row_bytes < (std::size_t{1} << 27));
    assert(!weights.interleaved || first_row % simd::lanes == 0);
    for (std::size_t row = first_row; row < last_row; row += simd::lanes) {
        const std::size_t n = std::min(simd::lanes, last_row - row);
        const RowTile tile(weights.row(row), weights.row_bytes, n);
        if constexpr (FloatFormat<F>) {
            multiply_floats<F, V>(tile, weights.cols, columns, row, n);
        } else {
            constexpr std::size_t unit_bytes = Interleaved<F, V>::words * 64;
            const std::size_t units = Unit<F>::count(weights.cols);
            if (weights.interleaved) {  // in one piece already
                // Units of several kilobytes, read in several streams, are more than the processor foresees (one thread
                // of Zen 4, huge pages: Q6_K from memory 9 GB/s without asking ahead and 19 with, Q5_K 16 and 23, Q4_K
                // 23 and 23, the smaller ones less with; from the L2 cache Q6_K 54 and 46).
                constexpr bool asks_ahead = unit_bytes > 2560;
                constexpr std::size_t distance = 4608;
                const auto panel_at = [&](std::size_t u) {
                    const std::byte* at = tile.base + u * unit_bytes;
                    if (!asks_ahead || !weights.prefetched) return Panel<V>{at, units - u};
                    return Panel<V>{at, 1, ReadAhead<V>(at, distance, unit_bytes)};
                };
                multiply_integers<F, V>(panel_at, weights.cols, columns, row, n);
                continue;
            }
            if constexpr (reads_rows<F, V>) {
                if (columns.size() == 1) {
                    multiply_rows<F, V>(tile, weights.cols, columns[0], row, n, weights.row(last_row), then);
                    continue;
                }
            }
            // Rows that come next are asked for in the order of their addresses: on Zen 4 twice the rate of row by row.
            constexpr std::size_t stride = simd::lanes * Unit<F>::bytes;
            constexpr std::size_t most = Unit<F>::in_panel;
            const std::byte* const next = row + simd::lanes < last_row ? weights.row(row + simd::lanes) : then;
            alignas(64) std::array<std::byte, most * unit_bytes> panel;
            const auto panel_at = [&](std::size_t first) {
                const std::size_t count = std::min(most, units - first);
                ReadAhead<V> ahead;
                if (next != nullptr) ahead = ReadAhead<V>(next, first * stride, count * stride);
                for (std::size_t u = 0; u < count; ++u) {
                    ahead.ask(stride / 64 / 4);
                    interleave_unit<F, V>(tile, weights.cols, first + u, panel.data() + u * unit_bytes);
                }
                return Panel<V>{panel.data(), count, ahead};
            };
            multiply_integers<F, V>(panel_at, weights.cols, columns, row, n);
        }
    }
}

}  // namespace sluice::cpu
