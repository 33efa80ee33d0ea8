// SPDX-License-Identifier: Apache-2.0
//! Rows of blocks as they lie in a file: sizes, decoding, encoding.
#pragma once

#include <cstddef>

#include "sluice/concepts/quantization.hpp"
#include "sluice/quant/levels.hpp"

namespace sluice::quant {

//! Bytes of a row of k elements, k a multiple of F::block_size.
template <BlockFormat F>
constexpr std::size_t row_bytes(std::size_t k) {
    return k / F::block_size * sizeof(typename F::Block);
}

//! The blocks that begin at `bytes`, which must be aligned to alignof(F::Block) (1 to 4; every GGUF tensor is).
template <BlockFormat F>
const typename F::Block* blocks_at(const std::byte* bytes) {
    return reinterpret_cast<const typename F::Block*>(bytes);
}

//! The F::block_size elements of one block.
template <BlockFormat F>
SLUICE_HD void decode(const typename F::Block& block, float* out) {
    if constexpr (FloatFormat<F>) {
        *out = F::decode(block);
    } else {
        expand(F::unpack(block), out);
    }
}

//! A row of k elements, k a multiple of F::block_size.
template <BlockFormat F>
void decode_row(const std::byte* row, std::size_t k, float* out) {
    for (std::size_t i = 0; i < k / F::block_size; ++i) {
        decode<F>(blocks_at<F>(row)[i], out + i * F::block_size);
    }
}

//! The reverse, for formats that have an encoder; `row` has row_bytes<F>(k) bytes, aligned as above.
template <BlockFormat F>
void encode_row(const float* in, std::size_t k, std::byte* row) {
    auto* blocks = reinterpret_cast<typename F::Block*>(row);
    for (std::size_t i = 0; i < k / F::block_size; ++i) {
        if constexpr (FloatFormat<F>) {
            blocks[i] = F::encode(in[i]);
        } else {
            blocks[i] = F::encode(in + i * F::block_size);
        }
    }
}

}  // namespace sluice::quant
