// SPDX-License-Identifier: Apache-2.0
#include "sluice/pipeline/pipeline.hpp"

#include "laws/models.hpp"
#include "sluice/contracts/mutants/pipeline_mutants.hpp"
#include "sluice/contracts/pipeline_laws.hpp"

using namespace sluice;
using namespace sluice::contracts;
using sluice::test::story_model;

namespace {

struct WithFloatCache : Qwen3MoeCpu<quant::Q4_K_M> {
    using KvCache = cpu::KvCacheF32;
};

}  // namespace

TEST_CASE("pipeline laws: the story model") {
    pipeline_laws<Qwen3MoeCpu<quant::Q4_K_M>>("Qwen3MoeCpu<Q4_K_M>", story_model);
}
TEST_CASE("pipeline laws: a random model, a thousand cases") {
    const test::RandomModelFile model;
    pipeline_laws<WithFloatCache>("Qwen3MoeCpu<Q4_K_M> with KvCacheF32", model.path(), 1000);
}
TEST_CASE("pipeline mutants: each is caught by its law") {
    check_mutants(pipeline_mutants(test::RandomModelFile().path()));
}
