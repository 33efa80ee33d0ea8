// SPDX-License-Identifier: Apache-2.0
//! A type that does not fit the Executor slot is told by the slot's name.
// EXPECT: the Executor slot does not model
#include "sluice/sluice.hpp"

struct Broken {
    static unsigned size() { return 1; }  // no run
};

struct Policies : sluice::Qwen3MoeCpu<sluice::quant::Q4_K_M> {
    using Executor = Broken;
};

constexpr bool fits = sluice::check_policies<Policies>();
