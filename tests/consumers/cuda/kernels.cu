// SPDX-License-Identifier: Apache-2.0
#include "sluice/cuda/gpu.cuh"

template class sluice::cuda::Forward<sluice::Qwen3MoeCuda<sluice::quant::Q4_K_M>>;
