// SPDX-License-Identifier: Apache-2.0
//! What gpu/kernels.cu compiles for the tests.
#pragma once

#include "cuda/policies_on.hpp"
#include "sluice/cuda/gpu.hpp"
#include "sluice/quant/q8_0.hpp"
#include "sluice/quant/sets.hpp"

namespace sluice::cuda {

extern template class Forward<Qwen3MoeCuda<>>;
extern template class Forward<Qwen3MoeHybrid<>>;
extern template class Forward<test::SampledOnHost<Gpu, quant::Any>>;
extern template class Forward<test::PoliciesOn<Gpu, quant::Any>>;
extern template class Forward<test::PoliciesOn<Gpu, quant::Any, float>>;
extern template class Forward<test::PoliciesOn<Gpu, quant::Any, quant::Q8_0::Block>>;

}  // namespace sluice::cuda
