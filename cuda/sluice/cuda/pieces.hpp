// SPDX-License-Identifier: Apache-2.0
//! How a GPU reads integer weights. A block is cut into pieces, one a lane, which come as words of four signed levels,
//! ready for dot4. A row is planar: the parts of its blocks that need 16-byte loads lie together and aligned.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/float16.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/quant/q4_0.hpp"
#include "sluice/quant/q4_k.hpp"
#include "sluice/quant/q5_k.hpp"
#include "sluice/quant/q6_k.hpp"
#include "sluice/quant/q8_0.hpp"

namespace sluice::cuda {

//! Bytes [offset, offset + bytes) of a block, as a file has it.
struct Part {
    std::size_t offset, bytes;
};

//! Some of a block's levels, sixteen by sixteen: those of group s are words [4s, 4s + 4), under scale[s] and min[s].
template <std::size_t Groups>
struct Piece {
    static constexpr std::size_t groups = Groups;
    std::uint32_t words[4 * Groups];
    std::int32_t scale[Groups], min[Groups];
};

//! What stands before all levels of a block.
struct BlockScale {
    float d, dmin;
};

//! How format F is read.
//! - `parts()`: what becomes a plane of the planar row, in this order;
//! - `count` pieces a block, each of `groups` times sixteen levels, whose group s begins at `element(piece, s)`;
//! - `load(row, block, piece)` and `scale(row, block)`, from a PlanarRow<F>.
//! The formats below are read word by word; this form, of any other format, unpacks whole blocks: right, but slow.
template <IntegerFormat F>
struct Pieces {
    static constexpr std::size_t count = 1, groups = F::block_size / 16;
    static constexpr std::array<Part, 1> parts() { return {{{0, sizeof(typename F::Block)}}}; }
    static constexpr std::size_t element(unsigned /*piece*/, std::size_t s) { return 16 * s; }

    template <class Row>
    static SLUICE_HD Piece<groups> load(const Row& row, std::size_t block, unsigned /*piece*/) {
        using L = typename F::Levels;
        const L levels = F::unpack(*reinterpret_cast<const typename F::Block*>(row.template part<0>(block)));
        Piece<groups> piece;
        std::memcpy(piece.words, levels.q, sizeof piece.words);
        for (std::size_t s = 0; s < groups; ++s) {
            piece.scale[s] = levels.scale[16 * s / L::group];
            if constexpr (L::has_min) piece.min[s] = levels.min[16 * s / L::group];
        }
        return piece;
    }
    template <class Row>
    static SLUICE_HD BlockScale scale(const Row& row, std::size_t block) {
        const auto levels = F::unpack(*reinterpret_cast<const typename F::Block*>(row.template part<0>(block)));
        if constexpr (F::Levels::has_min) return {levels.d, levels.dmin};
        return {levels.d, 0.0F};
    }
};

//! A row of blocks on the device: plane i holds part i of all blocks, each plane begins at a multiple of 16 bytes.
template <IntegerFormat F>
class PlanarRow {
public:
    SLUICE_HD PlanarRow(const std::byte* row, std::size_t blocks) : row_(row), blocks_(blocks) {}

    //! Part I of a block.
    template <std::size_t I>
    SLUICE_HD const std::byte* part(std::size_t block) const {
        return row_ + offset(I, blocks_) + block * Pieces<F>::parts()[I].bytes;
    }

    static constexpr std::size_t bytes(std::size_t blocks) { return offset(Pieces<F>::parts().size(), blocks); }
    //! Where plane i begins.
    static constexpr std::size_t offset(std::size_t i, std::size_t blocks) {
        constexpr auto parts = Pieces<F>::parts();
        std::size_t at = 0;
        for (std::size_t p = 0; p < i; ++p) at += div_up(blocks * parts[p].bytes, 16) * 16;
        return at;
    }

private:
    const std::byte* row_;
    std::size_t blocks_;
};

namespace detail {

inline constexpr std::uint32_t low_halves = 0x0F0F0F0F;

//! Each byte of `levels` less Bias, as a signed byte; they are below 128 - Bias + 128.
template <unsigned Bias>
SLUICE_HD std::uint32_t unbias(std::uint32_t levels) {
    return (levels + (128 - Bias) * 0x01010101U) ^ 0x80808080U;
}

//! What Q4_K and Q5_K share: a head of d, dmin and quant::PackedScales; piece c has the levels of byte row c.
template <class F>
struct KPieces {
    static constexpr std::size_t count = 4, groups = 4;
    static constexpr std::array<Part, 1> parts() { return {{{0, sizeof(typename F::Block)}}}; }
    static constexpr std::size_t element(unsigned piece, std::size_t s) { return 64 * piece + 16 * s; }

