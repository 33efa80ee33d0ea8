// SPDX-License-Identifier: Apache-2.0
//! Interleaved integer weights times quantized activations: one kernel for any number of columns. (One
//! column of some formats in a file's layout has another: matmul_rows.hpp.)
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/config.hpp"
#include "sluice/cpu/interleaved.hpp"
#include "sluice/cpu/row_tile.hpp"
#include "sluice/cpu/simd.hpp"

namespace sluice::cpu {

namespace detail {

//! f(0), f(1), ... f(N - 1), each number as a constant.
template <std::size_t N, class Function>
SLUICE_INLINE void for_each_constant(Function f) {
    [&]<std::size_t... I>(std::index_sequence<I...>) SLUICE_INLINE_LAMBDA {
        (f(std::integral_constant<std::size_t, I>()), ...);
    }
    (std::make_index_sequence<N>());
}

//! One more float step of the definition (quant/dot_reference.hpp), sixteen rows at once.
template <class V>
SLUICE_INLINE typename V::F32 step(typename V::F32 acc, typename V::F32 d, float dx, typename V::I32 isum) {
    return V::fma(V::mul(d, V::set(dx)), V::to_float(isum), acc);
}

//! acc after the product of block B of the unit with block `block` of x. isum: of each row, the sum of the products of
//! levels + bias, x and scales. Of the unit only what Interleaved::pack_scales() writes is read.
template <IntegerFormat F, class V, std::size_t B>
SLUICE_INLINE typename V::F32 add_block(const std::byte* unit, const typename F::Activation& x, std::size_t block,
                                        typename V::I32 isum, typename V::F32 acc) {
    using L = typename F::Levels;
    using T = Interleaved<F, V>;
    const std::int16_t* sums = x.sums + block * L::size / 16;
    if constexpr (T::has_scales && T::bias != 0) {
        auto bias = V::zero_i32();
        for_each_constant<L::size / 32>([&](auto pair) SLUICE_INLINE_LAMBDA {
            bias = V::dot2_each(bias, T::template scale_pair<B * L::size / 32 + pair()>(unit), sums + 2 * pair());
        });
        isum = V::sub(isum, V::mul(bias, V::set_i32(T::bias)));
    }
    acc = step<V>(acc, T::template d<B>(unit), x.d[block], isum);
    if constexpr (L::has_min) {
        auto msum = V::zero_i32();
        for_each_constant<L::size / 32>([&](auto pair) SLUICE_INLINE_LAMBDA {
            msum = V::dot2_each(msum, T::template min_pair<B * L::size / 32 + pair()>(unit), sums + 2 * pair());
        });
        acc = step<V>(acc, T::template dmin<B>(unit), -x.d[block], msum);
    }
    return acc;
}

//! acc[c] grows by the product of block B of the unit with block `block` of column c, for C columns.
template <IntegerFormat F, class V, std::size_t B, std::size_t C>
SLUICE_INLINE void multiply_block(const std::byte* unit, const std::array<typename F::Activation, C>& x,
                                  std::size_t block, std::array<typename V::F32, C>& acc) {
    using L = typename F::Levels;
    using T = Interleaved<F, V>;
    const std::size_t begin = block * L::size;

    // A few columns leave room for the sums of several groups at once: of all that share the bytes of a weight word.
    constexpr std::size_t strips = L::group / 16, sharing = std::clamp<std::size_t>(128 / L::group, 1, L::groups);
    constexpr std::size_t together = C <= 2 && V::registers > 1 ? sharing : 1;
    typename V::I32 isum[C];
    for_each_constant<L::groups / together>([&](auto turn) SLUICE_INLINE_LAMBDA {
        constexpr std::size_t first = turn() * together;
        typename V::I32 sum[together][C];
        SLUICE_UNROLL
        for (std::size_t c = 0; c < C; ++c) {
            SLUICE_UNROLL
            for (std::size_t g = 0; g < together; ++g) sum[g][c] = V::zero_i32();
            if constexpr (!T::has_scales) {  // so the bias of all levels comes off at once
                static_assert(L::groups == 1 && L::group == 32);
                constexpr std::int32_t minus_bias = (-T::bias & 0xFFFF) | -T::bias * 0x10000;
                sum[0][c] = V::dot2_each(sum[0][c], V::set_i32(minus_bias), x[c].sums + begin / 16);
            }
        }
        // Not unrolled: AVX2 is 1.4 times as fast so (its code fits), and g++ takes 3 s for Q4_K where it took 80.
        for (std::size_t i = 0; i < 4; ++i) {
            for_each_constant<together * strips>([&](auto strip) SLUICE_INLINE_LAMBDA {
                constexpr std::size_t s = first * strips + strip();
                const auto levels = T::template levels<B * L::size / 16 + s>(unit, i);
                SLUICE_UNROLL
                for (std::size_t c = 0; c < C; ++c) {
                    auto& acc_of = sum[strip() / strips][c];
                    acc_of = V::template dot4_each<T::max>(acc_of, levels, x[c].q + begin + 16 * s + 4 * i);
                }
            });
        }
        for_each_constant<together>([&](auto g) SLUICE_INLINE_LAMBDA {
            SLUICE_UNROLL
            for (std::size_t c = 0; c < C; ++c) {
                auto scaled = sum[g()][c];
                if constexpr (T::has_scales)
                    scaled = V::mul(scaled, T::template scale<B * L::groups + first + g()>(unit));
                isum[c] = first + g() == 0 ? scaled : V::add(isum[c], scaled);
            }
        });
    });
    SLUICE_UNROLL
    for (std::size_t c = 0; c < C; ++c) acc[c] = add_block<F, V, B>(unit, x[c], block, isum[c], acc[c]);
}

//! y[c] [16] grows by the products of `blocks` blocks of a tile, in units from `units` on, with blocks `first_block`
//! and on of column c. Columns after the last one, up to C of them, repeat it and are not stored.
template <IntegerFormat F, class V, std::size_t C>
void multiply_units(const std::byte* units, std::size_t first_block, std::size_t blocks,
                    std::span<const Column<typename F::Activation>> columns, float (*y)[16]) {
    std::array<typename F::Activation, C> x;
    std::array<typename V::F32, C> acc;
    SLUICE_UNROLL
    for (std::size_t c = 0; c < C; ++c) {
        const std::size_t from = std::min(c, columns.size() - 1);
        x[c] = columns[from].x;
        acc[c] = V::load(y[from]);
    }
    for (std::size_t b = 0; b < blocks; b += Unit<F>::blocks, units += Interleaved<F, V>::words * 64) {
        multiply_block<F, V, 0, C>(units, x, first_block + b, acc);
        if constexpr (Unit<F>::blocks > 1) {
            if (b + 1 < blocks) multiply_block<F, V, 1, C>(units, x, first_block + b + 1, acc);
        }
    }
    SLUICE_UNROLL
    for (std::size_t c = 0; c < C; ++c) {
        if (c < columns.size()) V::store(y[c], acc[c]);
    }
}

}  // namespace detail

//! Some units of a tile, one after the other.
struct Panel {
    const std::byte* units;
    std::size_t count;
};

//! column.y[first_row + r] = row r . column.x for the first n of sixteen rows of k elements. panel_at(u) gives the
//! rows' interleaved units from u on, as many as it likes, valid until it is called again.
template <IntegerFormat F, class V, class PanelAt>
void multiply_integers(PanelAt panel_at, std::size_t k, std::span<const Column<typename F::Activation>> columns,
                       std::size_t first_row, std::size_t n) {
    constexpr std::size_t most = 128;
    const std::size_t total = k / F::block_size;
    while (!columns.empty()) {
        const auto chunk = columns.first(std::min(most, columns.size()));
        columns = columns.subspan(chunk.size());
        alignas(64) float y[most][16];
        for (std::size_t c = 0; c < chunk.size(); ++c) V::store(y[c], V::zero());
        for (std::size_t block = 0; block < total;) {
            const Panel panel = panel_at(block / Unit<F>::blocks);
            const std::size_t blocks = std::min(panel.count * Unit<F>::blocks, total - block);
            const auto multiply = [&]<std::size_t C>(std::size_t c) {
                detail::multiply_units<F, V, C>(panel.units, block, blocks, chunk.subspan(c), y + c);
            };
            // Four columns already run at the rate of the multiplier; the last four may repeat a column.
            std::size_t c = 0;
            if constexpr (V::registers > 1) {
                for (; c + 2 < chunk.size(); c += 4) multiply.template operator()<4>(c);
                for (; c + 2 == chunk.size(); c += 2) multiply.template operator()<2>(c);
            }
            for (; c < chunk.size(); ++c) multiply.template operator()<1>(c);
            block += blocks;
        }
        for (std::size_t c = 0; c < chunk.size(); ++c) V::store_first(chunk[c].y + first_row, V::load(y[c]), n);
    }
}

}  // namespace sluice::cpu
