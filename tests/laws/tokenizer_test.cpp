// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <string_view>

#include "sluice/contracts/fakes.hpp"
#include "sluice/contracts/mutants/tokenizer_mutants.hpp"
#include "sluice/contracts/tokenizer_laws.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/text/pretokenizer.hpp"
#include "sluice/text/vocabulary.hpp"

using namespace sluice;
using namespace sluice::contracts;

namespace {

BpeTokenizer tokenizer_of(const char* path) {
    const auto file = gguf::File::open(path);
    REQUIRE_MESSAGE(file.ok(), file.status().message());
    auto tokenizer = BpeTokenizer::from_gguf(*file);
    REQUIRE_MESSAGE(tokenizer.ok(), tokenizer.status().message());
    return *std::move(tokenizer);
}

}  // namespace

TEST_CASE("tokenizer laws: BpeTokenizer of Qwen3's vocabulary, of the story model's and of a small one") {
    tokenizer_laws("BpeTokenizer of Qwen3", tokenizer_of(SLUICE_SOURCE_DIR "/tests/golden/qwen3-vocab.gguf"));
    tokenizer_laws("BpeTokenizer of the story model",
                   tokenizer_of(SLUICE_SOURCE_DIR "/samples/models/story-Q4_K_M.gguf"));
    tokenizer_laws("BpeTokenizer of a small vocabulary", small_tokenizer());
}
TEST_CASE("tokenizer laws: the tests' ScriptedTokenizer") {
    tokenizer_laws("ScriptedTokenizer", ScriptedTokenizer({"<|im_start|>", "<|im_end|>"}));
}
TEST_CASE("tokenizer mutants: each is caught by its law") { check_mutants(tokenizer_mutants()); }

TEST_CASE("bpe laws") { bpe_laws<BpeTokenizer>("BpeTokenizer"); }
TEST_CASE("bpe mutants: each is caught by its law") { check_mutants(bpe_mutants()); }

TEST_CASE("pretokenizer laws") { pretokenizer_laws("qwen2_word_end", qwen2_word_end); }
TEST_CASE("pretokenizer mutants: each is caught by its law") { check_mutants(pretokenizer_mutants()); }
