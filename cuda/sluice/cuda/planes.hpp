// SPDX-License-Identifier: Apache-2.0
//! The layout of weight matrices on the device, and the kernel that makes it from a file's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sluice/concepts/quantization.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/pieces.hpp"
#include "sluice/cuda/tuning.hpp"

namespace sluice::cuda {

//! Bytes of a row of `cols` elements on the device: a multiple of 16.
template <BlockFormat F>
constexpr std::size_t device_row_bytes(std::size_t cols) {
    if constexpr (IntegerFormat<F>) return PlanarRow<F>::bytes(cols / F::block_size);
    return div_up(cols * sizeof(typename F::Block), 16) * 16;
}

//! From rows as a file has them to rows as the device reads them. A thread moves one block.
template <BlockFormat F>
struct Repack {
    static constexpr unsigned threads = tuning::row_threads;

    const std::byte* from;  //!< [rows, row_blocks] blocks
    std::byte* to;          //!< [rows, device_row_bytes]
    std::size_t rows, row_blocks;

    Dim grid() const { return {grid_size(rows * row_blocks, threads)}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const std::size_t i = std::size_t{t.block().x} * threads + t.thread();
        if (i >= rows * row_blocks) return;
        const std::size_t row = i / row_blocks, block = i % row_blocks;
        const std::byte* source = from + i * sizeof(typename F::Block);
        std::byte* target = to + row * device_row_bytes<F>(row_blocks * F::block_size);
        if constexpr (IntegerFormat<F>) {
            constexpr auto parts = Pieces<F>::parts();
            for (std::size_t p = 0; p < parts.size(); ++p) {
                std::byte* plane = target + PlanarRow<F>::offset(p, row_blocks) + block * parts[p].bytes;
                for (std::size_t b = 0; b < parts[p].bytes; ++b) plane[b] = source[parts[p].offset + b];
            }
        } else {
            for (std::size_t b = 0; b < sizeof(typename F::Block); ++b) {
                target[block * sizeof(typename F::Block) + b] = source[b];
            }
        }
    }
};

}  // namespace sluice::cuda
