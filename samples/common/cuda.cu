// SPDX-License-Identifier: Apache-2.0
//! The kernels of the programs that have --device cuda.
#include "device.hpp"
#include "sluice/cuda/gpu.cuh"

template class sluice::cuda::Forward<samples::CudaPolicies>;
template class sluice::cuda::Forward<samples::WithCache<samples::CudaPolicies, float>>;
template class sluice::cuda::Forward<samples::WithCache<samples::CudaPolicies, sluice::quant::Q8_0::Block>>;
