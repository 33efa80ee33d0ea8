// SPDX-License-Identifier: Apache-2.0
//! The program `inspect`, from the outside.
#include <doctest/doctest.h>
#include <string>

#include "program.hpp"

using namespace sluice::test;

TEST_CASE("inspect: shows keys, tensors, formats and what the experts cost") {
    const std::string model = std::string(SLUICE_SOURCE_DIR) + "/samples/models/story-Q4_K_M.gguf";
    const std::string shown = output_of("inspect", {model});
    for (const char* part : {"story-Q4_K_M.gguf: GGUF version 3, 8.53 MiB", "general.architecture", "\"qwen3moe\"",
                             "blk.3.ffn_down_exps.weight", "Q4_K", "Q6_K", "16 in a layer, 4 used for a token"}) {
        CHECK_MESSAGE(shown.find(part) != shown.npos, part);
    }
    CHECK(output_of("inspect", {"-m", model}) == shown);
    CHECK(output_of("inspect", {}) == shown);
}

TEST_CASE("inspect: refuses what is not a model file") {
    const Outcome missing = run("inspect", {"/no/such.gguf"});
    CHECK(missing.code == 1);
    CHECK(missing.err == "inspect: /no/such.gguf: cannot be opened: No such file or directory; check the path\n");
    const Outcome text = run("inspect", {std::string(SLUICE_SOURCE_DIR) + "/README.md"});
    CHECK(text.code == 1);
    CHECK(text.out == "");
    CHECK(run("inspect", {"a", "b"}).code == 2);
}
