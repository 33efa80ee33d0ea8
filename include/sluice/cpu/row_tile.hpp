// SPDX-License-Identifier: Apache-2.0
//! The operands of the matrix kernels: sixteen rows of a weight matrix, one per vector lane, and columns to multiply.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "sluice/cpu/simd.hpp"

namespace sluice::cpu {

//! An activation row (quant::Q8View or quant::F32View) and where its products go: y[r] belongs to weight row r.
template <class View>
struct Column {
    View x;
    float* y;
};

//! Where sixteen rows lie: row r at base + offset[r].
struct RowTile {
    const std::byte* base;
    alignas(64) std::array<std::int32_t, simd::lanes> offset;

    //! `count` rows, row_bytes apart; those after the last one repeat it. 15 * row_bytes must fit 31 bits.
    RowTile(const std::byte* first, std::size_t row_bytes, std::size_t count) : base(first) {
        for (std::size_t r = 0; r < simd::lanes; ++r) {
            offset[r] = static_cast<std::int32_t>(std::min(r, count - 1) * row_bytes);
        }
    }

    //! The T at `bytes` after the begin of row r.
    template <class T>
    const T* at(std::size_t r, std::size_t bytes) const {
        return reinterpret_cast<const T*>(base + offset[r] + bytes);
    }
};

}  // namespace sluice::cpu
