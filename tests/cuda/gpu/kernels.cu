// SPDX-License-Identifier: Apache-2.0
//! The kernels of the tests and benchmarks that run on a GPU.
#include "cuda/as_policies.hpp"
#include "cuda/policies_on.hpp"
#include "sluice/cuda/gpu.cuh"

using namespace sluice;
using cuda::Gpu;

template class sluice::cuda::Forward<Qwen3MoeCuda<>>;  // of benchmarks/gpu
template class sluice::cuda::Forward<test::PoliciesOn<Gpu, quant::Any>>;
template class sluice::cuda::Forward<test::PoliciesOn<Gpu, quant::Any, quant::Q8_0::Block>>;

template struct sluice::test::DeviceRouter<Gpu>;
template class sluice::test::DeviceKvCache<Gpu, float>;
template class sluice::test::DeviceKvCache<Gpu, Half>;
template class sluice::test::DeviceKvCache<Gpu, quant::Q8_0::Block>;
template class sluice::test::DeviceAttention<Gpu, Half, false>;
template class sluice::test::DeviceAttention<Gpu, Half, true>;
template class sluice::test::DeviceAttention<Gpu, quant::Q8_0::Block, true>;
template class sluice::test::DeviceExperts<Gpu>;
