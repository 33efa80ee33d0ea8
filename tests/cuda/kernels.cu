// SPDX-License-Identifier: Apache-2.0
//! All kernels of one pipeline, for check_kernels.sh.
#include "sluice/cuda/gpu.cuh"

template class sluice::cuda::Forward<sluice::Qwen3MoeCuda<sluice::quant::Q4_K_M>>;
