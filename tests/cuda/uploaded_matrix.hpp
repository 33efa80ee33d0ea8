// SPDX-License-Identifier: Apache-2.0
//! A matrix in the memory of the emulated device, beside what it was made from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cuda/on_device.hpp"
#include "sluice/concepts/quantization.hpp"
#include "sluice/core/matrix.hpp"
#include "sluice/cuda/emulated.hpp"
#include "sluice/cuda/planes.hpp"
#include "sluice/quant/row.hpp"
#include "support/numbers.hpp"

namespace sluice::test {

//! A matrix of format F, as a file has it and on the device.
template <class F>
struct UploadedMatrix {
    std::size_t rows, cols;
    std::vector<std::byte> file;
    OnDevice<std::byte> planar;

    UploadedMatrix(cuda::Emulated& device, std::size_t rows_, std::size_t cols_, std::uint32_t seed)
        : rows(rows_),
          cols(cols_),
          file(rows_ * quant::row_bytes<F>(cols_)),
          planar(rows_ * cuda::device_row_bytes<F>(cols_)) {
        quant::encode_row<F>(random_floats(rows * cols, seed).data(), rows * cols, file.data());
        const OnDevice<std::byte> from(file);
        const cuda::Repack<F> kernel{from.data(), planar.data(), rows, cols / F::block_size};
        device.launch(kernel, kernel.grid());
    }
    Matrix matrix() const { return {planar.data(), F::format, rows, cols, cuda::device_row_bytes<F>(cols), false}; }
    const typename F::Block* row(std::size_t r) const {
        return quant::blocks_at<F>(file.data() + r * quant::row_bytes<F>(cols));
    }
};

}  // namespace sluice::test
