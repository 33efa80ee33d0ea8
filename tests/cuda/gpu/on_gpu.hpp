// SPDX-License-Identifier: Apache-2.0
//! What the tests on a GPU begin with.
#pragma once

#include "skip.hpp"
#include "sluice/cuda/gpu.hpp"

namespace sluice::test {

//! f(gpu), or SKIPPED where there is none.
template <class F>
void on_gpu(F f) {
    auto gpu = cuda::Gpu::create();
    if (!gpu.ok()) return skip(gpu.status().message());
    f(*gpu);
}

}  // namespace sluice::test
