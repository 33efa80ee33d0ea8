// SPDX-License-Identifier: Apache-2.0
//! The other side of a dot product: a row of activations, as floats or quantized to int8 once for all matrices that
//! read it.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "sluice/core/config.hpp"

namespace sluice::quant {

//! A row of k floats, as it is.
struct F32View {
    const float* x;

    static constexpr std::size_t row_bytes(std::size_t) { return 0; }
};

//! A row of k int8 levels in blocks of N: x[i] = d[i / N] * q[i]. It lies in one piece of row_bytes(k) bytes, aligned
//! to 64: q (zeros up to a multiple of 64), the sums of each 16 levels, the scales (zeros after them).
template <std::size_t N>
struct Q8View {
    static_assert(N == 32 || N == 256);
    static constexpr std::size_t block_size = N;
    static constexpr std::size_t sum_size = 16;

    const std::int8_t* q;      //!< [k], -127..127
    const float* d;            //!< [k / N]; NaN where the block had a non-finite element
    const std::int16_t* sums;  //!< [k / 16]

    //! The row of k levels that lies at `storage`.
    static SLUICE_HD Q8View at(const std::byte* storage, std::size_t k) {
        return {reinterpret_cast<const std::int8_t*>(storage), reinterpret_cast<const float*>(storage + d_offset(k)),
                reinterpret_cast<const std::int16_t*>(storage + sums_offset(k))};
    }

    //! `k` as stored: the next multiple of 64.
    static constexpr std::size_t padded(std::size_t k) { return (k + 63) / 64 * 64; }
    static constexpr std::size_t sums_offset(std::size_t k) { return padded(k); }
    static constexpr std::size_t d_offset(std::size_t k) { return sums_offset(k) + padded(k) / sum_size * 2; }
    static constexpr std::size_t row_bytes(std::size_t k) {
        return padded(d_offset(k) + (padded(k) + N - 1) / N * sizeof(float));
    }
};

//! The same three arrays, to be written.
template <std::size_t N>
struct Q8Row {
    std::int8_t* q;
    float* d;
    std::int16_t* sums;

    //! `storage` has View::row_bytes(k) bytes, aligned to 64.
    SLUICE_HD Q8Row(std::byte* storage, std::size_t k)
        : q(reinterpret_cast<std::int8_t*>(storage)),
          d(reinterpret_cast<float*>(storage + Q8View<N>::d_offset(k))),
          sums(reinterpret_cast<std::int16_t*>(storage + Q8View<N>::sums_offset(k))) {}

    Q8View<N> view() const { return {q, d, sums}; }

    //! Zeros after the row's end, as Q8View promises.
    SLUICE_HD void pad(std::size_t k) const {
        const std::size_t end = Q8View<N>::padded(k);
        for (std::size_t i = k; i < end; ++i) q[i] = 0;
        for (std::size_t i = k / 16; i < end / 16; ++i) sums[i] = 0;
        for (std::size_t i = k / N; i < (end + N - 1) / N; ++i) d[i] = 0.0F;
    }
};

//! How one block becomes levels: q = round(x * inverse), in -127..127.
struct Q8Scale {
    float inverse;
    float d;
};

//! The scale of a block of N whose element of the largest magnitude (the first, if there are several) is `extreme`.
//! For N = 256 that element becomes -127, for N = 32 it keeps its sign. A block below 1e-36 counts as zero: its
//! inverse might not be finite.
template <std::size_t N>
SLUICE_HD inline Q8Scale q8_scale(float extreme) {
    const float magnitude = ::fabsf(extreme);
    if (!(magnitude >= 1e-36F)) return {0.0F, 0.0F};
    if constexpr (N == 256) {
        const float inverse = -127.0F / extreme;
        return {inverse, 1.0F / inverse};
    } else {
        const float d = magnitude / 127.0F;
        return {1.0F / d, d};
    }
}

//! The nearest integer to |x| < 2^22, ties to even, by an addition that rounds.
SLUICE_HD inline int round_even(float x) {
    constexpr float shift = 12582912.0F;  // 1.5 * 2^23
    return static_cast<int>((x + shift) - shift);
}

//! The definition of activation quantization, one scalar at a time: x [k], k a multiple of N.
template <std::size_t N>
Q8View<N> quantize_reference(std::span<const float> x, std::byte* storage) {
    const Q8Row<N> row(storage, x.size());
    for (std::size_t begin = 0; begin < x.size(); begin += N) {
        float extreme = 0.0F;
        bool finite = true;
        for (const float value : x.subspan(begin, N)) {
            finite = finite && std::isfinite(value);
            if (std::fabs(value) > std::fabs(extreme)) extreme = value;
        }
        const Q8Scale scale = finite ? q8_scale<N>(extreme) : Q8Scale{0.0F, std::numeric_limits<float>::quiet_NaN()};
        row.d[begin / N] = scale.d;
        for (std::size_t i = begin; i < begin + N; ++i) {
            row.q[i] = static_cast<std::int8_t>(finite ? round_even(x[i] * scale.inverse) : 0);
        }
        for (std::size_t i = begin; i < begin + N; i += 16) {
            int sum = 0;
            for (std::size_t j = i; j < i + 16; ++j) sum += row.q[j];
            row.sums[i / 16] = static_cast<std::int16_t>(sum);
        }
    }
    row.pad(x.size());
    return row.view();
}

}  // namespace sluice::quant
