// SPDX-License-Identifier: Apache-2.0
//! Kernels one by one, beside the CPU's.
#include <doctest/doctest.h>

#include "cuda/check_activations.hpp"
#include "cuda/check_attention.hpp"
#include "cuda/check_linear.hpp"
#include "cuda/check_mma.hpp"
#include "cuda/check_router.hpp"
#include "cuda/gpu/on_gpu.hpp"
#include "sluice/core/float16.hpp"
#include "sluice/quant/q8_0.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Gpu;

TEST_CASE("gpu kernels: activations have the CPU's bytes, the router its choices") {
    on_gpu([](Gpu& gpu) {
        check_quantized_rows(gpu);
        check_normalized_rows(gpu);
        check_router(gpu);
    });
}

TEST_CASE("gpu kernels: matrices have the bits of the reference dot product, on tensor cores or not") {
    on_gpu([](Gpu& gpu) {
        check_every_linear(gpu);
        check_shared_launches(gpu);
        check_fragments(gpu);
        check_every_mma_linear(gpu);
        check_every_mma_experts(gpu);
    });
}

TEST_CASE_TEMPLATE("gpu kernels: caches and attention have the CPU's bits, at the edges of chunks and spans", Unit,
                   float, Half, quant::Q8_0::Block) {
    on_gpu([](Gpu& gpu) {
        check_stored_rows<Unit>(gpu);
        check_spans<Unit>(gpu);
        check_tiles<Unit>(gpu);
        check_rotated_heads<Unit>(gpu);
    });
}
