// SPDX-License-Identifier: Apache-2.0
//! Interleaved integer weights times quantized activations, for any number of columns: a unit is unpacked in registers,
//! or for several columns before (spread.hpp). One column of some formats in a file's layout has another kernel:
//! matmul_rows.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/config.hpp"
#include "sluice/core/for_each_constant.hpp"
#include "sluice/cpu/interleaved.hpp"
#include "sluice/cpu/read_ahead.hpp"
#include "sluice/cpu/row_tile.hpp"
#include "sluice/cpu/simd.hpp"
#include "sluice/cpu/spread.hpp"
#include "sluice/cpu/unit.hpp"

namespace sluice::cpu {

namespace detail {

//! One more float step of the definition (quant/dot_reference.hpp), sixteen rows at once.
template <class V>
SLUICE_INLINE typename V::F32 step(typename V::F32 acc, typename V::F32 d, float dx, typename V::I32 isum) {
    return V::fma(V::mul(d, V::set(dx)), V::to_float(isum), acc);
}

//! acc after the product of block B of the unit with block `block` of x. isum: of each row, the sum of the products of
//! levels + bias, x and scales. T: the unit's form; of it only what Interleaved::pack_scales() writes is read.
template <IntegerFormat F, class V, class T, std::size_t B>
SLUICE_INLINE typename V::F32 add_block(const std::byte* unit, const typename F::Activation& x, std::size_t block,
                                        typename V::I32 isum, typename V::F32 acc) {
    using L = typename F::Levels;
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

//! What the sum of products of levels + bias begins with: 0, or where there are no scales what takes the bias off.
template <IntegerFormat F, class V>
SLUICE_INLINE typename V::I32 first_sum(const typename F::Activation& x, std::size_t block) {
    using T = Interleaved<F, V>;
    if constexpr (T::has_scales) {
        return V::zero_i32();
    } else {
        static_assert(F::Levels::groups == 1 && F::Levels::group == 32);
        constexpr std::int32_t minus_bias = (-T::bias & 0xFFFF) | -T::bias * 0x10000;
        return V::dot2_each(V::zero_i32(), V::set_i32(minus_bias), x.sums + 2 * block);
    }
}

//! isum + the products `dots` of group G of a unit, times its scale if it has one.
template <class V, class T, std::size_t G>
SLUICE_INLINE typename V::I32 add_group(const std::byte* unit, typename V::I32 isum,
                                        typename V::template Dots<T::max> dots) {
    if constexpr (T::has_scales) {
        return V::template add_scaled<T::max>(isum, dots, T::template scale<G>(unit));
    } else {
        return V::template add_dots<T::max>(isum, dots);
    }
}

//! Lines that each of `times` places in the computing of a block asks for: in all three quarters of what sixteen rows
//! have of one. The first quarter is asked for while the block is interleaved.
template <class F>
constexpr std::size_t lines_each(std::size_t times) {
    constexpr std::size_t lines = simd::lanes * sizeof(typename F::Block) / 64 * 3 / 4;
    return (lines + times - 1) / times;
}

//! acc[c] grows by the product of block B of the unit with block `block` of column c, for C columns.
template <IntegerFormat F, class V, std::size_t B, std::size_t C>
SLUICE_INLINE void multiply_block(const std::byte* unit, const std::array<typename F::Activation, C>& x,
                                  std::size_t block, std::array<typename V::F32, C>& acc, ReadAhead<V>& ahead) {
    using L = typename F::Levels;
    using T = Interleaved<F, V>;
    const std::size_t begin = block * L::size;

    // A few columns leave room for the sums of several groups at once: of all that share the bytes of a weight word.
    constexpr std::size_t strips = L::group / 16, sharing = std::clamp<std::size_t>(128 / L::group, 1, L::groups);
    constexpr std::size_t together = C <= 2 && V::registers > 1 ? sharing : 1;
    // Words of a strip whose products there is room for.
    constexpr std::size_t fit = std::min<std::size_t>(4, V::template dots_fit<T::max> / strips);
    static_assert(fit > 0 && 4 % fit == 0);
    typename V::I32 isum[C];
    SLUICE_UNROLL
    for (std::size_t c = 0; c < C; ++c) isum[c] = first_sum<F, V>(x[c], block);
    for_each_constant<L::groups / together>([&](auto turn) SLUICE_INLINE_LAMBDA {
        constexpr std::size_t first = turn() * together;
        if constexpr (together == 1) ahead.ask(lines_each<F>(L::groups));
        for (std::size_t word = 0; word < 4; word += fit) {
            typename V::template Dots<T::max> sum[together][C];
            SLUICE_UNROLL
            for (std::size_t c = 0; c < C; ++c) {
                SLUICE_UNROLL
                for (std::size_t g = 0; g < together; ++g) sum[g][c] = V::template no_dots<T::max>();
            }
            // Not unrolled: AVX2 is 1.4 times as fast so (its code fits), and g++ takes 3 s for Q4_K where it took 80.
            for (std::size_t i = word; i < word + fit; ++i) {
                if constexpr (together > 1) ahead.ask(lines_each<F>(L::groups / together * 4));
                for_each_constant<together * strips>([&](auto strip) SLUICE_INLINE_LAMBDA {
                    constexpr std::size_t s = first * strips + strip();
                    const auto levels = T::template levels<B * L::size / 16 + s>(unit, i);
                    SLUICE_UNROLL
                    for (std::size_t c = 0; c < C; ++c) {
                        auto& dots = sum[strip() / strips][c];
                        dots = V::template dot4_each<T::max>(dots, levels, x[c].q + begin + 16 * s + 4 * i);
                    }
                });
            }
            for_each_constant<together>([&](auto g) SLUICE_INLINE_LAMBDA {
                SLUICE_UNROLL
                for (std::size_t c = 0; c < C; ++c) {
                    isum[c] = add_group<V, T, B * L::groups + first + g()>(unit, isum[c], sum[g()][c]);
                }
            });
        }
    });
    SLUICE_UNROLL
    for (std::size_t c = 0; c < C; ++c) acc[c] = add_block<F, V, T, B>(unit, x[c], block, isum[c], acc[c]);
}

//! The same of a spread unit. What differs from group to group is in its memory, so this is a loop, and short.
template <IntegerFormat F, class V, std::size_t B, std::size_t C>
SLUICE_INLINE void multiply_spread(const std::byte* unit, const std::array<typename F::Activation, C>& x,
                                   std::size_t block, std::array<typename V::F32, C>& acc, ReadAhead<V>& ahead) {
    using L = typename F::Levels;
    using T = Spread<F, V>;
    constexpr std::size_t words = L::group / 4, fit = std::min(words, V::template dots_fit<T::max>);
    static_assert(fit > 0 && words % fit == 0);
    typename V::I32 isum[C];
    SLUICE_UNROLL
    for (std::size_t c = 0; c < C; ++c) isum[c] = first_sum<F, V>(x[c], block);
    // A spread unit begins with its levels, and every group's scale is a vector.
    const std::byte *levels = unit + 16 * B * L::size, *scale = unit + 64 * B * L::groups;
    std::size_t at = block * L::size;
    for (std::size_t g = 0; g < L::groups; ++g, scale += 64) {
        ahead.ask(lines_each<F>(L::groups));
        for (std::size_t word = 0; word < words; word += fit, levels += 64 * fit, at += 4 * fit) {
            typename V::template Dots<T::max> sum[C];
            SLUICE_UNROLL
            for (std::size_t c = 0; c < C; ++c) {
                V::keep_in_memory(isum[c]);
                sum[c] = V::template no_dots<T::max>();
            }
            for_each_constant<fit>([&](auto i) SLUICE_INLINE_LAMBDA {
                const auto four = V::load_bytes(levels + 64 * i());
                SLUICE_UNROLL
                for (std::size_t c = 0; c < C; ++c) {
                    sum[c] = V::template dot4_each<T::max>(sum[c], four, x[c].q + at + 4 * i());
                }
            });
            SLUICE_UNROLL
            for (std::size_t c = 0; c < C; ++c) isum[c] = add_group<V, T, 0>(scale, isum[c], sum[c]);
        }
    }
    SLUICE_UNROLL
    for (std::size_t c = 0; c < C; ++c) acc[c] = add_block<F, V, T, B>(unit, x[c], block, isum[c], acc[c]);
}

//! y[c] [16] grows by the products of `blocks` blocks of a tile, in units of form T from `units` on, with blocks
//! `first_block` and on of column c. Columns after the last one, up to C of them, repeat it and are not stored.
template <IntegerFormat F, class V, class T, std::size_t C>
void multiply_units(const std::byte* units, std::size_t first_block, std::size_t blocks,
                    std::span<const Column<typename F::Activation>> columns, float (*y)[16], ReadAhead<V>& ahead) {
    std::array<typename F::Activation, C> x;
    std::array<typename V::F32, C> acc;
    SLUICE_UNROLL
    for (std::size_t c = 0; c < C; ++c) {
        const std::size_t from = std::min(c, columns.size() - 1);
        x[c] = columns[from].x;
        acc[c] = V::load(y[from]);
    }
    const auto multiply = [&](auto b, std::size_t block) SLUICE_INLINE_LAMBDA {
        if constexpr (std::is_same_v<T, Spread<F, V>>) {
            multiply_spread<F, V, b(), C>(units, x, block, acc, ahead);
        } else {
            multiply_block<F, V, b(), C>(units, x, block, acc, ahead);
        }
    };
    for (std::size_t b = 0; b < blocks; b += Unit<F>::blocks, units += T::words * 64) {
        for_each_constant<Unit<F>::blocks>([&](auto i) SLUICE_INLINE_LAMBDA {
            if (i() == 0 || b + i() < blocks) multiply(i, first_block + b + i());
        });
    }
    SLUICE_UNROLL
    for (std::size_t c = 0; c < C; ++c) {
        if (c < columns.size()) V::store(y[c], acc[c]);
    }
}

}  // namespace detail

//! Some units of a tile, one after the other, and what to ask for while they are computed with.
template <class V>
struct Panel {
    const std::byte* units;
    std::size_t count;
    ReadAhead<V> ahead = {};
};

//! column.y[first_row + r] = row r . column.x for the first n of sixteen rows of k elements. panel_at(u) gives the
//! rows' interleaved units from u on, as many as it likes, valid until it is called again.
template <IntegerFormat F, class V, class PanelAt>
void multiply_integers(PanelAt panel_at, std::size_t k, std::span<const Column<typename F::Activation>> columns,
                       std::size_t first_row, std::size_t n) {
    // Levels of whole bytes have nothing to unpack.
    using Few = Interleaved<F, V>;
    using Many = detail::Spread<F, V>;
    constexpr std::size_t wide = Few::max < 128 ? V::spread_columns : 0,
                          spread_units = wide > 0 ? Unit<F>::in_panel : 0;
    alignas(64) std::array<std::byte, spread_units * 64 * Many::words> spread;

    constexpr std::size_t most = 128;
    const std::size_t total = k / F::block_size;
    while (!columns.empty()) {
        const auto chunk = columns.first(std::min(most, columns.size()));
        columns = columns.subspan(chunk.size());
        alignas(64) float y[most][16];
        for (std::size_t c = 0; c < chunk.size(); ++c) V::store(y[c], V::zero());
        for (std::size_t block = 0; block < total;) {
            Panel<V> panel = panel_at(block / Unit<F>::blocks);
            const bool spreads = wide > 0 && chunk.size() >= wide * 3 / 4;
            if (spreads) panel.count = std::min(panel.count, spread_units);
            const std::size_t blocks = std::min(panel.count * Unit<F>::blocks, total - block);
            std::size_t c = 0;
            // The next C columns, of which the last ones may repeat one.
            const auto multiply = [&]<class T, std::size_t C>(const std::byte* units) {
                detail::multiply_units<F, V, T, C>(units, block, blocks, chunk.subspan(c), y + c, panel.ahead);
                c += C;
            };
            if constexpr (wide > 0) {
                for (std::size_t u = 0; spreads && u < panel.count; ++u) {
                    Many::make(panel.units + u * 64 * Few::words, spread.data() + u * 64 * Many::words);
                }
                while (c + wide * 3 / 4 <= chunk.size()) multiply.template operator()<Many, wide>(spread.data());
            }
            if constexpr (V::registers > 1) {
                if constexpr (wide != 4) {
                    while (c + 2 < chunk.size()) multiply.template operator()<Few, 4>(panel.units);
                }
                while (c + 2 == chunk.size()) multiply.template operator()<Few, 2>(panel.units);
            }
            while (c < chunk.size()) multiply.template operator()<Few, 1>(panel.units);
            block += blocks;
        }
        for (std::size_t c = 0; c < chunk.size(); ++c) V::store_first(chunk[c].y + first_row, V::load(y[c]), n);
    }
}

}  // namespace sluice::cpu
