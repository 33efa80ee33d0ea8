// SPDX-License-Identifier: Apache-2.0
//! The Drafter slot: who guesses the tokens that come next, so that one forward pass can check several of them.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>

#include "sluice/core/types.hpp"

namespace sluice {

//! A guess costs a row of a forward pass, and saves a pass where it is right; it never changes what is generated.
//!
//! - It is built from the number of positions of the longest text.
//! - `D::max_tokens`, a constant, is the length of the longest proposal.
//! - `drafter.restart()`: another text begins.
//! - `drafter.propose(history, most)` returns what may follow `history` (prompt and generated tokens, which begin with
//!   those of the last call since restart()): at most `most` tokens of the vocabulary, valid until the next call.
template <class D>
concept Drafter = std::movable<D> && std::constructible_from<D, std::size_t> &&
    requires(D& drafter, std::span<const Token> history, std::size_t most) {
    typename std::integral_constant<std::size_t, D::max_tokens>;
    drafter.restart();
    { drafter.propose(history, most) } -> std::same_as<std::span<const Token>>;
};

}  // namespace sluice
