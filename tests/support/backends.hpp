// SPDX-License-Identifier: Apache-2.0
//! Tests of a policy on each SIMD back end that this build can run.
#pragma once

#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "sluice/cpu/simd.hpp"

namespace sluice::test {

//! f.template operator()<V>(), for each back end V.
template <class F>
void for_each_backend(F f) {
    [&]<class... V>(std::type_identity<std::tuple<V...>>) {
        (f.template operator()<V>(), ...);
    }(std::type_identity<simd::Backends>());
}

//! "cpu::Name<AVX2>".
template <class V>
std::string on_backend(std::string_view policy) {
    return std::string(policy) + "<" + std::string(V::name) + ">";
}

}  // namespace sluice::test
