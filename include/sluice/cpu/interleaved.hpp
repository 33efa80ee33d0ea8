// SPDX-License-Identifier: Apache-2.0
//! How the matrix kernels read integer weights, but for matmul_rows.hpp: sixteen rows interleaved word by word, so that
//! lane r of every vector belongs to row r and no sum ever crosses lanes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/matrix.hpp"
#include "sluice/cpu/row_tile.hpp"
#include "sluice/cpu/simd.hpp"
#include "sluice/cpu/unit.hpp"
#include "sluice/quant/q4_0.hpp"
#include "sluice/quant/q4_k.hpp"
#include "sluice/quant/q5_0.hpp"
#include "sluice/quant/q5_k.hpp"
#include "sluice/quant/q6_k.hpp"
#include "sluice/quant/q8_0.hpp"

namespace sluice::cpu {

//! A unit of sixteen rows of format F, as `words` vectors of 64 bytes.
//! - `pack(tile, at, unit)` makes it from the blocks that begin `at` bytes after the begin of the tile's rows;
//! - `levels<S>(unit, i)`: q + bias of elements 16 * S + 4 * i and the next three, as bytes, each at most `max`;
//! - `scale<G>(unit)`: of group G, where has_scales; else all scales are 1;
//! - `scale_pair<P>(unit)`, where there is a bias too, and `min_pair<P>(unit)`: the scale or minimum of elements 32 * P
//!   .. + 15 in the low 16 bits and of the next 16 in the upper;
//! - `d<B>(unit)` and `dmin<B>(unit)` of block B;
//! - `pack_scales(tile, at, unit)`, in some formats: only what scale, scale_pair, min_pair, d and dmin read.
//! The built-in formats below keep their bytes; this form, of a user's own format, is spread out for any `unpack`.
template <IntegerFormat F, class V>
struct Interleaved : SpreadUnit<F, V, true> {
    using L = typename F::Levels;
    using U = SpreadUnit<F, V, true>;
    static constexpr int bias = 128, max = 255;
    static constexpr bool has_scales = true;

    static void pack(const RowTile& tile, std::size_t at, std::byte* unit) {
        for (std::size_t r = 0; r < simd::lanes; ++r) {
            const auto put = [&](std::size_t word, auto value) {
                static_assert(sizeof value == 4);
                std::memcpy(unit + 64 * word + 4 * r, &value, 4);
            };
            for (std::size_t b = 0; b < Unit<F>::blocks; ++b) {
                const L levels = F::unpack(tile.template at<typename F::Block>(r, at)[b]);
                for (std::size_t i = 0; i < L::size; i += 4) {
                    std::uint32_t four = 0;
                    std::memcpy(&four, levels.q + i, 4);
                    put((b * L::size + i) / 4, four ^ 0x80808080U);
                }
                for (std::size_t g = 0; g < L::groups; ++g) {
                    put(U::first_scale + b * L::groups + g, std::int32_t{levels.scale[g]});
                }
                put(U::first_d + b, levels.d);
                for (std::size_t i = 0; i < L::size; i += 32) {
                    const auto put_pair = [&](std::size_t first, const auto* numbers) {
                        const int low = numbers[i / L::group], high = numbers[(i + 16) / L::group];
                        put(first + (b * L::size + i) / 32, (low & 0xFFFF) | high * 0x10000);
                    };
                    put_pair(U::first_scale_pair, levels.scale);
                    if constexpr (L::has_min) put_pair(U::first_min_pair, levels.min);
                }
                if constexpr (L::has_min) put(U::first_dmin + b, levels.dmin);
            }
        }
    }
};

namespace detail {

template <class V>
SLUICE_INLINE typename V::Bytes word(const std::byte* unit, std::size_t i) {
    return V::load_bytes(unit + 64 * i);
}

//! Words first, first + 1, ... of a unit: the N bytes (a multiple of 16) at `at` in each row.
template <class V, std::size_t N>
SLUICE_INLINE void interleave(const RowTile& tile, std::size_t at, std::byte* unit, std::size_t first) {
    static_assert(N % 16 == 0);
    const std::byte* from = tile.base + at;
    std::byte* to = unit + 64 * first;
    for (std::size_t i = 0; i + 32 <= N; i += 32) V::template interleave<32>(from + i, tile.offset.data(), to + 16 * i);
    if constexpr (N % 32 != 0) V::template interleave<16>(from + N - 16, tile.offset.data(), to + 16 * (N - 16));
}

//! The head that Q4_K and Q5_K share: word 0 is d and dmin, words 1 to 3 are quant::PackedScales.
template <class V>
struct InterleavedKHead {
    static constexpr int bias = 0;
    static constexpr bool has_scales = true;

