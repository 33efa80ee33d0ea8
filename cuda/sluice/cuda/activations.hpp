// SPDX-License-Identifier: Apache-2.0
//! Activation rows on the device, and their int8 forms: the bytes that cpu/activations.hpp has.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "sluice/core/math.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/tuning.hpp"
#include "sluice/quant/activation.hpp"

namespace sluice::cuda {

//! Rows [rows, k] of floats in device memory, not owned, with the int8 forms that their readers ask for.
struct ActivationRows {
    std::size_t k = 0;
    float* floats = nullptr;
    std::byte* q8_32 = nullptr;  //!< nullptr where no matrix reads it
    std::byte* q8_256 = nullptr;

    SLUICE_HD float* row(std::size_t r) const { return floats + r * k; }

    //! Row r in the form that a format's Activation names.
    template <class View>
    SLUICE_HD View view(std::size_t r) const {
        if constexpr (std::same_as<View, quant::F32View>) {
            return {row(r)};
        } else {
            return View::at((View::block_size == 32 ? q8_32 : q8_256) + r * View::row_bytes(k), k);
        }
    }
};

namespace detail {

//! Elements [begin, end) of x [k], multiples of N, as int8 levels into `storage`, by all threads of a block: each takes
//! sixteen elements at a time.
template <std::size_t N, ThreadContext T>
SLUICE_HD void quantize_row(T& t, unsigned threads, const float* x, std::size_t k, std::size_t begin, std::size_t end,
                            std::byte* storage) {
    constexpr unsigned lanes = N / 16;  // that share a block of x
    const quant::Q8Row<N> row(storage, k);
    for (std::size_t first = begin / 16; first < end / 16; first += threads) {
        const std::size_t i = first + t.thread();
        const bool inside = i < end / 16;
        // The largest magnitude wins, then the lowest index; the sign goes along.
        std::uint64_t extreme = 0;
        for (std::size_t e = 16 * i; inside && e < 16 * i + 16; ++e) {
            const auto bits = std::bit_cast<std::uint32_t>(x[e]);
            const std::uint64_t key = std::uint64_t{bits & 0x7FFFFFFFU} << 32 | (N - 1 - e % N) << 1 | bits >> 31;
            if (key > extreme) extreme = key;
        }
        for (unsigned mask = lanes / 2; mask > 0; mask /= 2) {
            const std::uint64_t other = t.shuffle_xor(extreme, mask);
            if (other > extreme) extreme = other;
        }
        if (!inside) continue;
        const auto magnitude = static_cast<std::uint32_t>(extreme >> 32);
        const bool finite = magnitude < 0x7F800000U;
        const auto value = std::bit_cast<float>(magnitude | static_cast<std::uint32_t>(extreme & 1) << 31);
        const quant::Q8Scale scale = quant::q8_scale<N>(finite ? value : 0.0F);
        int sum = 0;
        for (std::size_t e = 16 * i; e < 16 * i + 16; ++e) {
            const int level = finite ? quant::round_even(x[e] * scale.inverse) : 0;
            row.q[e] = static_cast<std::int8_t>(level);
            sum += level;
        }
        row.sums[i] = static_cast<std::int16_t>(sum);
        if (i % lanes == 0) row.d[i / lanes] = finite ? scale.d : std::numeric_limits<float>::quiet_NaN();
    }
    if (end == k && t.thread() == 0) row.pad(k);
}

//! Elements [begin, end) of row r in all int8 forms, by all threads of a block; multiples of 256, but for a row's end.
template <ThreadContext T>
SLUICE_HD void quantize_forms(T& t, unsigned threads, const ActivationRows& x, std::size_t r, std::size_t begin,
                              std::size_t end) {
    const auto quantize = [&]<std::size_t N>(std::byte* form) {
        if (form == nullptr) return;
        std::byte* storage = form + r * quant::Q8View<N>::row_bytes(x.k);
        quantize_row<N>(t, threads, x.row(r), x.k, begin, end, storage);
    };
    quantize.template operator()<32>(x.q8_32);
    quantize.template operator()<256>(x.q8_256);
}

//! The sum of sixteen partial sums, that of lane j being j % 16's, in all lanes of a warp: math::sum_tree.
template <ThreadContext T>
SLUICE_HD float sum_lanes(T& t, float partial) {
    for (unsigned mask = 8; mask > 0; mask /= 2) partial += t.shuffle_xor(partial, mask);
    return partial;
}

//! The sum of the squares of x [n], in all threads: each warp computes it.
template <ThreadContext T>
SLUICE_HD float sum_of_squares(T& t, const float* x, std::size_t n) {
    float partial = 0.0F;
    for (std::size_t i = t.thread() % 16; i < n; i += 16) partial = ::fmaf(x[i], x[i], partial);
    return sum_lanes(t, partial);
}

}  // namespace detail

//! The int8 forms of rows that are there as floats. A block is one row.
struct QuantizeRows {
    static constexpr unsigned threads = tuning::row_threads;

    ActivationRows x;
    unsigned rows;

    Dim grid() const { return {rows}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        detail::quantize_forms(t, threads, x, t.block().x, 0, x.k);
    }
};

//! y = RMS-normalized x, and its int8 forms. A block is one row.
struct NormalizeRows {
    static constexpr unsigned threads = tuning::row_threads;

    const float* x;               //!< [any, y.k]
    const std::uint32_t* source;  //!< [rows]: which row of x; nullptr: the same as of y
    const float* weight;          //!< [y.k]
    float eps;
    ActivationRows y;
    unsigned rows;

    Dim grid() const { return {rows}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const unsigned r = t.block().x;
        const float* from = x + std::size_t{source == nullptr ? r : source[r]} * y.k;
        const float mean = detail::sum_of_squares(t, from, y.k) / static_cast<float>(y.k);
        const float scale = 1.0F / ::sqrtf(mean + eps);
        for (std::size_t i = t.thread(); i < y.k; i += threads) y.row(r)[i] = from[i] * scale * weight[i];
        t.barrier();
        detail::quantize_forms(t, threads, y, r, 0, y.k);
    }
};

}  // namespace sluice::cuda
