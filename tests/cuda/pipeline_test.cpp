// SPDX-License-Identifier: Apache-2.0
#include "sluice/pipeline/pipeline.hpp"

#include <doctest/doctest.h>

#include "cuda/check_pipeline.hpp"
#include "cuda/same_bits.hpp"
#include "sluice/cuda/emulated.hpp"
#include "sluice/cuda/policies.hpp"
#include "support/goldens.hpp"

using namespace sluice;

TEST_CASE("cuda pipeline: a bundle on a device drops into the pipeline, and gives the CPU's tokens") {
    test::check_pipelines<cuda::Emulated, test::Formats>(16);
}

TEST_CASE("cuda pipeline: experts on the CPU are refused where the bundle has none there") {
    const auto pipeline = Pipeline<Qwen3MoeOn<cuda::Emulated, test::Formats>>::load(
        test::source_path("samples/models/story-Q4_K_M.gguf"), {.context = 64, .cpu_moe = 1});
    REQUIRE(!pipeline.ok());
    CHECK(pipeline.status().where() == "cpu_moe");
}
