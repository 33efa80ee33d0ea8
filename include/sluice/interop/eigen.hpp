// SPDX-License-Identifier: Apache-2.0
//! Weights and activations as Eigen matrices, for checks and experiments in linear algebra's own words. Not part of
//! sluice.hpp: include it where you use Eigen.
#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <span>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/matrix.hpp"
#include "sluice/quant/row.hpp"
#include "sluice/quant/sets.hpp"

namespace sluice::interop {

//! Row-major, as weights lie in files and activations in memory.
using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

//! Numbers [rows, cols] where they lie, as a matrix; nothing is copied. Needs values.size() >= rows * cols.
inline Eigen::Map<const RowMatrix> as_matrix(std::span<const float> values, std::size_t rows, std::size_t cols) {
    return {values.data(), static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(cols)};
}

//! A weight matrix of any format of Q, decoded to floats.
template <Quantization Q = quant::Any>
RowMatrix decode(const Matrix& weights) {
    RowMatrix decoded(static_cast<Eigen::Index>(weights.rows), static_cast<Eigen::Index>(weights.cols));
    Q::visit(weights.format, [&]<class F>() {
        for (std::size_t r = 0; r < weights.rows; ++r) {
            quant::decode_row<F>(weights.data + r * weights.row_bytes, weights.cols,
                                 decoded.row(static_cast<Eigen::Index>(r)).data());
        }
    });
    return decoded;
}

}  // namespace sluice::interop
