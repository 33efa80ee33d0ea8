// SPDX-License-Identifier: Apache-2.0
//! Tokens of the real Qwen3 vocabulary, against Hugging Face's tokenizer (NFC) and llama.cpp's (no normalization).
#include <doctest/doctest.h>
#include <random>
#include <string>
#include <vector>

#include "qwen3.hpp"

using namespace sluice;

namespace {

//! Encodes every golden string; llama.cpp's tokens are recorded where they differ from Hugging Face's.
void check_goldens(Normalization normalization) {
    const BpeTokenizer tokenizer = test::qwen3(normalization).tokenizer;
    std::size_t checked = 0;
    const nlohmann::json goldens = test::golden_json("tokenizer_qwen3.json");
    for (const auto& golden : goldens["strings"]) {
        const auto text = golden["text"].get<std::string>();
        const bool differs = normalization == Normalization::none && golden.contains("ids_llama_cpp");
        const auto expected = golden[differs ? "ids_llama_cpp" : "ids"].get<std::vector<Token>>();
        CAPTURE(text);
        const auto tokens = tokenizer.encode(text, SpecialTokens::parse);
        REQUIRE(tokens.ok());
        CHECK(*tokens == expected);
        if (normalization == Normalization::none) CHECK(tokenizer.decode(*tokens) == text);
        ++checked;
    }
    CHECK(checked == 105);
}

}  // namespace

TEST_CASE("tokenizer: the goldens as llama.cpp encodes them") { check_goldens(Normalization::none); }

TEST_CASE("tokenizer: the goldens as Hugging Face encodes them") { check_goldens(Normalization::nfc); }

TEST_CASE("tokenizer: special tokens are characters when not asked for") {
    const BpeTokenizer tokenizer = test::qwen3().tokenizer;
    const auto tokens = tokenizer.encode("<|im_end|>", SpecialTokens::as_text);
    REQUIRE(tokens.ok());
    CHECK(*tokens == std::vector<Token>{27, 91, 318, 6213, 91, 29});
    CHECK(*tokenizer.encode("<|im_end|>", SpecialTokens::parse) == std::vector<Token>{151645});
}

TEST_CASE("tokenizer: decode undoes encode for any bytes") {
    const BpeTokenizer tokenizer = test::qwen3().tokenizer;
    std::mt19937 random(7);
    for (int round = 0; round < 3000; ++round) {
        std::string bytes;
        while (random() % 64 != 0) {
            switch (random() % 3) {
                case 0:
                    bytes += static_cast<char>(random() % 256);
                    break;
                case 1:
                    bytes += static_cast<char>(' ' + random() % 95);
                    break;
                default:
                    bytes += tokenizer.piece(static_cast<Token>(random() % tokenizer.vocab_size()));
            }
        }
        const auto tokens = tokenizer.encode(bytes, round % 2 == 0 ? SpecialTokens::parse : SpecialTokens::as_text);
        REQUIRE(tokens.ok());
        if (tokenizer.decode(*tokens) != bytes) FAIL(bytes);
    }
}

TEST_CASE("tokenizer: every normal token is what its own bytes encode to") {
    const BpeTokenizer tokenizer = test::qwen3().tokenizer;
    std::size_t whole = 0;
    for (Token token = 0; token < 151643; ++token) {
        const std::string_view piece = tokenizer.piece(token);
        if (qwen2_word_end(piece, 0) != piece.size()) continue;  // more than one word
        ++whole;
        if (*tokenizer.encode(piece, SpecialTokens::as_text) != std::vector<Token>{token}) FAIL(token);
    }
    CHECK(whole == 149897);
}

TEST_CASE("tokenizer: Qwen3's facts") {
    const Vocabulary<BpeTokenizer> text = test::qwen3();
    CHECK(text.tokenizer.vocab_size() == 151936);
    CHECK(text.stop_tokens == std::vector<Token>{151643, 151645});
    CHECK(text.bos == std::nullopt);
    CHECK(text.tokenizer.find_special("<think>") == 151667);
    CHECK(text.tokenizer.piece(151669).empty());  // the first padded slot
}
