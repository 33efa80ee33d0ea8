// SPDX-License-Identifier: Apache-2.0
//! A type that does not fit the Shape slot is told by the slot's name.
// EXPECT: the Shape slot does not model
#include "sluice/sluice.hpp"

struct Broken {
    static constexpr int layers = 4;  // and no other size
};

struct Policies : sluice::Qwen3MoeCpu<sluice::quant::Q4_K_M> {
    using Shape = Broken;
};

constexpr bool fits = sluice::check_policies<Policies>();