    static SLUICE_INLINE void pack_scales(const RowTile& tile, std::size_t at, std::byte* unit) {
        interleave<V, 16>(tile, at, unit, 0);
    }
    template <std::size_t G>
    static SLUICE_INLINE typename V::I32 scale(const std::byte* unit) {
        return V::template byte<G % 4>(four<G / 4>(unit, word<V>(unit, 1), word<V>(unit, 3)));
    }
    template <std::size_t P>
    static SLUICE_INLINE typename V::I32 min_pair(const std::byte* unit) {
        return V::template byte_twice<P % 4>(
            four<P / 4>(unit, word<V>(unit, 2), V::template shift<4>(word<V>(unit, 3))));
    }
    template <std::size_t>
    static SLUICE_INLINE typename V::F32 d(const std::byte* unit) {
        return V::low_half(word<V>(unit, 0));
    }
    template <std::size_t>
    static SLUICE_INLINE typename V::F32 dmin(const std::byte* unit) {
        return V::high_half(word<V>(unit, 0));
    }

private:
    //! Numbers 0-3 (Which 0) or 4-7 (Which 1) as bytes.
    template <std::size_t Which>
    static SLUICE_INLINE typename V::Bytes four(const std::byte*, typename V::Bytes first, typename V::Bytes rest) {
        if constexpr (Which == 0) {
            return V::keep(first, 63);
        } else {
            return V::merge(V::keep(rest, 15), V::template shift<2>(first), 48);
        }
    }
};

}  // namespace detail

template <class V>
struct Interleaved<quant::Q4_K, V> : detail::InterleavedKHead<V> {
    static constexpr int max = 15;
    static constexpr std::size_t words = 36;

    static SLUICE_INLINE void pack(const RowTile& tile, std::size_t at, std::byte* unit) {
        Interleaved::pack_scales(tile, at, unit);
        detail::interleave<V, 128>(tile, at + 16, unit, 4);
    }
    template <std::size_t S>
    static SLUICE_INLINE typename V::Bytes levels(const std::byte* unit, std::size_t i) {
        const auto bytes = detail::word<V>(unit, 4 + S / 4 * 8 + S % 2 * 4 + i);
        return V::keep(V::template shift<S / 2 % 2 * 4>(bytes), 15);
    }
};

template <class V>
struct Interleaved<quant::Q5_K, V> : detail::InterleavedKHead<V> {
    static constexpr int max = 31;
    static constexpr std::size_t words = 44;

    static SLUICE_INLINE void pack(const RowTile& tile, std::size_t at, std::byte* unit) {
        Interleaved::pack_scales(tile, at, unit);
        detail::interleave<V, 160>(tile, at + 16, unit, 4);
    }
    template <std::size_t S>
    static SLUICE_INLINE typename V::Bytes levels(const std::byte* unit, std::size_t i) {
        constexpr int bit = S / 2;  // of the bytes with the fifth bits
        const auto low = detail::word<V>(unit, 12 + S / 4 * 8 + S % 2 * 4 + i);
        const auto high = detail::word<V>(unit, 4 + S % 2 * 4 + i);
        return V::merge(V::keep(V::template shift<S / 2 % 2 * 4>(low), 15), V::template shift<bit - 4>(high), 16);
    }
};

template <class V>
struct Interleaved<quant::Q6_K, V> {
    static constexpr int bias = 32, max = 63;
    static constexpr bool has_scales = true;
    static constexpr std::size_t words = 53;  // the last has d in its upper half, and two scales again

