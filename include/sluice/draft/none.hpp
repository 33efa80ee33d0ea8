// SPDX-License-Identifier: Apache-2.0
//! No guesses: every token has a forward pass of its own.
#pragma once

#include <cstddef>
#include <span>

#include "sluice/core/types.hpp"

namespace sluice::draft {

//! A pipeline with this draft holds no code and no memory for guesses.
struct None {
    static constexpr std::size_t max_tokens = 0;
    explicit None(std::size_t /*context*/) {}
    static void restart() {}
    static std::span<const Token> propose(std::span<const Token> /*history*/, std::size_t /*most*/) { return {}; }
};

}  // namespace sluice::draft
