// SPDX-License-Identifier: Apache-2.0
//! The kernels of the tests that run on a GPU.
#include "sluice/cuda/gpu.cuh"

template class sluice::cuda::Forward<sluice::Qwen3MoeCuda<>>;