    static SLUICE_INLINE void pack(const RowTile& tile, std::size_t at, std::byte* unit) {
        detail::interleave<V, 192>(tile, at, unit, 0);
        pack_scales(tile, at, unit);
    }
    static SLUICE_INLINE void pack_scales(const RowTile& tile, std::size_t at, std::byte* unit) {
        detail::interleave<V, 16>(tile, at + 192, unit, 48);
        V::store_bytes(unit + 64 * 52, V::template row_words<3>(tile.base + at + 194, tile.offset.data()));
    }
    template <std::size_t S>
    static SLUICE_INLINE typename V::Bytes levels(const std::byte* unit, std::size_t i) {
        constexpr std::size_t half = S / 8, quarter = S / 2 % 4;  // of the block, of the half
        const auto low = detail::word<V>(unit, 16 * half + quarter % 2 * 8 + S % 2 * 4 + i);
        const auto high = detail::word<V>(unit, 32 + 8 * half + S % 2 * 4 + i);
        return V::merge(V::keep(V::template shift<quarter / 2 * 4>(low), 15),
                        V::template shift<static_cast<int>(quarter) * 2 - 4>(high), 48);
    }
    template <std::size_t G>
    static SLUICE_INLINE typename V::I32 scale(const std::byte* unit) {
        return V::template signed_byte<G % 4>(detail::word<V>(unit, 48 + G / 4));
    }
    template <std::size_t P>
    static SLUICE_INLINE typename V::I32 scale_pair(const std::byte* unit) {
        return V::template signed_byte_pair<P % 2 * 2>(detail::word<V>(unit, 48 + P / 2));
    }
    template <std::size_t>
    static SLUICE_INLINE typename V::F32 d(const std::byte* unit) {
        return V::high_half(detail::word<V>(unit, 52));
    }
};

namespace detail {

//! What Q8_0, Q4_0 and Q5_0 share: two blocks of 32, each with a d before its levels; word 0 has both.
template <class F, class V>
struct InterleavedPair {
    static constexpr bool has_scales = false;

    template <std::size_t B>
    static SLUICE_INLINE typename V::F32 d(const std::byte* unit) {
        if constexpr (B == 0) return V::low_half(word<V>(unit, 0));
        return V::high_half(word<V>(unit, 0));
    }

protected:
    static constexpr std::size_t block_bytes = sizeof(typename F::Block);

    static SLUICE_INLINE void pack_d(const RowTile& tile, std::size_t at, std::byte* unit) {
        const auto first = V::template row_words<0>(tile.base + at, tile.offset.data());
        const auto second = V::template row_words<0>(tile.base + at + block_bytes, tile.offset.data());
        V::store_bytes(unit, V::low_halves(first, second));
    }

    //! For formats whose levels are the N bytes after d.
    template <std::size_t N>
    static SLUICE_INLINE void pack_bytes(const RowTile& tile, std::size_t at, std::byte* unit) {
        pack_d(tile, at, unit);
        interleave<V, N>(tile, at + 2, unit, 1);
        interleave<V, N>(tile, at + block_bytes + 2, unit, 1 + N / 4);
    }
};

}  // namespace detail

template <class V>
struct Interleaved<quant::Q8_0, V> : detail::InterleavedPair<quant::Q8_0, V> {
    static constexpr int bias = 128, max = 255;
    static constexpr std::size_t words = 17;

    static SLUICE_INLINE void pack(const RowTile& tile, std::size_t at, std::byte* unit) {
        Interleaved::template pack_bytes<32>(tile, at, unit);
    }
    template <std::size_t S>
    static SLUICE_INLINE typename V::Bytes levels(const std::byte* unit, std::size_t i) {
        return V::flip(detail::word<V>(unit, 1 + 4 * S + i), 128);
    }
};

template <class V>
struct Interleaved<quant::Q4_0, V> : detail::InterleavedPair<quant::Q4_0, V> {
    static constexpr int bias = 8, max = 15;
    static constexpr std::size_t words = 9;

    static SLUICE_INLINE void pack(const RowTile& tile, std::size_t at, std::byte* unit) {
        Interleaved::template pack_bytes<16>(tile, at, unit);
    }
    template <std::size_t S>
    static SLUICE_INLINE typename V::Bytes levels(const std::byte* unit, std::size_t i) {
        return V::keep(V::template shift<S % 2 * 4>(detail::word<V>(unit, 1 + S / 2 * 4 + i)), 15);
    }
};

template <class V>
struct Interleaved<quant::Q5_0, V> : detail::InterleavedPair<quant::Q5_0, V> {
    static constexpr int bias = 16, max = 31;
    static constexpr std::size_t words = 11;

