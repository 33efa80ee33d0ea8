// SPDX-License-Identifier: Apache-2.0
#include "sluice/sink/sse.hpp"

#include "sluice/contracts/mutants/sse_mutants.hpp"
#include "sluice/contracts/sse_laws.hpp"

using namespace sluice;
using namespace sluice::contracts;

TEST_CASE("sse laws") { sse_laws<SseStream<WriteToClient>, SseSink>("SseStream with SseSink"); }
TEST_CASE("sse mutants: each is caught by its law") { check_mutants(sse_mutants()); }
