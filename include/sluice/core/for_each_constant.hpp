// SPDX-License-Identifier: Apache-2.0
//! A loop whose counter is a constant.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include "sluice/core/config.hpp"

namespace sluice {

//! f(0), f(1), ... f(N - 1), each number as a constant.
template <std::size_t N, class Function>
SLUICE_INLINE void for_each_constant(Function f) {
    [&]<std::size_t... I>(std::index_sequence<I...>) SLUICE_INLINE_LAMBDA {
        (f(std::integral_constant<std::size_t, I>()), ...);
    }
    (std::make_index_sequence<N>());
}

}  // namespace sluice