    template <class Row>
    static SLUICE_HD BlockScale scale(const Row& row, std::size_t block) {
        const auto head = cuda::load<std::uint32_t, 16>(row.template part<0>(block));
        return {to_float(Half{static_cast<std::uint16_t>(head)}),
                to_float(Half{static_cast<std::uint16_t>(head >> 16)})};
    }

protected:
    //! Scales and minima of piece c: numbers 2c and 2c + 1.
    static SLUICE_HD void load_scales(const std::byte* block, unsigned c, Piece<4>& piece) {
        std::int8_t scales[8];
        std::uint8_t mins[8];
        load<quant::PackedScales, 4>(block + 4).unpack(scales, mins);
        const auto two_scales = load<std::uint64_t, 1>(scales) >> (16 * c),
                   two_mins = load<std::uint64_t, 1>(mins) >> (16 * c);
        for (std::size_t s = 0; s < 4; ++s) {
            piece.scale[s] = static_cast<std::int32_t>((two_scales >> (s / 2 * 8)) & 0xFF);
            piece.min[s] = static_cast<std::int32_t>((two_mins >> (s / 2 * 8)) & 0xFF);
        }
    }
};

}  // namespace detail

template <>
struct Pieces<quant::Q4_K> : detail::KPieces<quant::Q4_K> {
    template <class Row>
    static SLUICE_HD Piece<4> load(const Row& row, std::size_t block, unsigned c) {
        const std::byte* at = row.template part<0>(block);
        Piece<4> piece;
        load_scales(at, c, piece);
        const auto levels = cuda::load<Words<8>, 16>(at + 16 + 32 * c);
        for (std::size_t i = 0; i < 8; ++i) {
            piece.words[i] = levels.w[i] & detail::low_halves;
            piece.words[8 + i] = (levels.w[i] >> 4) & detail::low_halves;
        }
        return piece;
    }
};

template <>
struct Pieces<quant::Q5_K> : detail::KPieces<quant::Q5_K> {
    template <class Row>
    static SLUICE_HD Piece<4> load(const Row& row, std::size_t block, unsigned c) {
        const std::byte* at = row.template part<0>(block);
        Piece<4> piece;
        load_scales(at, c, piece);
        const auto high = cuda::load<Words<8>, 16>(at + 16);
        const auto low = cuda::load<Words<8>, 16>(at + 48 + 32 * c);
        for (std::size_t i = 0; i < 8; ++i) {
            const std::uint32_t fifth = high.w[i] >> (2 * c);
            piece.words[i] = (low.w[i] & detail::low_halves) | ((fifth & 0x01010101U) << 4);
            piece.words[8 + i] = ((low.w[i] >> 4) & detail::low_halves) | ((fifth & 0x02020202U) << 3);
        }
        return piece;
    }
};

//! Piece c has the levels whose low bits are bytes 32 * (c % 2) .. + 31 of row c / 2.
template <>
struct Pieces<quant::Q6_K> {
    static constexpr std::size_t count = 4, groups = 4;
    static constexpr std::array<Part, 4> parts() { return {{{0, 128}, {128, 64}, {192, 16}, {208, 2}}}; }
    static constexpr std::size_t element(unsigned piece, std::size_t s) {
        return 128 * (piece / 2) + 32 * (piece % 2) + 64 * (s / 2) + 16 * (s % 2);
    }

    template <class Row>
    static SLUICE_HD Piece<4> load(const Row& row, std::size_t block, unsigned c) {
        const unsigned half = c / 2, quarter = c % 2;
        const auto low = cuda::load<Words<8>, 16>(row.template part<0>(block) + 64 * half + 32 * quarter);
        const auto high = cuda::load<Words<8>, 16>(row.template part<1>(block) + 32 * half);
        Piece<4> piece;
        for (std::size_t i = 0; i < 8; ++i) {
            const std::uint32_t top = high.w[i] >> (2 * quarter);
            piece.words[i] = detail::unbias<32>((low.w[i] & detail::low_halves) | ((top & 0x03030303U) << 4));
            piece.words[8 + i] = detail::unbias<32>(((low.w[i] >> 4) & detail::low_halves) | (top & 0x30303030U));
        }
        const std::byte* scales = row.template part<2>(block);
        for (std::size_t s = 0; s < 4; ++s) {
            piece.scale[s] = cuda::load<std::int8_t>(scales + element(c, s) / 16);
        }
        return piece;
    }
    template <class Row>
    static SLUICE_HD BlockScale scale(const Row& row, std::size_t block) {
        return {to_float(cuda::load<Half>(row.template part<3>(block))), 0.0F};
    }
};

namespace detail {

//! What Q8_0 and Q4_0 share: d, then Bytes of levels; a block is one piece.
template <std::size_t Bytes>
struct PairPieces {
    static constexpr std::size_t count = 1, groups = 2;
    static constexpr std::array<Part, 2> parts() { return {{{2, Bytes}, {0, 2}}}; }
    static constexpr std::size_t element(unsigned /*piece*/, std::size_t s) { return 16 * s; }

    template <class Row>
    static SLUICE_HD BlockScale scale(const Row& row, std::size_t block) {
        return {to_float(cuda::load<Half>(row.template part<1>(block))), 0.0F};
    }
};

}  // namespace detail

template <>
struct Pieces<quant::Q8_0> : detail::PairPieces<32> {
    template <class Row>
    static SLUICE_HD Piece<2> load(const Row& row, std::size_t block, unsigned /*piece*/) {
        const auto levels = cuda::load<Words<8>, 16>(row.template part<0>(block));
        Piece<2> piece;
        for (std::size_t i = 0; i < 8; ++i) piece.words[i] = levels.w[i];
        piece.scale[0] = piece.scale[1] = 1;
        return piece;
    }
};

template <>
struct Pieces<quant::Q4_0> : detail::PairPieces<16> {
    template <class Row>
    static SLUICE_HD Piece<2> load(const Row& row, std::size_t block, unsigned /*piece*/) {
        const auto levels = cuda::load<Words<4>, 16>(row.template part<0>(block));
        Piece<2> piece;
        for (std::size_t i = 0; i < 4; ++i) {
            piece.words[i] = detail::unbias<8>(levels.w[i] & detail::low_halves);
            piece.words[4 + i] = detail::unbias<8>((levels.w[i] >> 4) & detail::low_halves);
        }
        piece.scale[0] = piece.scale[1] = 1;
        return piece;
    }
};

}  // namespace sluice::cuda
