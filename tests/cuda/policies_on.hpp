// SPDX-License-Identifier: Apache-2.0
//! The policies of the tests that compare a device with the CPU.
#pragma once

#include "sluice/core/float16.hpp"
#include "sluice/cuda/kv_cache.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/cuda/policies.hpp"
#include "sluice/sampler/standard.hpp"

namespace sluice::test {

//! Q: the formats of the file; Unit: of the cache.
template <cuda::Device D, class Q, class Unit = Half>
struct PoliciesOn : Qwen3MoeHybridOn<D, Q> {
    using KvCache = cuda::ContiguousKvCache<D, Unit>;
};

//! Logits go to the host, which samples.
template <cuda::Device D, class Q>
struct SampledOnHost : Qwen3MoeOn<D, Q> {
    using Sampler = StandardSampler;
};

}  // namespace sluice::test
