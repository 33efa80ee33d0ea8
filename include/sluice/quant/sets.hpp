// SPDX-License-Identifier: Apache-2.0
//! Ready-made Quantization policies, named as model files are: what such files of Qwen3-MoE hold.
#pragma once

#include "sluice/quant/bf16.hpp"
#include "sluice/quant/f16.hpp"
#include "sluice/quant/f32.hpp"
#include "sluice/quant/one_of.hpp"
#include "sluice/quant/q4_0.hpp"
#include "sluice/quant/q4_k.hpp"
#include "sluice/quant/q5_0.hpp"
#include "sluice/quant/q5_k.hpp"
#include "sluice/quant/q6_k.hpp"
#include "sluice/quant/q8_0.hpp"

namespace sluice::quant {

// Norms and routers are F32 in every file.
using Q4_K_M = OneOf<Q4_K, Q6_K, F32>;
using Q5_K_M = OneOf<Q5_K, Q6_K, F32>;
using OnlyQ6_K = OneOf<Q6_K, F32>;
using OnlyQ8_0 = OneOf<Q8_0, F32>;
using OnlyQ5_0 = OneOf<Q5_0, Q6_K, F32>;  // the output matrix of legacy files is Q6_K
using OnlyQ4_0 = OneOf<Q4_0, Q6_K, F32>;
using OnlyBF16 = OneOf<BF16, F32>;
using OnlyF16 = OneOf<F16, F32>;
using OnlyF32 = OneOf<F32>;

//! Whatever the file holds.
using Any = OneOf<Q4_K, Q6_K, Q5_K, Q8_0, Q4_0, Q5_0, F32, BF16, F16>;

}  // namespace sluice::quant
