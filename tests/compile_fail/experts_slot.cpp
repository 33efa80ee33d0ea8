// SPDX-License-Identifier: Apache-2.0
//! A type that does not fit the Experts slot is told by the slot's name.
// EXPECT: the Experts slot does not model
#include "sluice/sluice.hpp"

struct Broken {
    Broken(const sluice::ExpertsShape&, sluice::cpu::ActivationForms) {}  // no apply
};

struct Policies : sluice::Qwen3MoeCpu<sluice::quant::Q4_K_M> {
    using Experts = Broken;
};

constexpr bool fits = sluice::check_policies<Policies>();
