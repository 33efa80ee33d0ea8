// SPDX-License-Identifier: Apache-2.0
//! The laws of drafters: what the slot asks of any, and that guessing pays. No model is needed: a text is given, and
//! what a drafter guesses of it is counted.
//!
//!     TEST_CASE("my drafter keeps the laws") { sluice::contracts::draft_laws<MyDrafter>("MyDrafter"); }
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "sluice/concepts/drafter.hpp"
#include "sluice/contracts/check.hpp"
#include "sluice/core/types.hpp"

namespace sluice::contracts {

namespace detail {

using Text = std::vector<Token>;

//! What it takes to generate text[prompt..] with the guesses of a drafter.
struct Drafted {
    std::vector<Text> proposals;  //!< of each forward pass
    double speed = 0;             //!< against one token per pass, where a guessed row costs 0.65 of a pass of one row
};

template <Drafter D>
Drafted draft_text(const Case& c, D& drafter, const Text& text, std::size_t prompt) {
    Drafted all;
    double cost = 0.0;
    drafter.restart();
    for (std::size_t known = prompt; known < text.size();) {
        const std::size_t most = std::min<std::size_t>(D::max_tokens, text.size() - known - 1);
        const auto guesses = drafter.propose(std::span(text).first(known), most);
        c.between<std::size_t>("guesses", guesses.size(), 0, most);
        cost += 1.0 + 0.65 * static_cast<double>(guesses.size());
        all.proposals.emplace_back(guesses.begin(), guesses.end());
        const auto next = text.begin() + static_cast<std::ptrdiff_t>(known);
        known +=
            1 + static_cast<std::size_t>(std::mismatch(guesses.begin(), guesses.end(), next).first - guesses.begin());
    }
    all.speed = static_cast<double>(text.size() - prompt) / cost;
    return all;
}

//! Tokens drawn from a few or many, which may follow a rule to some degree or come in pieces of what was there.
inline Text any_text(Case& c, std::size_t size) {
    const auto alphabet = c.pick<Token>({2, 3, 10, 100, 150000});
    const double obeys = c.pick({0.0, 0.5, 0.8}), copies = c.pick({0.0, 0.0, 0.1});
    Text text = {c.integer<Token>(0, alphabet - 1)};
    while (text.size() < size) {
        const auto from = c.integer<std::size_t>(0, text.size() - 1);
        const std::size_t length = c.chance(copies) ? c.integer<std::size_t>(1, 12) : 0;
        for (std::size_t i = 0; i < length; ++i) text.push_back(text[from + i]);
        text.push_back(c.chance(obeys) ? (text.back() * 7 + 3) % alphabet : c.integer<Token>(0, alphabet - 1));
    }
    text.resize(size);
    c.given("tokens", text);
    return text;
}

}  // namespace detail

template <Drafter D>
std::vector<Law> draft_law_list(std::size_t cases = 1000) {
    using namespace detail;
    return {
        {"draft.proposes_what_was_asked_for",
         "As many tokens as it may at most, all from the history; the drafter's room need not suffice.",
         [](Case& c) {
             const Text text = any_text(c, c.integer<std::size_t>(1, 60));
             D drafter(c.integer<std::size_t>(1, 60));
             for (std::size_t known = 1; known <= text.size(); known += c.integer<std::size_t>(1, 5)) {
                 const auto history = std::span(text).first(known);
                 const auto most = c.integer<std::size_t>(0, 2 * D::max_tokens);
                 const auto guesses = drafter.propose(history, most);
                 c.between<std::size_t>("guesses", guesses.size(), 0, std::min<std::size_t>(most, D::max_tokens));
                 for (const Token guess : guesses) {
                     c.expect(std::find(history.begin(), history.end(), guess) != history.end(),
                              "a guess is no token of the history");
                 }
             }
         },
         cases},
        {"draft.forgets_at_restart", "After restart() the proposals are those of a new drafter.",
         [](Case& c) {
             const Text before = any_text(c, 80), text = any_text(c, 80);
             D used(100), fresh(100);
             draft_text(c, used, before, 1);
             c.expect(draft_text(c, used, text, 1).proposals == draft_text(c, fresh, text, 1).proposals,
                      "what was proposed for an earlier text is seen");
         },
         cases},
        {"draft.pays_on_repetition",
         "A prompt that is said again, with a word changed now and then, comes 1.15x as fast.",
         [](Case& c) {
             Text text(300);
             for (Token& token : text) token = c.integer(0, 5000);
             const std::size_t prompt = text.size();
             for (std::size_t i = 0; i < prompt; ++i) text.push_back(i % 50 == 49 ? 5001 : text[i]);
             D drafter(text.size());
             c.between("speed", draft_text(c, drafter, text, prompt).speed, 1.15, 10.0);
         },
         cases},
        {"draft.costs_little", "No text comes slower by more than 5 percent.",
         [](Case& c) {
             const Text text = any_text(c, 400);
             D drafter(text.size());
             c.between("speed", draft_text(c, drafter, text, 1).speed, 0.95, 10.0);
         },
         cases},
    };
}

//! Checks all laws of a drafter, inside a doctest test case.
template <Drafter D>
void draft_laws(std::string_view subject) {
    check_laws(subject, draft_law_list<D>());
}

}  // namespace sluice::contracts
