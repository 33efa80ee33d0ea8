// SPDX-License-Identifier: Apache-2.0
//! All kernels of one pipeline, with either cache, for check_kernels.sh.
#include "sluice/cuda/gpu.cuh"

struct CompactCache : sluice::Qwen3MoeCuda<sluice::quant::Q4_K_M> {
    using KvCache = sluice::cuda::KvCacheQ8_0<sluice::cuda::Gpu>;
};

template class sluice::cuda::Forward<sluice::Qwen3MoeCuda<sluice::quant::Q4_K_M>>;
template class sluice::cuda::Forward<CompactCache>;
