// SPDX-License-Identifier: Apache-2.0
//! A weight matrix as it lies in a file: rows of blocks in one number format, not owned.
#pragma once

#include <cstddef>

#include "sluice/quant/format.hpp"

namespace sluice {

//! [rows, cols], row after row; multiplying it with a row of cols activations gives rows numbers.
struct Matrix {
    const std::byte* data = nullptr;
    quant::Format format = quant::Format::F32;
    std::size_t rows = 0;
    std::size_t cols = 0;
    std::size_t row_bytes = 0;

    //! The rows [first, first + count) as a matrix of their own: one expert of a stack of experts.
    Matrix slice(std::size_t first, std::size_t count) const {
        return {data + first * row_bytes, format, count, cols, row_bytes};
    }
};

}  // namespace sluice
