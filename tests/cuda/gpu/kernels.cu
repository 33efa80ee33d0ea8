// SPDX-License-Identifier: Apache-2.0
//! The kernels of the tests that run on a GPU.
#include "cuda/policies_on.hpp"
#include "sluice/cuda/gpu.cuh"

template class sluice::cuda::Forward<sluice::test::PoliciesOn<sluice::cuda::Gpu, sluice::quant::Any>>;
template class sluice::cuda::Forward<
    sluice::test::PoliciesOn<sluice::cuda::Gpu, sluice::quant::Any, sluice::quant::Q8_0::Block>>;
