// SPDX-License-Identifier: Apache-2.0
#include "sluice/contracts/answer_laws.hpp"
#include "sluice/contracts/mutants/answer_mutants.hpp"
#include "sluice/sampler/logprobs.hpp"
#include "sluice/text/tool_calls.hpp"

using namespace sluice;
using namespace sluice::contracts;

TEST_CASE("logprobs laws") { logprobs_laws("compute_logprobs", compute_logprobs); }
TEST_CASE("logprobs mutants: each is caught by its law") { check_mutants(logprobs_mutants()); }

TEST_CASE("tool calls laws") { tool_calls_laws<chat::ToolCallSplit>("chat::ToolCallSplit"); }
TEST_CASE("tool calls mutants: each is caught by its law") { check_mutants(tool_calls_mutants()); }
