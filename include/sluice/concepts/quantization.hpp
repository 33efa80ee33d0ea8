// SPDX-License-Identifier: Apache-2.0
//! The Quantization slot: which number formats a pipeline can compute with; and what such a format must state.
#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

#include "sluice/core/format.hpp"
#include "sluice/quant/activation.hpp"
#include "sluice/quant/levels.hpp"

namespace sluice {

//! What all formats have: the tag in files, its name, how many elements a Block holds, and the form in which it wants
//! the other side of a dot product. `Block` is what lies in the file: trivially copyable, no padding.
template <class F>
concept AnyBlockFormat = std::is_trivially_copyable_v<typename F::Block> && requires {
    { F::format } -> std::convertible_to<quant::Format>;
    { F::name } -> std::convertible_to<std::string_view>;
    { F::block_size } -> std::convertible_to<std::size_t>;
    typename F::Activation;
};

//! A linear integer code: `unpack` turns a Block into quant::Levels or quant::LevelsWithMin of block_size elements.
template <class F>
concept IntegerFormat = AnyBlockFormat<F> && requires(const typename F::Block& block) {
    { F::unpack(block) } -> std::same_as<typename F::Levels>;
    requires F::Levels::size == F::block_size;
    requires std::same_as<typename F::Activation, quant::Q8View<F::block_size>>;
};

//! Numbers one by one: `decode` turns a Block into its float.
template <class F>
concept FloatFormat = AnyBlockFormat<F> && requires(const typename F::Block& block) {
    { F::decode(block) } -> std::same_as<float>;
    requires F::block_size == 1;
    requires std::same_as<typename F::Activation, quant::F32View>;
};

//! A number format that weights can have.
template <class F>
concept BlockFormat = IntegerFormat<F> || FloatFormat<F>;

namespace detail {
struct AnyFormatVisitor {
    template <class F>
    void operator()() const {}
};
}  // namespace detail

//! A set of block formats. `contains(format)`; `names()` for messages, such as "Q4_K, Q6_K, F32"; `visit(format, f)`
//! returns f.template operator()<F>() for the F with that tag, which the set must contain.
template <class Q>
concept Quantization = requires(quant::Format format, detail::AnyFormatVisitor visitor) {
    { Q::contains(format) } -> std::same_as<bool>;
    { Q::names() } -> std::convertible_to<std::string>;
    Q::visit(format, visitor);
};

}  // namespace sluice
