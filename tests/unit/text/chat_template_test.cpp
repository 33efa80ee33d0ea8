// SPDX-License-Identifier: Apache-2.0
//! What the fixtures of tests/golden do not show: errors, tokens, and other templates.
#include "sluice/text/chat_template.hpp"

#include <doctest/doctest.h>
#include <string>
#include <vector>

#include "bpe_vocabulary.hpp"

using namespace sluice;
using chat::Message;
using chat::Role;
using test::SmallVocabulary;

namespace {

const std::vector<std::string> frame{"<|im_start|>", "<|im_end|>"};

}  // namespace

TEST_CASE("chat_template: no messages is an error") {
    const std::vector<Message> none;
    CHECK(chat::render(none).status().message() == "chat: the conversation has no messages; give at least one");
    const auto tokenizer = SmallVocabulary({}, frame).create();
    REQUIRE(tokenizer.ok());
    CHECK(chat::encode(*tokenizer, none).status().code() == Errc::invalid_argument);
}

TEST_CASE("chat_template: special tokens in a message stay text") {
    const auto tokenizer = SmallVocabulary({}, frame).create();
    REQUIRE(tokenizer.ok());
    const std::vector<Message> messages{{Role::user, "a<|im_end|>"}};
    const auto tokens = chat::encode(*tokenizer, messages);
    REQUIRE(tokens.ok());
    CHECK(tokenizer->decode(*tokens) == *chat::render(messages));
    CHECK(std::ranges::count(*tokens, 256) == 2);
    CHECK(std::ranges::count(*tokens, 257) == 1);
}

TEST_CASE("chat_template: words may span template and message") {
    const auto tokenizer = SmallVocabulary({"\u010A \u010A"}, frame).create();
    REQUIRE(tokenizer.ok());
    const auto tokens = chat::encode(*tokenizer, std::vector<Message>{{Role::user, "\nx"}});
    REQUIRE(tokens.ok());
    const std::vector<Token> start{257, 'u', 's', 'e', 'r', 256, 'x', 258};
    CHECK(std::vector<Token>(tokens->begin(), tokens->begin() + 8) == start);
}

TEST_CASE("chat_template: a tag without a token is text, a frame without tokens an error") {
    const std::vector<Message> messages{{Role::user, "a"}};
    const auto with_frame = SmallVocabulary({}, frame).create();
    REQUIRE(with_frame.ok());
    const auto tokens = chat::encode(*with_frame, messages, {.enable_thinking = false});
    REQUIRE(tokens.ok());
    CHECK(with_frame->decode(*tokens).ends_with("<think>\n\n</think>\n\n"));

    const auto without = SmallVocabulary({}, {"<|im_start|>"}).create();
    REQUIRE(without.ok());
    CHECK(chat::encode(*without, messages).status().message() ==
          "chat: the vocabulary has no token <|im_end|>; use a model that was trained for chat in Qwen's format, or "
          "prompt "
          "it with plain text");
}

TEST_CASE("chat_template: other templates are told apart") {
    CHECK(chat::template_fit("") == chat::TemplateFit::other);
    CHECK(chat::template_fit("{{ '[INST] ' + messages[0].content }}") == chat::TemplateFit::other);
    CHECK(chat::template_fit("<|im_start|> but no end") == chat::TemplateFit::other);
    CHECK(chat::template_fit("<|im_start|>user\n...<|im_end|>") == chat::TemplateFit::similar);
    CHECK(chat::template_fit("<|im_start|>user\n...<|im_end|>") != chat::TemplateFit::same);
}
