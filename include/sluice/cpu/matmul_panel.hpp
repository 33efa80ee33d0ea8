// SPDX-License-Identifier: Apache-2.0
//! Sixteen weight rows times many activation rows: the rows are unpacked once, one to a vector lane, and the integer
//! products are made with activation words that all lanes share.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "sluice/concepts/quantization.hpp"
#include "sluice/cpu/matmul_rows.hpp"
#include "sluice/cpu/row_tile.hpp"
#include "sluice/cpu/unpack.hpp"

namespace sluice::cpu {

//! One unit (see Unit) of sixteen rows.
template <IntegerFormat F, class V>
class Panel {
    using L = typename F::Levels;
    using Block = typename F::Block;
    using View = typename F::Activation;
    static constexpr std::size_t size = Unit<F>::size, groups = size / L::group;
    static constexpr bool native = Unpackable<F, V>;
    static constexpr bool has_scales = L::groups > 1 || !native;  // the built-in formats of one group have scale 1

    static constexpr int bias() {
        if constexpr (native) return Unpack<F, V>::bias;
        return 128;
    }
    static constexpr int max() {
        if constexpr (native) return Unpack<F, V>::max;
        return 255;
    }

public:
    void load(const RowTile& tile, std::size_t at) {
        if constexpr (native) {
            load_native(tile, at, std::make_integer_sequence<int, size / 64>());
        } else {
            load_generic(tile, at);
        }
    }

    //! One float step a block for C columns: acc[c] [16] of column c grows by the first `blocks` blocks, which are the
    //! activations' blocks `block` and on.
    template <std::size_t C>
    void multiply(const View* x, std::size_t block, std::size_t blocks, float (*acc)[16]) const {
        for (std::size_t b = 0; b < blocks; ++b) {
            const std::size_t begin = (block + b) * L::size;
            typename V::I32 isum[C];
            for (auto& sum : isum) sum = V::zero_i32();
            for (std::size_t g = 0; g < L::groups; ++g) {
                typename V::I32 sum[C];
                const std::size_t from = begin + g * L::group;
                for (std::size_t c = 0; c < C; ++c) {
                    sum[c] = bias() == 0 ? V::zero_i32() : V::set_i32(-bias() * group_sum(x[c].sums + from / 16));
                }
                const auto* words = levels_[(b * L::size + g * L::group) / 4];
                for (std::size_t i = 0; i < L::group; i += 4) {
                    const auto word = V::load_bytes(words + i / 4 * 64);
                    for (std::size_t c = 0; c < C; ++c) {
                        sum[c] = V::template dot4_each<max()>(sum[c], word, x[c].q + from + i);
                    }
                }
                for (std::size_t c = 0; c < C; ++c) {
                    if constexpr (has_scales) sum[c] = V::mul(sum[c], V::load(scales_[b * L::groups + g]));
                    isum[c] = V::add(isum[c], sum[c]);
                }
            }
            for (std::size_t c = 0; c < C; ++c) {
                const float dx = x[c].d[block + b];
                auto y = detail::step<V>(V::load(acc[c]), V::load(d_[b]), dx, isum[c]);
                if constexpr (L::has_min) {
                    auto msum = V::zero_i32();
                    for (std::size_t i = 0; i < L::size / 32; ++i) {
                        const auto pairs = V::load(min_pairs_[b * L::size / 32 + i]);
                        msum = V::dot2_each(msum, pairs, x[c].sums + begin / 16 + 2 * i);
                    }
                    y = detail::step<V>(y, V::load(dmin_[b]), -dx, msum);
                }
                V::store(acc[c], y);
            }
        }
    }

private:
    //! The sum of a group's activations.
    static SLUICE_INLINE int group_sum(const std::int16_t* sums) {
        int sum = 0;
        for (std::size_t i = 0; i < L::group / 16; ++i) sum += sums[i];
        return sum;
    }

