// SPDX-License-Identifier: Apache-2.0
#include "sluice/draft/prompt_lookup.hpp"

#include <cstddef>
#include <doctest/doctest.h>
#include <numeric>
#include <span>
#include <vector>

#include "sluice/concepts/drafter.hpp"
#include "sluice/draft/none.hpp"

using namespace sluice;
using draft::PromptLookup;

static_assert(Drafter<PromptLookup> && Drafter<draft::None>);

namespace {

using Tokens = std::vector<Token>;

Tokens propose(PromptLookup& lookup, const Tokens& history, std::size_t most = PromptLookup::max_tokens) {
    const auto guesses = lookup.propose(history, most);
    return {guesses.begin(), guesses.end()};
}

//! 0, 1, ..., count - 1, and again.
Tokens repeated(Token count, std::size_t size) {
    Tokens text(size);
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<Token>(i) % count;
    return text;
}

Tokens operator+(Tokens a, const Tokens& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

//! A text of which one guess is learned to come true behind matches of one, two and three tokens, and none behind more.
Tokens taught() {
    Tokens text;
    for (Token i = 0; i < 40; ++i) text = text + Tokens{300, 301, 302, 303, 400 + i};
    return text;
}

}  // namespace

TEST_CASE("prompt_lookup: goes on where the text stood before, beyond its end, too") {
    PromptLookup lookup(100);
    const Tokens text = repeated(5, 60);
    const Tokens guesses = propose(lookup, text);
    CHECK(guesses.size() >= 6);  // longer than the period
    CHECK(text + guesses == repeated(5, 60 + guesses.size()));
}

TEST_CASE("prompt_lookup: proposes as many as are asked for at most") {
    PromptLookup lookup(100);
    const Tokens text = repeated(5, 60);
    CHECK(propose(lookup, text, 0).empty());
    CHECK(propose(lookup, text, 2) == Tokens{0, 1});
}

TEST_CASE("prompt_lookup: the longest match wins, and the latest of its length") {
    // 1 2 3 goes on with 4, then with 5; 2 3 with 6 last; 3 with 7 last.
    const Tokens places = {1, 2, 3, 4, 90, 1, 2, 3, 5, 91, 8, 2, 3, 6, 92, 9, 3, 7, 93};
    struct Example {
        Tokens end;
        Token guess;
    };
    for (const Example& example : {Example{{1, 2, 3}, 5}, {{10, 2, 3}, 6}, {{10, 11, 3}, 7}}) {
        CAPTURE(example.guess);
        PromptLookup lookup(1000);
        const Tokens guesses = propose(lookup, taught() + places + example.end);
        REQUIRE(!guesses.empty());
        CHECK(guesses.front() == example.guess);
    }
}

TEST_CASE("prompt_lookup: a match is followed as long as the text does the same") {
    // 3 4 goes on with 5 in the first place, with 6 in the latest one. Matches of all lengths came true before.
    const Tokens places = {1, 2, 3, 4, 5, 80, 3, 4, 6, 81};
    Tokens text = places;
    for (int i = 0; i < 180; ++i) text.push_back(500 + i / 36 * 100 + i % 18);
    PromptLookup lookup(1000);
    for (const Token token : {1, 2, 3, 4}) {
        text.push_back(token);
        const Tokens guesses = propose(lookup, text);
        REQUIRE(!guesses.empty());
        CHECK(guesses.front() == token + 1);
    }
    text.push_back(6);  // now the latest place is the longest match
    const Tokens guesses = propose(lookup, text);
    REQUIRE(!guesses.empty());
    CHECK(guesses.front() == 81);
}

TEST_CASE("prompt_lookup: text that does not repeat itself gets no guess, and text that does gets them soon") {
    PromptLookup lookup(4000);
    Tokens text(2000);
    std::iota(text.begin(), text.end(), 0);
    CHECK(propose(lookup, text).empty());
    std::size_t said_again = 0;  // before the first guess
    while (propose(lookup, text).empty() && said_again < 50) text.push_back(text[said_again++]);
    CHECK(said_again < 10);
}

TEST_CASE("prompt_lookup: guesses that go wrong become rarer, and end") {
    PromptLookup lookup(4000);
    Tokens text = taught();
    std::size_t first = 0, last = 0;
    for (Token i = 0; i < 200; ++i) {  // three known tokens, and another one each time
        text = text + Tokens{300, 301, 302};
        const std::size_t guesses = propose(lookup, text).size();
        (i < 10 ? first : last) += i < 10 || i >= 190 ? guesses : 0;
        text.push_back(1000 + i);
    }
    CHECK(first > 0);
    CHECK(last == 0);
}

TEST_CASE("prompt_lookup: a table that is much too small forgets, and never guesses what was not there") {
    PromptLookup lookup(1);  // four places for all n-grams
    Tokens text = {5};
    for (int i = 0; i < 300; ++i) {
        for (const Token guess : propose(lookup, text)) CHECK(guess == 5);
        text.push_back(5);
    }
    CHECK(!propose(lookup, text).empty());
}

TEST_CASE("prompt_lookup: an empty text has no guesses") {
    PromptLookup lookup(0);
    CHECK(propose(lookup, {}).empty());
}
