// SPDX-License-Identifier: Apache-2.0
//! Integer weights as a file has them, row after row, times one column: what decoding reads weights with.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/config.hpp"
#include "sluice/core/for_each_constant.hpp"
#include "sluice/cpu/interleaved.hpp"
#include "sluice/cpu/matmul_integers.hpp"
#include "sluice/cpu/row_tile.hpp"
#include "sluice/cpu/simd.hpp"
#include "sluice/quant/q4_k.hpp"
#include "sluice/quant/q5_k.hpp"
#include "sluice/quant/q6_k.hpp"

namespace sluice::cpu {

//! How a block of 256 elements of format F is read in its row: specialized for the formats that have such a kernel,
//! whose Interleaved has `pack_scales` and levels of 128 at most.
//! - `levels<I>(block)`: q + bias of elements 64 * I and the next 63, as bytes; the bias is Interleaved's;
//! - `scales(block)`: those of all groups.
template <class F, class V>
struct InRow;

namespace detail {

//! Scales as Q4_K and Q5_K keep them.
template <class V>
struct PackedScalesInRow {
    template <class Block>
    static SLUICE_INLINE typename V::Scales scales(const Block& block) {
        alignas(8) std::int8_t scale[8];
        alignas(8) std::uint8_t min[8];
        block.scales.unpack(scale, min);
        return V::template load_scales<8>(scale);
    }
};

}  // namespace detail

template <class V>
struct InRow<quant::Q4_K, V> : detail::PackedScalesInRow<V> {
    template <std::size_t I>
    static SLUICE_INLINE typename V::Bytes levels(const quant::Q4_K::Block& block) {
        return V::keep(V::template shift_twice<0, 4>(block.q[I]), 15);
    }
};

template <class V>
struct InRow<quant::Q5_K, V> : detail::PackedScalesInRow<V> {
    template <std::size_t I>
    static SLUICE_INLINE typename V::Bytes levels(const quant::Q5_K::Block& block) {
        constexpr int bit = 2 * I;  // of the bytes with the fifth bits
        return V::merge(V::keep(V::template shift_twice<0, 4>(block.low[I]), 15),
                        V::template shift_twice<bit - 4, bit - 3>(block.high), 16);
    }
};

template <class V>
struct InRow<quant::Q6_K, V> {
    template <std::size_t I>
    static SLUICE_INLINE typename V::Bytes levels(const quant::Q6_K::Block& block) {
        constexpr int bit = I % 2 * 4;  // of the bytes with the high bits
        return V::merge(V::keep(V::template shift<bit>(V::load_bytes(block.low[I / 2])), 15),
                        V::template shift_twice<bit - 4, bit - 2>(block.high[I / 2]), 48);
    }
    static SLUICE_INLINE typename V::Scales scales(const quant::Q6_K::Block& block) {
        return V::template load_scales<16>(block.scale);
    }
};

//! Whether format F has the kernel of this file. The scalar back end is here to define, not to be fast.
template <class F, class V>
inline constexpr bool reads_rows = V::registers > 1 &&
                                   requires(const typename F::Block& block, const RowTile& tile, std::byte* unit) {
    InRow<F, V>::scales(block);
    Interleaved<F, V>::pack_scales(tile, 0, unit);
};

//! column.y[first_row + r] = row r . column.x for the first n of sixteen rows of k elements. The rows are read one
//! after the other, as they lie in memory; `end` is where the last one ends that the caller will read before
//! it goes on at `then`, or nullptr.
template <IntegerFormat F, class V>
void multiply_rows(const RowTile& tile, std::size_t k, const Column<typename F::Activation>& column,
                   std::size_t first_row, std::size_t n, const std::byte* end, const std::byte* then) {
    using Block = typename F::Block;
    using T = Interleaved<F, V>;
    constexpr std::size_t size = F::block_size, most = 32;
    static_assert(size == 256 && T::max <= 128, "InRow is for blocks of 256 elements of seven bits at most");
    const std::size_t total = k / size;
    // Memory is asked for at an even rate, so far ahead that it has come when it is read. One thread of Zen 5, huge
    // pages, GB/s of rows of 2048, by how far: Q4_K 32 (8 KiB), 38 (12), 39 (14), 39 (20); Q6_K 37, 36, 35, 34; alike
    // by tiles of 16 rows, as several columns are computed: Q4_K 32, Q6_K 27; just read, and summed up: 44.
    constexpr std::size_t ahead = 14336;
    const auto number = [](const std::byte* p) { return reinterpret_cast<std::uintptr_t>(p); };
    const std::uintptr_t last = number(end);
    const std::uintptr_t jump = then != nullptr ? number(then) - last : -ahead;  // or to what has come already
    std::uintptr_t next = number(tile.base) + ahead;
    const auto ask = [&](std::size_t lines) SLUICE_INLINE_LAMBDA {
        SLUICE_UNROLL
        for (std::size_t i = 0; i < lines; ++i, next += 64) {
            // NOLINTNEXTLINE(performance-no-int-to-ptr): nothing is read there, and it may be no object's memory
            V::prefetch(reinterpret_cast<const void*>(next + (next < last ? 0 : jump)));
        }
    };
    auto acc = V::zero();
    for (std::size_t begin = 0; begin < total; begin += most) {
        const std::size_t blocks = std::min(most, total - begin);
        const std::int8_t* const x = column.x.q + begin * size;
        typename V::I32 products[most][simd::lanes];  // of a row and block: levels + bias times x times scales
        for (std::size_t r = 0; r < n; ++r) {
            const auto* row = tile.template at<Block>(r, begin * sizeof(Block));
            for (std::size_t b = 0; b < blocks; ++b) {
                ask(sizeof(Block) / 64);
                const auto scales = InRow<F, V>::scales(row[b]);
                typename V::I32 sum[2] = {V::zero_i32(), V::zero_i32()};
                for_each_constant<4>([&](auto i) SLUICE_INLINE_LAMBDA {
                    auto& half = sum[i() % 2];
                    half = V::template dot_scaled<64 / F::Levels::group, i()>(
                        half, InRow<F, V>::template levels<i()>(row[b]), V::load_bytes(x + b * size + 64 * i()),
                        scales);
                });
                products[b][r] = V::add(sum[0], sum[1]);
            }
        }
        for (std::size_t b = 0; b < blocks; ++b) {
            for (std::size_t r = n; r < simd::lanes; ++r) products[b][r] = V::zero_i32();
            ask((sizeof(Block) % 64 * simd::lanes + 63) / 64);
            alignas(64) std::byte unit[T::words * 64];
            T::pack_scales(tile, (begin + b) * sizeof(Block), unit);
            acc = detail::add_block<F, V, T, 0>(unit, column.x, begin + b, V::sums(products[b]), acc);
        }
    }
    V::store_first(column.y + first_row, acc, n);
}

}  // namespace sluice::cpu
