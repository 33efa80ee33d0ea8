// SPDX-License-Identifier: Apache-2.0
#include "sluice/text/chat_template.hpp"

#include "sluice/contracts/chat_template_laws.hpp"
#include "sluice/contracts/mutants/chat_template_mutants.hpp"

using namespace sluice;
using namespace sluice::contracts;

TEST_CASE("chat template laws") { chat_template_laws<BuiltInTemplate>("the built-in template"); }
TEST_CASE("chat template mutants: each is caught by its law") { check_mutants(chat_template_mutants()); }
