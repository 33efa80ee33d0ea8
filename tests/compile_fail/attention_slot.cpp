// SPDX-License-Identifier: Apache-2.0
//! A type that does not fit the Attention slot is told by the slot's name.
// EXPECT: the Attention slot does not model
#include "sluice/sluice.hpp"

struct Broken {
    explicit Broken(const sluice::AttentionShape&) {}  // no attend
};

struct Policies : sluice::Qwen3MoeCpu<sluice::quant::Q4_K_M> {
    using Attention = Broken;
};

constexpr bool fits = sluice::check_policies<Policies>();
