// SPDX-License-Identifier: Apache-2.0
//! A type that does not fit the Tokenizer slot is told by the slot's name.
// EXPECT: the Tokenizer slot does not model
#include "sluice/sluice.hpp"

struct Broken {
    std::vector<int> encode(const std::string&) const;  // no piece, find_special, ...
};

struct Policies : sluice::Qwen3MoeCpu<sluice::quant::Q4_K_M> {
    using Tokenizer = Broken;
};

constexpr bool fits = sluice::check_policies<Policies>();
