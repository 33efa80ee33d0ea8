// SPDX-License-Identifier: Apache-2.0
//! A slot that a device would not look at may not be replaced in a bundle for it.
// EXPECT: Qwen3MoeCuda: the Attention slot is the CPU's alone
// EXPECT: Qwen3MoeCuda: the Router slot is the CPU's alone
// EXPECT: Qwen3MoeCuda: the Experts slot is the CPU's alone
#include "sluice/cuda/emulated.hpp"
#include "sluice/cuda/policies.hpp"

using namespace sluice;
using OnDevice = Qwen3MoeOn<cuda::Emulated, quant::Q4_K_M>;

struct Mine {};

struct OtherAttention : OnDevice {
    using Attention = Mine;
};
template class cuda::Forward<OtherAttention>;

struct OtherRouter : OnDevice {
    using Router = Mine;
};
template class cuda::Forward<OtherRouter>;

struct OtherExperts : OnDevice {
    using Experts = Mine;
};
template class cuda::Forward<OtherExperts>;
