// SPDX-License-Identifier: Apache-2.0
//! A weight matrix in one number format, not owned.
#pragma once

#include <cstddef>

#include "sluice/core/format.hpp"

namespace sluice {

//! [rows, cols]; multiplying it with a row of cols activations gives rows numbers. It lies as in a file, row after row
//! of blocks; or interleaved, in tiles of sixteen rows as cpu/interleaved.hpp lays them out, the last one filled up.
struct Matrix {
    const std::byte* data = nullptr;
    quant::Format format = quant::Format::F32;
    std::size_t rows = 0;
    std::size_t cols = 0;
    std::size_t row_bytes = 0;  //!< interleaved: a sixteenth of a tile
    bool interleaved = false;
    bool prefetched = false;  //!< interleaved, and more than caches hold: the kernels ask for it ahead of time

    //! Where row r begins. If interleaved, r is a multiple of sixteen.
    const std::byte* row(std::size_t r) const { return data + r * row_bytes; }
    //! The rows [first, first + count) as a matrix of their own: one expert of a stack of experts. If interleaved, both
    //! are multiples of sixteen.
    Matrix slice(std::size_t first, std::size_t count) const {
        return {row(first), format, count, cols, row_bytes, interleaved, prefetched};
    }
};

}  // namespace sluice