    static SLUICE_INLINE void pack(const RowTile& tile, std::size_t at, std::byte* unit) {
        Interleaved::pack_d(tile, at, unit);
        for (std::size_t b = 0; b < 2; ++b) {
            const std::size_t block = at + b * Interleaved::block_bytes;
            // Bit 4 * w + j, the fifth bit of level 4 * w + j, goes to bit w of byte j.
            auto fifth = V::template row_words<0>(tile.base + block + 2, tile.offset.data());
            fifth = V::template exchange<14>(fifth, 0x0000CCCC);
            fifth = V::template exchange<7>(fifth, 0x00AA00AA);
            fifth = V::template exchange<2>(fifth, 0x0C0C0C0C);
            fifth = V::template exchange<1>(fifth, 0x22222222);
            V::store_bytes(unit + 64 * (1 + b), fifth);
            detail::interleave<V, 16>(tile, block + 6, unit, 3 + 4 * b);
        }
    }
    template <std::size_t S>
    static SLUICE_INLINE typename V::Bytes levels(const std::byte* unit, std::size_t i) {
        const auto low = detail::word<V>(unit, 3 + S / 2 * 4 + i);
        const auto fifth = V::shift_right(detail::word<V>(unit, 1 + S / 2), static_cast<int>(S % 2 * 4 + i));
        return V::merge(V::keep(V::template shift<S % 2 * 4>(low), 15), V::template shift<-4>(fifth), 16);
    }
};

//! Interleaves unit u of a tile's rows of k elements; what the rows do not fill is zero.
template <IntegerFormat F, class V>
SLUICE_INLINE void interleave_unit(const RowTile& tile, std::size_t k, std::size_t u, std::byte* unit) {
    const std::size_t at = u * Unit<F>::bytes, present = k / F::block_size * sizeof(typename F::Block) - at;
    if (present >= Unit<F>::bytes) return Interleaved<F, V>::pack(tile, at, unit);
    std::array<std::byte, simd::lanes * Unit<F>::bytes> copy = {};
    for (std::size_t r = 0; r < simd::lanes; ++r) {
        std::memcpy(copy.data() + r * Unit<F>::bytes, tile.at<std::byte>(r, at), present);
    }
    Interleaved<F, V>::pack(RowTile(copy.data(), Unit<F>::bytes, simd::lanes), 0, unit);
}

//! Whether weights of format F may be kept interleaved: where that takes hardly more memory than the file's own form.
template <BlockFormat F>
constexpr bool keeps_its_size() {
    if constexpr (IntegerFormat<F>) {
        return Interleaved<F, simd::Native>::words * 64 <= simd::lanes * Unit<F>::bytes * 17 / 16;
    }
    return false;
}

//! Bytes of `rows` rows of k elements, interleaved.
template <IntegerFormat F>
constexpr std::size_t interleaved_bytes(std::size_t rows, std::size_t k) {
    return (rows + simd::lanes - 1) / simd::lanes * Unit<F>::count(k) * Interleaved<F, simd::Native>::words * 64;
}

//! Writes an interleaved copy of a matrix of format F to `out`, which has interleaved_bytes(weights.rows,
//! weights.cols).
template <IntegerFormat F, class V = simd::Native>
Matrix interleave(const Matrix& weights, std::byte* out) {
    constexpr std::size_t unit_bytes = Interleaved<F, V>::words * 64;
    const std::size_t units = Unit<F>::count(weights.cols);
    Matrix copy = weights;
    copy.data = out;
    copy.row_bytes = units * unit_bytes / simd::lanes;
    copy.interleaved = true;
    for (std::size_t row = 0; row < weights.rows; row += simd::lanes) {
        const RowTile tile(weights.row(row), weights.row_bytes, std::min(simd::lanes, weights.rows - row));
        for (std::size_t u = 0; u < units; ++u, out += unit_bytes) interleave_unit<F, V>(tile, weights.cols, u, out);
    }
    return copy;
}

}  // namespace sluice::cpu
