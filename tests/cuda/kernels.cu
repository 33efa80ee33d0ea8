// SPDX-License-Identifier: Apache-2.0
//! All kernels of the pipeline BUNDLE, for check_kernels.sh. These bundles have every format and every cache.
#include "sluice/cuda/gpu.cuh"

namespace sluice {

using namespace quant;

template <class Unit, class... Formats>
struct Bundle : Qwen3MoeCuda<OneOf<Formats...>> {
    using KvCache = cuda::ContiguousKvCache<cuda::Gpu, Unit>;
};
using Q4_K_Q6_K_F32 = Bundle<Half, Q4_K, Q6_K, F32>;
using Q5_K_Q8_0_Q4_0 = Bundle<Q8_0::Block, Q5_K, Q8_0, Q4_0>;
using Q5_0_F16_BF16 = Bundle<float, Q5_0, F16, BF16>;

template class cuda::Forward<BUNDLE>;

}  // namespace sluice
