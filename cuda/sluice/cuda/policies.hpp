// SPDX-License-Identifier: Apache-2.0
//! Qwen3-MoE on a device, as a policy bundle.
#pragma once

#include "sluice/cuda/forward.hpp"
#include "sluice/cuda/hop.hpp"
#include "sluice/cuda/kv_cache.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/cuda/sampler.hpp"
#include "sluice/pipeline/policies.hpp"

namespace sluice {

//! On a D: cuda::Gpu (Qwen3MoeCuda of cuda/gpu.hpp), or cuda::Emulated.
template <cuda::Device D, class Q = quant::Any>
struct Qwen3MoeOn : Qwen3MoeCpu<Q> {
    using Executor = D;
    using KvCache = cuda::KvCacheF16<D>;
    using Sampler = cuda::DeviceSampler;
    template <class P>
    using Forward = cuda::Forward<P>;
};

//! The same, but the last LoadOptions::cpu_moe layers keep their experts on the CPU, where the Experts slot computes
//! them.
template <cuda::Device D, class Q = quant::Any>
struct Qwen3MoeHybridOn : Qwen3MoeOn<D, Q> {
    template <class P>
    using Forward = cuda::HybridForward<P>;
};

}  // namespace sluice
