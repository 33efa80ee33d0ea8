// SPDX-License-Identifier: Apache-2.0
//! The kernels of the programs that have --device cuda: in one file, as bundles that differ in their cache or sampler
//! have most of them in common.
#include "../custom_sampler/policies.hpp"
#include "device.hpp"
#include "sluice/cuda/gpu.cuh"

template class sluice::cuda::Forward<samples::CudaPolicies>;
template class sluice::cuda::Forward<samples::WithCache<samples::CudaPolicies, float>>;
template class sluice::cuda::Forward<samples::WithCache<samples::CudaPolicies, sluice::quant::Q8_0::Block>>;
template class sluice::cuda::Forward<WithoutRepetition<samples::CudaPolicies>>;