    template <int... Run>
    void load_native(const RowTile& tile, std::size_t at, std::integer_sequence<int, Run...>) {
        using U = Unpack<F, V>;
        const auto load_run = [&]<int R>() {
            typename V::Bytes rows[16];
            for (std::size_t r = 0; r < 16; ++r) rows[r] = U::template levels<R>(tile.template at<Block>(r, at));
            V::transpose(rows);
            for (std::size_t i = 0; i < 16; ++i) V::store_bytes(levels_[16 * R + i], rows[i]);
        };
        (load_run.template operator()<Run>(), ...);

        const auto offsets = V::load(tile.offset.data());
        for (std::size_t b = 0; b < Unit<F>::blocks; ++b) {
            const auto words = V::gather(tile.base + at + b * sizeof(Block) + U::header, offsets);
            V::store(d_[b], U::d(words));
            if constexpr (L::has_min) V::store(dmin_[b], U::dmin(words));
        }
        if constexpr (has_scales) {
            const auto block_at = [&](std::size_t r) { return tile.template at<Block>(r, at); };
            alignas(64) std::int8_t buffer[16][16];
            U::unpack_scales(block_at, buffer);
            typename V::I32 numbers[16];  // of a block: the scales, then the minima
            for (std::size_t r = 0; r < 16; ++r) numbers[r] = V::load(U::scales(*block_at(r), buffer[r]));
            V::transpose(numbers);
            for (std::size_t g = 0; g < groups; ++g) V::store(scales_[g], numbers[g]);
            if constexpr (L::has_min) {
                static_assert(L::group == 32);  // so both halves of 32 levels have the same minimum
                for (std::size_t g = 0; g < groups; ++g) {
                    V::store(min_pairs_[g], V::pair(numbers[groups + g], numbers[groups + g]));
                }
            }
        }
    }

    void load_generic(const RowTile& tile, std::size_t at) {
        for (std::size_t b = 0; b < Unit<F>::blocks; ++b) {
            for (std::size_t r = 0; r < 16; ++r) {
                const L levels = F::unpack(tile.template at<Block>(r, at)[b]);
                for (std::size_t i = 0; i < L::size; ++i) {
                    levels_[(b * L::size + i) / 4][4 * r + i % 4] = static_cast<std::uint8_t>(levels.q[i] + bias());
                }
                for (std::size_t g = 0; g < L::groups; ++g) scales_[b * L::groups + g][r] = levels.scale[g];
                d_[b][r] = levels.d;
                if constexpr (L::has_min) {
                    dmin_[b][r] = levels.dmin;
                    for (std::size_t i = 0; i < L::size; i += 32) {
                        const int low = levels.min[i / L::group], high = levels.min[(i + 16) / L::group];
                        min_pairs_[(b * L::size + i) / 32][r] = low | high << 16;
                    }
                }
            }
        }
    }

    alignas(64) std::uint8_t levels_[size / 4][64];      // [4 levels, row, 4]
    alignas(64) std::int32_t scales_[groups][16];        // [group, row]
    alignas(64) std::int32_t min_pairs_[size / 32][16];  // of the first and the second 16 of 32 levels, as V::pair
    alignas(64) float d_[Unit<F>::blocks][16];
    alignas(64) float dmin_[Unit<F>::blocks][16];
};

//! column.y[first_row + r] = row r . column.x for the tile's first n rows of k elements.
template <IntegerFormat F, class V>
void multiply_panel(const RowTile& rows, std::size_t k, std::span<const Column<typename F::Activation>> columns,
                    std::size_t first_row, std::size_t n) {
    constexpr std::size_t most = 128, widest = V::registers >= 32 ? 12 : 4;
    while (!columns.empty()) {
        const auto chunk = columns.first(std::min(most, columns.size()));
        columns = columns.subspan(chunk.size());
        // Column kernels come in multiples of four: the last column is repeated.
        const std::size_t padded = (chunk.size() + 3) / 4 * 4;
        std::array<typename F::Activation, most> x;
        for (std::size_t c = 0; c < padded; ++c) x[c] = chunk[std::min(c, chunk.size() - 1)].x;
        alignas(64) float acc[most][16];
        for (std::size_t c = 0; c < padded; ++c) V::store(acc[c], V::zero());

        Panel<F, V> panel;
        Unit<F>::for_each(rows, k, [&](const RowTile& tile, std::size_t at, std::size_t block, std::size_t blocks) {
            panel.load(tile, at);
            std::size_t c = 0;
            for (; c + widest <= padded; c += widest) {
                panel.template multiply<widest>(x.data() + c, block, blocks, acc + c);
            }
            if constexpr (widest > 8) {
                if (c + 8 == padded) panel.template multiply<8>(x.data() + c, block, blocks, acc + c);
                if (c + 4 == padded) panel.template multiply<4>(x.data() + c, block, blocks, acc + c);
            }
        });
        for (std::size_t c = 0; c < chunk.size(); ++c) V::store_first(chunk[c].y + first_row, V::load(acc[c]), n);
    }
}

}  // namespace sluice::cpu
