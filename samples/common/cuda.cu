// SPDX-License-Identifier: Apache-2.0
//! The kernels of the programs that have --device cuda.
#include "device.hpp"
#include "sluice/cuda/gpu.cuh"

template class sluice::cuda::Forward<samples::CudaPolicies>;
