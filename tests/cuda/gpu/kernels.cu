// SPDX-License-Identifier: Apache-2.0
//! The kernels of the tests and benchmarks that run on a GPU.
#include "cuda/as_policies.hpp"
#include "cuda/policies_on.hpp"
#include "sluice/cuda/gpu.cuh"

namespace sluice {  // where `cuda` is ours, and not the toolkit's

using cuda::Gpu;

template class cuda::Forward<Qwen3MoeCuda<>>;  // of benchmarks/gpu
template class cuda::Forward<test::PoliciesOn<Gpu, quant::Any>>;
template class cuda::Forward<test::PoliciesOn<Gpu, quant::Any, quant::Q8_0::Block>>;

template struct test::DeviceRouter<Gpu>;
template class test::DeviceKvCache<Gpu, float>;
template class test::DeviceKvCache<Gpu, Half>;
template class test::DeviceKvCache<Gpu, quant::Q8_0::Block>;
// What a member template of these launches, which is compiled where it is called.
template void cuda::Gpu::launch(const test::StoreRow<float>&, cuda::Dim);
template void cuda::Gpu::launch(const test::StoreRow<Half>&, cuda::Dim);
template void cuda::Gpu::launch(const test::StoreRow<quant::Q8_0::Block>&, cuda::Dim);
template class test::DeviceAttention<Gpu, Half, false>;
template class test::DeviceAttention<Gpu, Half, true>;
template class test::DeviceAttention<Gpu, quant::Q8_0::Block, true>;
template class test::DeviceExperts<Gpu>;

}  // namespace sluice
