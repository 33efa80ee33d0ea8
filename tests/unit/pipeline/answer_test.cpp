// SPDX-License-Identifier: Apache-2.0
#include "sluice/pipeline/answer.hpp"

#include <cstddef>
#include <doctest/doctest.h>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/text/vocabulary.hpp"

using namespace sluice;

namespace {

constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz";
constexpr Token stop_token = 26, control_token = 27;

//! Tokens are letters; two more have no text.
struct Letters {
    Expected<std::vector<Token>> encode(std::string_view, SpecialTokens) const { return std::vector<Token>(); }
    std::string_view piece(Token token) const {
        return token < 26 ? letters.substr(static_cast<std::size_t>(token), 1) : "!";
    }
    bool is_control(Token token) const { return token >= 26; }
    std::optional<Token> find_special(std::string_view) const { return std::nullopt; }
    std::size_t vocab_size() const { return 28; }
};

const Vocabulary<Letters> vocabulary{{}, {stop_token}, std::nullopt, ""};

Answer answer_of(const GenerateOptions& options, std::size_t room = 100) {
    auto answer = Answer::create(options, room);
    REQUIRE_MESSAGE(answer.ok(), answer.status().message());
    return std::move(*answer);
}

//! Adds the letters until the answer ends; the text that was shown.
std::string add(Answer& answer, std::string_view text) {
    std::string shown;
    for (const char c : text) {
        if (answer.end()) break;
        const std::size_t index = answer.tokens();
        const TokenEvent event = answer.add(vocabulary, static_cast<Token>(c - 'a'));
        CHECK(event.index == index);
        CHECK(event.id == c - 'a');
        shown += event.text;
    }
    return shown;
}

}  // namespace

TEST_CASE("answer: ends at its budget or where the context is full, and says which") {
    Answer budget = answer_of({.max_tokens = 3}), full = answer_of({.max_tokens = 9}, 2);
    CHECK(add(budget, "abcd") == "abc");
    CHECK(budget.end() == FinishReason::max_tokens);
    CHECK(add(full, "abcd") == "ab");
    CHECK(full.end() == FinishReason::context_full);
    CHECK(answer_of({.max_tokens = 0}).end() == FinishReason::max_tokens);
    CHECK(answer_of({.max_tokens = 1}, 0).end() == FinishReason::context_full);
    CHECK_FALSE(answer_of({}).end().has_value());
}

TEST_CASE("answer: a stop string ends it, and what only began like one is shown at the end") {
    Answer stopped = answer_of({.stop = {"cd"}}), began = answer_of({.max_tokens = 3, .stop = {"cd"}});
    CHECK(add(stopped, "abcdef") == "ab");
    CHECK(stopped.end() == FinishReason::stop_string);
    CHECK(stopped.tokens() == 4);
    CHECK(add(began, "abc") == "abc");
    CHECK(began.end() == FinishReason::max_tokens);
    CHECK_FALSE(Answer::create({.stop = {""}}, 9).ok());
}

TEST_CASE("answer: a stop token ends it without text of its own; control tokens have none") {
    Answer answer = answer_of({.stop = {"bx"}});
    CHECK(add(answer, "ab") == "a");
    CHECK(answer.add(vocabulary, control_token).text == "");
    const TokenEvent last = answer.add(vocabulary, stop_token);
    CHECK(last.is_stop);
    CHECK(last.text == "b");  // held back until now
    CHECK(answer.end() == FinishReason::stop_token);

    Answer ignoring = answer_of({.ignore_stop_tokens = true});
    CHECK_FALSE(ignoring.add(vocabulary, stop_token).is_stop);
    CHECK_FALSE(ignoring.end().has_value());
}

TEST_CASE("answer: cancelling does not change why it ended") {
    Answer running = answer_of({}), ended = answer_of({.max_tokens = 1});
    add(ended, "a");
    running.cancel();
    ended.cancel();
    CHECK(running.end() == FinishReason::cancelled);
    CHECK(ended.end() == FinishReason::max_tokens);
}
