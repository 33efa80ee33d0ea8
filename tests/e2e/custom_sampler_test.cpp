// SPDX-License-Identifier: Apache-2.0
//! The program `custom_sampler`, from the outside.
#include <array>
#include <cstddef>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "program.hpp"

using namespace sluice::test;

namespace {

//! Whether the same three tokens follow one another twice.
bool repeats_a_triple(const std::string& text) {
    const std::string model = std::string(SLUICE_SOURCE_DIR) + "/samples/models/story-Q4_K_M.gguf";
    const std::string json = output_of("tokenize", {"-m", model, "--special"}, text);
    const auto tokens = nlohmann::json::parse(json).get<std::vector<int>>();
    REQUIRE(tokens.size() > 190);
    std::set<std::array<int, 3>> seen;
    for (std::size_t i = 2; i < tokens.size(); ++i) {
        if (!seen.insert({tokens[i - 2], tokens[i - 1], tokens[i]}).second) return true;
    }
    return false;
}

}  // namespace

TEST_CASE("custom_sampler: no three tokens come twice, which greedy sampling does not see to") {
    CHECK_FALSE(repeats_a_triple("Once upon a time" + output_of("custom_sampler", {})));
    CHECK(repeats_a_triple("Once upon a time" +
                           output_of("generate", {"-p", "Once upon a time", "-n", "200", "--ignore-eos"})));
}

TEST_CASE("custom_sampler: --device cuda gives the CPU's text, or says what is missing") {
    const Outcome outcome = run("custom_sampler", {"--device", "cuda"});
    if (outcome.code == 0) {
        CHECK(outcome.out == output_of("custom_sampler", {}));
    } else {
        check_lacks_cuda("custom_sampler", outcome);
    }
}

TEST_CASE("custom_sampler: an error is one line, and a wrong flag is refused") {
    const Outcome missing = run("custom_sampler", {"-m", "/no/such.gguf"});
    CHECK(missing.code == 1);
    CHECK(missing.err ==
          "custom_sampler: /no/such.gguf: cannot be opened: No such file or directory; check the path\n");
    CHECK(run("custom_sampler", {"--temp", "1"}).code == 2);
}
