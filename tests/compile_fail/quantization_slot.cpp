// SPDX-License-Identifier: Apache-2.0
//! A type that does not fit the Quantization slot is told by the slot's name.
// EXPECT: the Quantization slot does not model
#include "sluice/sluice.hpp"

struct Broken {};  // no contains, names, visit

struct Policies : sluice::Qwen3MoeCpu<sluice::quant::Q4_K_M> {
    using Quantization = Broken;
};

constexpr bool fits = sluice::check_policies<Policies>();
