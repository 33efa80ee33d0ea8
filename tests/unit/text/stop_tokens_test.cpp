// SPDX-License-Identifier: Apache-2.0
#include "sluice/text/stop_tokens.hpp"

#include <doctest/doctest.h>
#include <optional>

#include "bpe_vocabulary.hpp"

using namespace sluice;

TEST_CASE("stop_tokens: the file's own and Qwen's two, each once") {
    const auto qwen = test::SmallVocabulary({}, {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}).create();
    const auto plain = test::SmallVocabulary().create();
    REQUIRE(qwen.ok());
    REQUIRE(plain.ok());
    CHECK(stop_tokens(*qwen, std::nullopt, std::nullopt) == std::vector<Token>{256, 258});
    CHECK(stop_tokens(*qwen, 258, 256) == std::vector<Token>{256, 258});
    CHECK(stop_tokens(*qwen, 7, 258) == std::vector<Token>{7, 256, 258});
    CHECK(stop_tokens(*plain, 9, 3) == std::vector<Token>{3, 9});
    CHECK(stop_tokens(*plain, std::nullopt, std::nullopt).empty());
}
