// SPDX-License-Identifier: Apache-2.0
//! Sixteen weight rows times one activation row: the kernel of decoding, made to stream weights from memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "sluice/cpu/row_tile.hpp"
#include "sluice/cpu/unpack.hpp"
#include "sluice/quant/activation.hpp"

namespace sluice::cpu {

namespace detail {

//! For V::spread: the scales of runs 2 * Pair and 2 * Pair + 1 (64 levels each) of a block with groups of `Group`, in
//! the order of V::weigh.
template <std::size_t Group, std::size_t Pair, bool IsSigned>
constexpr std::array<std::uint8_t, 64> scale_index() {
    std::array<std::uint8_t, 64> index = {};
    for (std::size_t number = 0; number < 32; ++number) {
        const std::size_t part = number / 8, run = 2 * Pair + number % 8 / 4;
        const auto group = static_cast<std::uint8_t>((64 * run + 16 * part) / Group);
        index[2 * number] = IsSigned ? 0x80 : group;
        index[2 * number + 1] = IsSigned ? group : 0x80;
    }
    return index;
}

//! One more float step of the definition (quant/dot_reference.hpp), sixteen rows at once.
template <class V>
SLUICE_INLINE typename V::F32 step(typename V::F32 acc, typename V::F32 d, float dx, typename V::I32 isum) {
    return V::fma(V::mul(d, V::set(dx)), V::to_float(isum), acc);
}

//! What takes the format's bias out of dot products with `levels`, as a start value.
template <class U, class V>
SLUICE_INLINE typename V::I32 minus_bias(typename V::Bytes levels) {
    if constexpr (U::bias == 0) return V::zero_i32();
    return V::sub(V::zero_i32(), V::template dot4<U::max>(V::zero_i32(), V::set_bytes(U::bias), levels));
}

//! The integer sums of sixteen blocks of 256, `block_at(r)` being row r's, with 256 activation levels x. `buffer`: see
//! Unpack::unpack_scales.
template <class F, class V, class BlockAt>
SLUICE_INLINE typename V::I32 block_sums(BlockAt block_at, const std::int8_t* x, std::int8_t (&buffer)[16][16]) {
    using U = Unpack<F, V>;
    constexpr bool is_signed = !F::Levels::has_min;
    static constexpr auto index0 = scale_index<F::Levels::group, 0, is_signed>();
    static constexpr auto index1 = scale_index<F::Levels::group, 1, is_signed>();

    typename V::Bytes levels[4];
    typename V::I32 start[4];  // without the bias each sum of four fits 16 bits, as V::weigh needs
    for (std::size_t run = 0; run < 4; ++run) {
        levels[run] = V::load_bytes(x + 64 * run);
        start[run] = minus_bias<U, V>(levels[run]);
    }
    U::unpack_scales(block_at, buffer);

    typename V::I32 sums[16];
    for (std::size_t r = 0; r < 16; ++r) {
        const auto* block = block_at(r);
        const auto p0 = V::template dot4<U::max>(start[0], U::template levels<0>(block), levels[0]);
        const auto p1 = V::template dot4<U::max>(start[1], U::template levels<1>(block), levels[1]);
        const auto p2 = V::template dot4<U::max>(start[2], U::template levels<2>(block), levels[2]);
        const auto p3 = V::template dot4<U::max>(start[3], U::template levels<3>(block), levels[3]);
        const std::int8_t* scales = U::scales(*block, buffer[r]);
        const auto first = V::template spread<F::Levels::groups, is_signed>(scales, index0.data());
        const auto second = V::template spread<F::Levels::groups, is_signed>(scales, index1.data());
        sums[r] = V::weigh(V::weigh(V::zero_i32(), p0, p1, first), p2, p3, second);
    }
    typename V::I32 first, second;
    V::sum_halves(sums, first, second);
    return V::add(first, second);
}

}  // namespace detail

//! y[r] = row r . x for the tile's first n rows of k elements.
//! `ahead`: the distance in bytes to the rows that will be read next. They are asked for in the order of their
//! addresses, into the second-level cache: measured on Zen 4, twice the rate of asking row by row, or for the first.
template <class F, class V>
requires Unpackable<F, V>
void multiply_rows(const RowTile& rows, std::size_t ahead, std::size_t k, quant::Q8View<F::block_size> x, float* y,
                   std::size_t n) {
    using U = Unpack<F, V>;
    using Block = typename F::Block;
    auto acc = V::zero();
    Unit<F>::for_each(rows, k, [&](const RowTile& tile, std::size_t at, std::size_t block, std::size_t blocks) {
        const std::byte* next = rows.base + ahead + block * sizeof(Block) * simd::lanes;
        for (std::size_t i = 0; i < Unit<F>::bytes * simd::lanes; i += 64) V::prefetch(next + i);
        const auto offsets = V::load(tile.offset.data());
        const auto header = [&](std::size_t b) {
            return V::gather(tile.base + at + b * sizeof(Block) + U::header, offsets);
        };
        const auto block_at = [&](std::size_t r) { return tile.template at<Block>(r, at); };
        if constexpr (F::block_size == 256) {
            alignas(64) std::int8_t scales[16][16];
            const auto isum = detail::block_sums<F, V>(block_at, x.q + block * 256, scales);
            const auto words = header(0);
            acc = detail::step<V>(acc, U::d(words), x.d[block], isum);
            if constexpr (F::Levels::has_min) {
                std::int16_t sums[8];
                for (std::size_t g = 0; g < 8; ++g) {
                    const std::int16_t* pair = x.sums + block * 16 + 2 * g;
                    sums[g] = static_cast<std::int16_t>(pair[0] + pair[1]);
                }
                acc = detail::step<V>(acc, U::dmin(words), -x.d[block], V::dot8(scales, sums));
            }
        } else {
            const auto levels = V::load_bytes(x.q + block * F::block_size);
            const auto start = detail::minus_bias<U, V>(levels);
            typename V::I32 sums[16], first, second;
            for (std::size_t r = 0; r < 16; ++r) {
                sums[r] = V::template dot4<U::max>(start, U::template levels<0>(block_at(r)), levels);
            }
            V::sum_halves(sums, first, second);
            acc = detail::step<V>(acc, U::d(header(0)), x.d[block], first);
            if (blocks > 1) acc = detail::step<V>(acc, U::d(header(1)), x.d[block + 1], second);
        }
    });
    V::store_first(y, acc, n);
}

}  // namespace sluice::cpu
