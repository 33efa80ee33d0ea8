// SPDX-License-Identifier: Apache-2.0
//! The built-in integer formats in vectors: how each spreads its levels over the 64 bytes of a register.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sluice/cpu/simd.hpp"
#include "sluice/quant/q4_0.hpp"
#include "sluice/quant/q4_k.hpp"
#include "sluice/quant/q5_0.hpp"
#include "sluice/quant/q5_k.hpp"
#include "sluice/quant/q6_k.hpp"
#include "sluice/quant/q8_0.hpp"

namespace sluice::cpu {

//! For format F and back end V:
//! - `levels<Run>(block)`: levels 64 * Run .. + 63 from `block` on (two blocks of 32), in their order, as unsigned
//!   bytes: q + bias, at most `max`;
//! - in blocks of 256, `unpack_scales(block_at, buffer)` for sixteen blocks, then `scales(block_at(r), buffer[r])`:
//! block
//!   r's scales. Formats with minima have 8 scales, and leave the minima in the upper 8 bytes of buffer[r];
//! - `header`: the offset of the 4-byte word with d and dmin; `d(words)`, `dmin(words)` for sixteen of them.
//! Formats without a specialization (a user's own) are computed through F::unpack.
template <class F, class V>
struct Unpack {};

namespace detail {

//! The scales and minima of sixteen blocks of Q4_K or Q5_K, both of which begin with d, dmin, PackedScales.
template <class V, class BlockAt>
SLUICE_INLINE void unpack_k_scales(BlockAt block_at, std::int8_t (&buffer)[16][16]) {
    for (std::size_t r = 0; r < 16; r += 4) {
        const auto headers = V::load_parts(block_at(r), block_at(r + 1), block_at(r + 2), block_at(r + 3));
        V::store_bytes(buffer[r], V::unpack_scales(headers));
    }
}

}  // namespace detail

template <class F, class V>
concept Unpackable = requires {
    Unpack<F, V>::bias;
};

template <class V>
struct Unpack<quant::Q4_K, V> {
    using Block = quant::Q4_K::Block;
    static constexpr int bias = 0, max = 15;
    static constexpr std::size_t header = offsetof(Block, d);

    template <int Run>
    static SLUICE_INLINE typename V::Bytes levels(const Block* block) {
        const auto bytes = V::load_twice(block->q[Run]);
        return V::keep(V::template shift<0, 0, 4, 4>(bytes), 15);
    }
    template <class BlockAt>
    static SLUICE_INLINE void unpack_scales(BlockAt block_at, std::int8_t (&buffer)[16][16]) {
        detail::unpack_k_scales<V>(block_at, buffer);
    }
    static SLUICE_INLINE const std::int8_t* scales(const Block&, const std::int8_t* row) { return row; }
    static SLUICE_INLINE typename V::F32 d(typename V::I32 words) { return V::low_half(words); }
    static SLUICE_INLINE typename V::F32 dmin(typename V::I32 words) { return V::high_half(words); }
};

template <class V>
struct Unpack<quant::Q5_K, V> {
    using Block = quant::Q5_K::Block;
    static constexpr int bias = 0, max = 31;
    static constexpr std::size_t header = offsetof(Block, d);

    template <int Run>
    static SLUICE_INLINE typename V::Bytes levels(const Block* block) {
        constexpr int bit = 2 * Run - 4;  // where the first half's fifth bit lies, counted from bit 4
        const auto low = V::load_twice(block->low[Run]);
        const auto high = V::load_twice(block->high);
        return V::merge(V::keep(V::template shift<0, 0, 4, 4>(low), 15),
                        V::template shift<bit, bit, bit + 1, bit + 1>(high), 16);
    }
    template <class BlockAt>
    static SLUICE_INLINE void unpack_scales(BlockAt block_at, std::int8_t (&buffer)[16][16]) {
        detail::unpack_k_scales<V>(block_at, buffer);
    }
    static SLUICE_INLINE const std::int8_t* scales(const Block&, const std::int8_t* row) { return row; }
    static SLUICE_INLINE typename V::F32 d(typename V::I32 words) { return V::low_half(words); }
    static SLUICE_INLINE typename V::F32 dmin(typename V::I32 words) { return V::high_half(words); }
};

template <class V>
struct Unpack<quant::Q6_K, V> {
    using Block = quant::Q6_K::Block;
    static constexpr int bias = 32, max = 63;
    static constexpr std::size_t header = offsetof(Block, d) - 2;  // d in the word's upper half: no byte behind it

    template <int Run>
    static SLUICE_INLINE typename V::Bytes levels(const Block* block) {
        constexpr int nibble = Run % 2 * 4, bits = nibble - 4;  // the upper two bits, counted from bit 4
        const auto low = V::load_bytes(block->low[Run / 2]);
        const auto high = V::load_twice(block->high[Run / 2]);
        return V::merge(V::keep(V::template shift<nibble, nibble, nibble, nibble>(low), 15),
                        V::template shift<bits, bits, bits + 2, bits + 2>(high), 48);
    }
    template <class BlockAt>
    static SLUICE_INLINE void unpack_scales(BlockAt, std::int8_t (&)[16][16]) {}
    static SLUICE_INLINE const std::int8_t* scales(const Block& block, const std::int8_t*) { return block.scale; }
    static SLUICE_INLINE typename V::F32 d(typename V::I32 words) { return V::high_half(words); }
};

template <class V>
struct Unpack<quant::Q8_0, V> {
    using Block = quant::Q8_0::Block;
    static constexpr int bias = 128, max = 255;
    static constexpr std::size_t header = offsetof(Block, d);

    template <int Run>
    static SLUICE_INLINE typename V::Bytes levels(const Block* block) {
        return V::flip(V::load_halves(block[0].q, block[1].q), 128);
    }
    static SLUICE_INLINE typename V::F32 d(typename V::I32 words) { return V::low_half(words); }
};

template <class V>
struct Unpack<quant::Q4_0, V> {
    using Block = quant::Q4_0::Block;
    static constexpr int bias = 8, max = 15;
    static constexpr std::size_t header = offsetof(Block, d);

    template <int Run>
    static SLUICE_INLINE typename V::Bytes levels(const Block* block) {
        return V::keep(V::template shift<0, 4, 0, 4>(V::load_quarters(block[0].q, block[1].q)), 15);
    }
    static SLUICE_INLINE typename V::F32 d(typename V::I32 words) { return V::low_half(words); }
};

template <class V>
struct Unpack<quant::Q5_0, V> {
    using Block = quant::Q5_0::Block;
    static constexpr int bias = 16, max = 31;
    static constexpr std::size_t header = offsetof(Block, d);

    template <int Run>
    static SLUICE_INLINE typename V::Bytes levels(const Block* block) {
        const auto low = V::keep(V::template shift<0, 4, 0, 4>(V::load_quarters(block[0].low, block[1].low)), 15);
        return V::merge_bits(low, block[0].high, block[1].high, 16);
    }
    static SLUICE_INLINE typename V::F32 d(typename V::I32 words) { return V::low_half(words); }
};

}  // namespace sluice::cpu
