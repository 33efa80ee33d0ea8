// SPDX-License-Identifier: Apache-2.0
//! The program `custom_router`, from the outside.
#include <doctest/doctest.h>
#include <string>

#include "program.hpp"

using namespace sluice::test;

TEST_CASE("custom_router: tells a story, another one than the model's own router") {
    const std::string text = output_of("custom_router", {});
    CHECK(text.size() > 100);
    CHECK(text != output_of("generate", {"-p", "Once upon a time", "-n", "100", "--repeat-penalty", "1.2"}));
}

TEST_CASE("custom_router: an error is one line, and --device is refused") {
    const Outcome missing = run("custom_router", {"-m", "/no/such.gguf"});
    CHECK(missing.code == 1);
    CHECK(missing.err == "custom_router: /no/such.gguf: cannot be opened: No such file or directory; check the path\n");
    CHECK(run("custom_router", {"--device", "cuda"}).code == 2);
}
