// SPDX-License-Identifier: Apache-2.0
//! Steps whose logits stay on the GPU, pipelines and the server's engine.
#include <doctest/doctest.h>

#include "cuda/check_engine.hpp"
#include "cuda/check_logits.hpp"
#include "cuda/check_pipeline.hpp"
#include "cuda/gpu/kernels.hpp"
#include "cuda/gpu/on_gpu.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Gpu;

TEST_CASE("gpu logits: the GPU goes on to the row of a sampled token, and what it computed in vain is overwritten") {
    on_gpu([](Gpu& gpu) {
        check_goes_on<quant::Any>(gpu);
        check_goes_on_otherwise<quant::Any>(gpu);
        check_does_not_go_on<quant::Any>(gpu);
    });
}

TEST_CASE("gpu pipeline: the CPU's tokens, sampled on the GPU or the host, with experts on either") {
    on_gpu([](Gpu&) {
        for (const std::size_t context : {16UL, 200UL}) check_pipelines<Gpu, quant::Any>(context);
    });
}

TEST_CASE("gpu engine: answers that are sampled together are the CPU's, and so are their errors") {
    on_gpu([](Gpu&) { check_engine<Gpu, quant::Any>(); });
}
