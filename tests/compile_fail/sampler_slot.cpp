// SPDX-License-Identifier: Apache-2.0
//! A type that does not fit the Sampler slot is told by the slot's name.
// EXPECT: the Sampler slot does not model
#include "sluice/sluice.hpp"

struct Broken {
    sluice::Token sample(std::span<float> logits);  // no context, no way to tell an error
};

struct Policies : sluice::Qwen3MoeCpu<sluice::quant::Q4_K_M> {
    using Sampler = Broken;
};

constexpr bool fits = sluice::check_policies<Policies>();
