// SPDX-License-Identifier: Apache-2.0
//! The machine that computes, as the flag --device names it.
#pragma once

#include <string>

#include "command_line.hpp"
#include "load.hpp"
#include "sluice/core/status.hpp"

#if defined(SLUICE_SAMPLES_CUDA)
#include "sluice/cuda/gpu.hpp"
#endif

namespace samples {

inline void add_device(CommandLine& flags, std::string& device) {
    flags.add("--device", device, {"cpu", "cuda"}, "cuda: on an NVIDIA GPU, with the same results [cpu]");
}

#if defined(SLUICE_SAMPLES_CUDA)
struct CudaPolicies : sluice::Qwen3MoeHybrid<> {
    using Drafter = Policies::Drafter;
    template <class Unit>
    using CacheOf = sluice::cuda::ContiguousKvCache<Executor, Unit>;
};
#endif

//! f.operator()<P>() with the policies of the device.
template <class F>
sluice::Status on_device(const std::string& device, F f) {
    if (device == "cpu") return f.template operator()<Policies>();
#if defined(SLUICE_SAMPLES_CUDA)
    return f.template operator()<CudaPolicies>();
#else
    return {sluice::Errc::unsupported, "--device " + device, "is not in this build",
            "configure with -DSLUICE_CUDA=ON, which needs nvcc"};
#endif
}

}  // namespace samples

#if defined(SLUICE_SAMPLES_CUDA)
// In cuda.cu.
extern template class sluice::cuda::Forward<samples::CudaPolicies>;
extern template class sluice::cuda::Forward<samples::WithCache<samples::CudaPolicies, float>>;
extern template class sluice::cuda::Forward<samples::WithCache<samples::CudaPolicies, sluice::quant::Q8_0::Block>>;
#endif
