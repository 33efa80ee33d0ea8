// SPDX-License-Identifier: Apache-2.0
#include "sluice/contracts/draft_laws.hpp"
#include "sluice/contracts/mutants/draft_mutants.hpp"
#include "sluice/draft/prompt_lookup.hpp"

using namespace sluice;
using namespace sluice::contracts;

TEST_CASE("draft laws: prompt lookup") { draft_laws<draft::PromptLookup>("draft::PromptLookup"); }
TEST_CASE("draft mutants: each is caught by its law") { check_mutants(draft_mutants()); }
