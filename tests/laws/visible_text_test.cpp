// SPDX-License-Identifier: Apache-2.0
#include "sluice/text/visible_text.hpp"

#include "sluice/contracts/mutants/visible_text_mutants.hpp"
#include "sluice/contracts/visible_text_laws.hpp"

using namespace sluice;
using namespace sluice::contracts;

TEST_CASE("utf8 stream laws") { utf8_stream_laws<Utf8Stream>("Utf8Stream"); }
TEST_CASE("utf8 stream mutants: each is caught by its law") { check_mutants(utf8_stream_mutants()); }

TEST_CASE("stop strings laws") { stop_strings_laws<StopStrings>("StopStrings"); }
TEST_CASE("stop strings mutants: each is caught by its law") { check_mutants(stop_strings_mutants()); }

TEST_CASE("visible text laws") { visible_text_laws<VisibleText, StopStrings>("VisibleText"); }
TEST_CASE("visible text mutants: each is caught by its law") { check_mutants(visible_text_mutants()); }
