// SPDX-License-Identifier: Apache-2.0
//! The operands of the matrix kernels: sixteen rows of a weight matrix, one a vector lane, and columns to multiply.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "sluice/cpu/simd.hpp"

namespace sluice::cpu {

//! An activation row (quant::Q8View or quant::F32View) and where its products go: y[r] belongs to weight row r.
template <class View>
struct Column {
    View x;
    float* y;
};

//! Where sixteen rows lie: row r at base + offset[r]. Rows behind the last one repeat it.
struct RowTile {
    const std::byte* base;
    alignas(64) std::array<std::int32_t, simd::lanes> offset;

    //! Rows first .. first + 15 of those before `last`. 15 * row_bytes must fit 31 bits.
    RowTile(const std::byte* weights, std::size_t row_bytes, std::size_t first, std::size_t last)
        : base(weights + first * row_bytes) {
        for (std::size_t r = 0; r < simd::lanes; ++r) {
            offset[r] = static_cast<std::int32_t>(std::min(r, last - first - 1) * row_bytes);
        }
    }

    //! The T at `bytes` behind the begin of row r.
    template <class T>
    const T* at(std::size_t r, std::size_t bytes) const {
        return reinterpret_cast<const T*>(base + offset[r] + bytes);
    }
};

//! Integer kernels take weights in units of at least 64 elements: one block of 256, or two of 32.
template <class F>
struct Unit {
    using Block = typename F::Block;
    static constexpr std::size_t size = std::max<std::size_t>(64, F::block_size);
    static constexpr std::size_t blocks = size / F::block_size;
    static constexpr std::size_t bytes = blocks * sizeof(Block);

    //! f(tile, byte offset in the tile's rows, first block, number of blocks) for each unit of rows of k elements, in
    //! ascending order. A last unit that the rows do not fill is a copy with zeros behind it.
    template <class Function>
    static SLUICE_INLINE void for_each(const RowTile& tile, std::size_t k, Function f) {
        const std::size_t total = k / F::block_size;
        std::size_t block = 0;
        for (; block + blocks <= total; block += blocks) f(tile, block * sizeof(Block), block, blocks);
        if constexpr (blocks > 1) {
            if (block == total) return;
            const std::size_t present = (total - block) * sizeof(Block);
            std::array<std::byte, simd::lanes* bytes> copy = {};
            for (std::size_t r = 0; r < simd::lanes; ++r) {
                std::memcpy(copy.data() + r * bytes, tile.at<std::byte>(r, block * sizeof(Block)), present);
            }
            f(RowTile(copy.data(), bytes, 0, simd::lanes), 0, block, total - block);
        }
    }
};

}  // namespace sluice::cpu
