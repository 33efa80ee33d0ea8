// SPDX-License-Identifier: Apache-2.0
#include "laws/models.hpp"
#include "sluice/contracts/draft_laws.hpp"
#include "sluice/contracts/mutants/draft_mutants.hpp"
#include "sluice/contracts/mutants/speculation_mutants.hpp"
#include "sluice/contracts/speculation_laws.hpp"
#include "sluice/draft/prompt_lookup.hpp"
#include "sluice/pipeline/policies.hpp"

using namespace sluice;
using namespace sluice::contracts;
using sluice::test::story_model;

namespace {

struct WithPromptLookup : Qwen3MoeCpu<quant::Q4_K_M> {
    using Drafter = draft::PromptLookup;
};

}  // namespace

TEST_CASE("draft laws: prompt lookup") { draft_laws<draft::PromptLookup>("draft::PromptLookup"); }
TEST_CASE("draft mutants: each is caught by its law") { check_mutants(draft_mutants()); }

TEST_CASE("speculation laws: prompt lookup, and a drafter that errs now and then") {
    speculation_laws<WithPromptLookup>("Qwen3MoeCpu<Q4_K_M> with PromptLookup", story_model);
    speculation_laws<mutants::ToldPolicies>("Qwen3MoeCpu<Q4_K_M> with ToldDrafter", story_model);
    const test::RandomModelFile random;
    speculation_laws<WithPromptLookup>("Qwen3MoeCpu<Q4_K_M> with PromptLookup, random model", random.path(), 1000);
}
TEST_CASE("speculation laws: kept by the loop of the mutants, without a fault") {
    mutants::PlainSpeculation::next_fault = mutants::SpeculationFault::none;
    check_laws("PlainSpeculation", speculation_law_list<mutants::ToldPolicies, mutants::PlainSpeculation>(story_model));
}
TEST_CASE("speculation mutants: each is caught by its law") { check_mutants(speculation_mutants(story_model)); }
