// SPDX-License-Identifier: Apache-2.0
//! Whole pipelines, with guesses and without: in one file, as the first pipeline costs what ten more do to compile.
#include "sluice/pipeline/pipeline.hpp"

#include "laws/models.hpp"
#include "sluice/contracts/mutants/pipeline_mutants.hpp"
#include "sluice/contracts/mutants/speculation_mutants.hpp"
#include "sluice/contracts/pipeline_laws.hpp"
#include "sluice/contracts/speculation_laws.hpp"
#include "sluice/draft/prompt_lookup.hpp"
#include "sluice/pipeline/policies.hpp"

using namespace sluice;
using namespace sluice::contracts;
using sluice::test::story_model;

namespace {

using Plain = Qwen3MoeCpu<quant::Q4_K_M>;
struct WithFloatCache : Plain {
    using KvCache = cpu::KvCacheF32;
};
struct WithPromptLookup : Plain {
    using Drafter = draft::PromptLookup;
};
struct WithToldDrafter : Plain {
    using Drafter = ToldDrafter;
};

}  // namespace

TEST_CASE("pipeline laws: the story model") { pipeline_laws<Plain>("Qwen3MoeCpu<Q4_K_M>", story_model); }
TEST_CASE("pipeline laws: a random model, a thousand cases") {
    const test::RandomModelFile model;
    pipeline_laws<Plain>("Qwen3MoeCpu<Q4_K_M>, random model", model.path(), 1000);
}
TEST_CASE("pipeline laws: a random model and a cache of floats, a thousand cases") {
    const test::RandomModelFile model;
    pipeline_laws<WithFloatCache>("Qwen3MoeCpu<Q4_K_M> with KvCacheF32", model.path(), 1000);
}
TEST_CASE("pipeline mutants: each is caught by its law") {
    const test::RandomModelFile model;
    check_mutants(pipeline_mutants(model.path()));
}

TEST_CASE("speculation laws: prompt lookup, and a drafter that errs now and then") {
    speculation_laws<WithPromptLookup, Plain>("Qwen3MoeCpu<Q4_K_M> with PromptLookup", story_model);
    const test::RandomModelFile random;
    speculation_laws<WithToldDrafter, Plain>("Qwen3MoeCpu<Q4_K_M> with ToldDrafter", random.path(), 1000);
    speculation_laws<WithPromptLookup, Plain>("Qwen3MoeCpu<Q4_K_M> with PromptLookup, random model", random.path(),
                                              1000);
}
TEST_CASE("speculation laws: kept by the loop of the mutants, without a fault") {
    using mutants::PlainSpeculation;
    const auto plain_loop = PlainSpeculation::opener(story_model, mutants::SpeculationFault::none);
    check_laws("PlainSpeculation", speculation_law_list(opener<Plain>(story_model), plain_loop));
}
TEST_CASE("speculation mutants: each is caught by its law") {
    const test::RandomModelFile model;
    check_mutants(speculation_mutants(model.path()));
}
