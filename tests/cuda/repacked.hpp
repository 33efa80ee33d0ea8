// SPDX-License-Identifier: Apache-2.0
//! A file's matrix in the memory of a device, as its kernels read it.
#pragma once

#include <cstddef>
#include <span>

#include "cuda/on_device.hpp"
#include "sluice/concepts/quantization.hpp"
#include "sluice/core/matrix.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/cuda/planes.hpp"

namespace sluice::test {

//! Rows of format F.
template <cuda::Device D, BlockFormat F>
class Repacked {
public:
    Repacked(D& device, std::span<const std::byte> file, std::size_t rows, std::size_t cols)
        : rows_(rows), cols_(cols), planes_(device, rows * cuda::device_row_bytes<F>(cols)) {
        const OnDevice<D, std::byte> from(device, file);
        launch(device, cuda::Repack<F>{from.data(), planes_.data(), rows, cols / F::block_size});
        end_if_bad(device.finish());  // before `from` goes
    }
    Matrix matrix() const { return {planes_.data(), F::format, rows_, cols_, cuda::device_row_bytes<F>(cols_), false}; }

private:
    std::size_t rows_, cols_;
    OnDevice<D, std::byte> planes_;
};

}  // namespace sluice::test
