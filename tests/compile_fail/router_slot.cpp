// SPDX-License-Identifier: Apache-2.0
//! A type that does not fit the Router slot is told by the slot's name.
// EXPECT: the Router slot does not model
#include "sluice/sluice.hpp"

struct Broken {
    void route(std::span<float> logits) const;  // nowhere to put the chosen experts
};

struct Policies : sluice::Qwen3MoeCpu<sluice::quant::Q4_K_M> {
    using Router = Broken;
};

constexpr bool fits = sluice::check_policies<Policies>();
