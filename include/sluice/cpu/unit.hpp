// SPDX-License-Identifier: Apache-2.0
//! The pieces that the integer kernels take weights in, and the plainest form of one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/config.hpp"

namespace sluice::cpu {

//! Integer kernels take weights in units of at least 64 elements: one block of 256, or two of 32.
template <class F>
struct Unit {
    static constexpr std::size_t size = std::max<std::size_t>(64, F::block_size);
    static constexpr std::size_t blocks = size / F::block_size;
    static constexpr std::size_t bytes = blocks * sizeof(typename F::Block);
    static constexpr std::size_t in_panel = 256 / size;  //!< so many are prepared at once, in the first-level cache

    //! Of a row of k elements; the last one may be half empty.
    static constexpr std::size_t count(std::size_t k) { return (k + size - 1) / size; }
};

//! A unit of sixteen rows, spread out: each level a byte, and a vector for the scales of a group, for those of 32
//! elements, for the minima of 32 elements and for d and dmin of a block, where there are any. What the functions give
//! is told at Interleaved.
template <IntegerFormat F, class V, bool has_scales>
struct SpreadUnit {
    using L = typename F::Levels;
    static constexpr std::size_t size = Unit<F>::size, groups = size / L::group;
    static constexpr std::size_t first_scale = size / 4, first_scale_pair = first_scale + (has_scales ? groups : 0),
                                 first_min_pair = first_scale_pair + (has_scales ? size / 32 : 0),
                                 first_d = first_min_pair + (L::has_min ? size / 32 : 0),
                                 first_dmin = first_d + Unit<F>::blocks,
                                 words = first_dmin + (L::has_min ? Unit<F>::blocks : 0);

    template <std::size_t S>
    static SLUICE_INLINE typename V::Bytes levels(const std::byte* unit, std::size_t i) {
        return V::load_bytes(unit + 64 * (4 * S + i));
    }
    template <std::size_t G>
    static SLUICE_INLINE typename V::I32 scale(const std::byte* unit) {
        return integers(unit, first_scale + G);
    }
    template <std::size_t P>
    static SLUICE_INLINE typename V::I32 scale_pair(const std::byte* unit) {
        return integers(unit, first_scale_pair + P);
    }
    template <std::size_t P>
    static SLUICE_INLINE typename V::I32 min_pair(const std::byte* unit) {
        return integers(unit, first_min_pair + P);
    }
    template <std::size_t B>
    static SLUICE_INLINE typename V::F32 d(const std::byte* unit) {
        return floats(unit, first_d + B);
    }
    template <std::size_t B>
    static SLUICE_INLINE typename V::F32 dmin(const std::byte* unit) {
        return floats(unit, first_dmin + B);
    }

private:
    static SLUICE_INLINE typename V::I32 integers(const std::byte* unit, std::size_t i) {
        return V::load(reinterpret_cast<const std::int32_t*>(unit) + 16 * i);
    }
    static SLUICE_INLINE typename V::F32 floats(const std::byte* unit, std::size_t i) {
        return V::load(reinterpret_cast<const float*>(unit) + 16 * i);
    }
};

}  // namespace sluice::cpu
