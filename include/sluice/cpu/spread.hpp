// SPDX-License-Identifier: Apache-2.0
//! Units unpacked once for several columns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/config.hpp"
#include "sluice/core/for_each_constant.hpp"
#include "sluice/cpu/interleaved.hpp"
#include "sluice/cpu/unit.hpp"

namespace sluice::cpu {

namespace detail {

//! A unit of levels below 128, unpacked, which V::spread_columns or hardly fewer pay for. Figures: docs/performance.md.
template <IntegerFormat F, class V>
struct Spread : SpreadUnit<F, V, Interleaved<F, V>::has_scales> {
    using L = typename F::Levels;
    using T = Interleaved<F, V>;
    using U = SpreadUnit<F, V, T::has_scales>;
    static constexpr int bias = T::bias, max = T::max;
    static constexpr bool has_scales = T::has_scales;

    //! From an Interleaved unit. `spread` is aligned to 64 bytes and has `words` vectors.
    static void make(const std::byte* unit, std::byte* spread) {
        const auto put = [&](std::size_t word, auto value) SLUICE_INLINE_LAMBDA {
            using Number = std::conditional_t<std::is_same_v<decltype(value), typename V::F32>, float, std::int32_t>;
            V::store(reinterpret_cast<Number*>(spread) + 16 * word, value);
        };
        for_each_constant<U::size / 16>([&](auto s) SLUICE_INLINE_LAMBDA {
            for (std::size_t i = 0; i < 4; ++i) {
                V::store_bytes(spread + 64 * (4 * s() + i), T::template levels<s()>(unit, i));
            }
        });
        if constexpr (has_scales) {
            for_each_constant<U::groups>(
                [&](auto g) SLUICE_INLINE_LAMBDA { put(U::first_scale + g(), T::template scale<g()>(unit)); });
        }
        for_each_constant<U::size / 32>([&](auto p) SLUICE_INLINE_LAMBDA {
            if constexpr (has_scales && bias != 0) put(U::first_scale_pair + p(), T::template scale_pair<p()>(unit));
            if constexpr (L::has_min) put(U::first_min_pair + p(), T::template min_pair<p()>(unit));
        });
        for_each_constant<Unit<F>::blocks>([&](auto b) SLUICE_INLINE_LAMBDA {
            put(U::first_d + b(), T::template d<b()>(unit));
            if constexpr (L::has_min) put(U::first_dmin + b(), T::template dmin<b()>(unit));
        });
    }
};

}  // namespace detail

}  // namespace sluice::cpu
