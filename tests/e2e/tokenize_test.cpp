// SPDX-License-Identifier: Apache-2.0
//! The program `tokenize`, from the outside.
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "program.hpp"

using namespace sluice::test;
using nlohmann::json;

namespace {

std::string tokenize(const std::string& input, const std::vector<std::string>& flags = {}) {
    return output_of("tokenize", flags, input);
}

}  // namespace

TEST_CASE("tokenize: prints a JSON array that --decode turns back into the bytes") {
    for (const std::string text :
         {"Once upon a time", "  tabs\tand\nlines\n", "\xE6\xBC\xA2\xF0\x9F\xA6\x8A", "\xFF\xC3"}) {
        const std::string ids = tokenize(text);
        CHECK(json::parse(ids).is_array());
        CHECK(ids.back() == '\n');
        CHECK(tokenize(ids, {"--decode"}) == text);
    }
    CHECK(tokenize("Once upon a time") == "[573,886,258,463]\n");
    CHECK(tokenize("") == "[]\n");
    CHECK(tokenize(" [ 573 ,\n886 ] \n", {"--decode"}) == "Once upon");
}

TEST_CASE("tokenize: special tokens are parsed only with --special, and text is composed only with --nfc") {
    CHECK(tokenize("<|im_end|>", {"--special"}) == "[2041]\n");
    CHECK(json::parse(tokenize("<|im_end|>")).size() > 1);
    const std::string decomposed = "e\xCC\x81", composed = "\xC3\xA9";
    CHECK(tokenize(decomposed) != tokenize(composed));
    CHECK(tokenize(decomposed, {"--nfc"}) == tokenize(composed));
}

TEST_CASE("tokenize: refuses what is no token, no array and no model") {
    const Outcome unknown = run("tokenize", {"--decode"}, "[1, 2048]");
    CHECK(unknown.code == 1);
    CHECK(unknown.out == "");
    CHECK(unknown.err == "tokenize: token 2048: is not in the vocabulary; ids are 0 to 2047\n");
    CHECK(run("tokenize", {"--decode"}, "{}").code == 1);
    CHECK(run("tokenize", {"-m", "/no/such.gguf"}).code == 1);
    CHECK(run("tokenize", {"--nfd"}).code == 2);
}
