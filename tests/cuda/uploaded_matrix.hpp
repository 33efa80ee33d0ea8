// SPDX-License-Identifier: Apache-2.0
//! A matrix in the memory of a device, beside what it was made from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cuda/repacked.hpp"
#include "sluice/concepts/quantization.hpp"
#include "sluice/core/matrix.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/quant/row.hpp"
#include "support/numbers.hpp"

namespace sluice::test {

//! A matrix of format F, as a file has it and on the device.
template <cuda::Device D, BlockFormat F>
class UploadedMatrix {
public:
    UploadedMatrix(D& device, std::size_t rows, std::size_t cols, std::uint32_t seed)
        : cols_(cols), file_(random_file(rows, cols, seed)), repacked_(device, file_, rows, cols) {}

    Matrix matrix() const { return repacked_.matrix(); }
    const typename F::Block* row(std::size_t r) const {
        return quant::blocks_at<F>(file_.data() + r * quant::row_bytes<F>(cols_));
    }

private:
    static std::vector<std::byte> random_file(std::size_t rows, std::size_t cols, std::uint32_t seed) {
        std::vector<std::byte> file(rows * quant::row_bytes<F>(cols));
        quant::encode_row<F>(random_floats(rows * cols, seed).data(), rows * cols, file.data());
        return file;
    }

    std::size_t cols_;
    std::vector<std::byte> file_;
    Repacked<D, F> repacked_;
};

}  // namespace sluice::test
