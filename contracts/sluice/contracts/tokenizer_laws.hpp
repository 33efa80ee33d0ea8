// SPDX-License-Identifier: Apache-2.0
//! The laws of tokenizers: what the Tokenizer slot asks of any, byte-pair merging, and Qwen2's cutting into words.
//!
//!     TEST_CASE("my tokenizer keeps the laws") { sluice::contracts::tokenizer_laws("MyTokenizer", my_tokenizer); }
#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/concepts/tokenizer.hpp"
#include "sluice/contracts/check.hpp"
#include "sluice/contracts/expect_value.hpp"
#include "sluice/contracts/small_vocabulary.hpp"
#include "sluice/contracts/text_draws.hpp"
#include "sluice/core/types.hpp"

namespace sluice::contracts {

namespace detail {

//! What turns text to tokens and back, whatever its type, so that the laws are compiled once.
struct AnyBpe {
    std::function<Expected<std::vector<Token>>(std::string_view, SpecialTokens)> encode;
    std::function<std::string_view(Token)> piece;

    template <class T>
    explicit AnyBpe(std::shared_ptr<const T> tokenizer)
        : encode(
              [tokenizer](std::string_view text, SpecialTokens special) { return tokenizer->encode(text, special); }),
          piece([tokenizer](Token token) { return tokenizer->piece(token); }) {}
};

struct AnyTokenizer : AnyBpe {
    std::function<std::optional<Token>(std::string_view)> find_special;
    std::function<bool(Token)> is_control;
    std::size_t vocab_size;

    template <Tokenizer T>
    explicit AnyTokenizer(std::shared_ptr<const T> tokenizer)
        : AnyBpe(tokenizer),
          find_special([tokenizer](std::string_view text) { return tokenizer->find_special(text); }),
          is_control([tokenizer](Token token) { return tokenizer->is_control(token); }),
          vocab_size(tokenizer->vocab_size()) {}
};

template <class T>
std::string decoded(const T& tokenizer, const std::vector<Token>& tokens) {
    std::string text;
    for (const Token token : tokens) text += tokenizer.piece(token);
    return text;
}

template <class T>
std::vector<Token> encoded(const Case& c, const T& tokenizer, std::string_view text,
                           SpecialTokens special = SpecialTokens::as_text) {
    return value_of(c, tokenizer.encode(text, special));
}

inline std::vector<Token> special_tokens(const AnyTokenizer& tokenizer) {
    std::vector<Token> specials;
    for (std::size_t i = 0; i < tokenizer.vocab_size; ++i) {
        const auto token = static_cast<Token>(i);
        if (tokenizer.find_special(tokenizer.piece(token)) == token) specials.push_back(token);
    }
    return specials;
}

//! Byte-pair merging as it is defined: again and again the first rule that applies, at its leftmost place.
inline std::vector<std::string> merged(std::string_view word, const std::vector<SmallVocabulary::Merge>& merges) {
    std::vector<std::string> parts;
    for (const char byte : word) parts.emplace_back(1, byte);
    const auto apply_first = [&] {
        for (const auto& [left, right] : merges) {
            for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
                if (parts[i] != left || parts[i + 1] != right) continue;
                parts[i] += parts[i + 1];
                parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i) + 1);
                return true;
            }
        }
        return false;
    };
    while (apply_first()) {
    }
    return parts;
}

//! A character, and its class in Qwen2's pattern: letter, number, space, newline (a space too), or other.
struct Classed {
    std::string_view text;
    char kind;
};

inline std::vector<Classed> classed_text(Case& c) {
    std::vector<Classed> characters(c.integer<std::size_t>(1, 16));
    for (Classed& character : characters) {
        character = c.pick<Classed>(
            {{"a", 'L'},      {"s", 'L'},      {"S", 'L'},      {"t", 'L'},         {"r", 'L'},      {"e", 'L'},
             {"E", 'L'},      {"v", 'L'},      {"l", 'L'},      {"L", 'L'},         {"d", 'L'},      {"m", 'L'},
             {"\u017F", 'L'}, {"\u00E9", 'L'}, {"\u4F60", 'L'}, {"1", 'N'},         {"\u0665", 'N'}, {" ", 'S'},
             {" ", 'S'},      {"\t", 'S'},     {"\u3000", 'S'}, {"\n", 'R'},        {"\r", 'R'},     {"'", 'O'},
             {"'", 'O'},      {"!", 'O'},      {"\u0301", 'O'}, {"\U0001F98A", 'O'}});
    }
    return characters;
}

//! How many characters from `at` on the pattern's first alternative takes that fits:
//! (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
inline std::size_t word_of_pattern(std::span<const Classed> text) {
    const auto kind = [&](std::size_t i) { return i < text.size() ? text[i].kind : '\0'; };
    const auto run = [&](std::size_t from, std::string_view kinds) {
        while (from < text.size() && kinds.find(text[from].kind) != kinds.npos) ++from;
        return from;
    };
    const auto is = [&](std::size_t i, std::string_view letter) {
        if (i >= text.size()) return false;
        if (letter == "s" && text[i].text == "\u017F") return true;
        return text[i].text.size() == 1 && std::tolower(text[i].text[0]) == letter[0];
    };
    if (text[0].text == "'") {
        for (const char* letter : {"s", "t", "m", "d"}) {
            if (is(1, letter)) return 2;
        }
        if ((is(1, "r") && is(2, "e")) || (is(1, "v") && is(2, "e")) || (is(1, "l") && is(2, "l"))) return 3;
    }
    const std::size_t lead = kind(0) == 'S' || kind(0) == 'O' ? 1 : 0;
    if (kind(lead) == 'L') return run(lead, "L");
    if (kind(0) == 'N') return 1;
    const std::size_t space = text[0].text == " " ? 1 : 0;
    if (kind(space) == 'O') return run(run(space, "O"), "R");
    const std::size_t end = run(0, "SR");
    for (std::size_t i = end; i > 0; --i) {
        if (kind(i - 1) == 'R') return i;
    }
    return end == text.size() || end == 1 ? end : end - 1;
}

}  // namespace detail

//! What the Tokenizer slot promises, of a tokenizer that there is.
inline std::vector<Law> tokenizer_law_list(const std::shared_ptr<const detail::AnyTokenizer>& tokenizer) {
    using namespace detail;
    const std::vector<Token> specials = special_tokens(*tokenizer);
    const auto special = [=](Case& c) {
        c.expect(!specials.empty(), "the tokenizer has no special tokens to check this with");
        return c.pick(std::span<const Token>(specials));
    };
    return {
        {"tokenizer.round_trip", "The pieces of a text's tokens, one after the other, are the text.",
         [=](Case& c) {
             const std::string whole = text(c, 20);
             c.given("text", whole);
             const auto how = c.pick({SpecialTokens::as_text, SpecialTokens::parse});
             c.equal("pieces", decoded(*tokenizer, encoded(c, *tokenizer, whole, how)), whole);
         }},
        {"tokenizer.any_bytes", "Bytes that are no UTF-8 come back as they were.",
         [=](Case& c) {
             const std::string whole = bytes(c);
             c.given("bytes", whole);
             c.equal("pieces", decoded(*tokenizer, encoded(c, *tokenizer, whole)), whole);
         }},
        {"tokenizer.ids_in_range", "Every token is in the vocabulary, and has bytes.",
         [=](Case& c) {
             const std::string whole = c.chance(0.5) ? text(c) : bytes(c);
             c.given("text", whole);
             const std::string tail = c.chance(0.5) ? std::string(tokenizer->piece(special(c))) : "";
             for (const Token token : encoded(c, *tokenizer, whole + tail, SpecialTokens::parse)) {
                 c.between("token", token, 0, static_cast<Token>(tokenizer->vocab_size) - 1);
                 c.expect(!tokenizer->piece(token).empty(), "token " + to_text(token) + " has no bytes");
             }
         }},
        {"tokenizer.specials_are_text_unless_asked", "As text, what reads like a special token is no special token.",
         [=](Case& c) {
             const std::string whole = text(c, 3) + std::string(tokenizer->piece(special(c))) + text(c, 3);
             c.given("text", whole);
             const std::vector<Token> tokens = encoded(c, *tokenizer, whole);
             for (const Token token : tokens) {
                 c.expect(std::find(specials.begin(), specials.end(), token) == specials.end(),
                          "the special token " + to_text(token) + " comes of text");
             }
             c.equal("pieces", decoded(*tokenizer, tokens), whole);
         }},
        {"tokenizer.specials_when_asked", "Parsed, a special token's text becomes it, between the tokens of the rest.",
         [=](Case& c) {
             std::string before = text(c, 3), after = text(c, 3);
             for (std::string* part : {&before, &after}) std::replace(part->begin(), part->end(), '<', '.');
             const Token token = special(c);
             const std::string whole = before + std::string(tokenizer->piece(token)) + after;
             c.given("text", whole);
             std::vector<Token> expected = encoded(c, *tokenizer, before);
             const std::vector<Token> rest = encoded(c, *tokenizer, after);
             expected.push_back(token);
             expected.insert(expected.end(), rest.begin(), rest.end());
             c.equal("tokens", encoded(c, *tokenizer, whole, SpecialTokens::parse), expected);
         }},
        {"tokenizer.adds_nothing", "No text becomes no token.",
         [=](Case& c) {
             for (const SpecialTokens how : {SpecialTokens::as_text, SpecialTokens::parse}) {
                 c.equal("tokens", encoded(c, *tokenizer, "", how), {});
             }
         },
         1},
        {"tokenizer.deterministic", "A text gives the same tokens again, whatever was encoded before.",
         [=](Case& c) {
             const std::string whole = text(c);
             const std::vector<Token> first = encoded(c, *tokenizer, whole);
             encoded(c, *tokenizer, bytes(c), SpecialTokens::parse);
             c.equal("tokens", encoded(c, *tokenizer, whole), first);
         }},
        {"tokenizer.foreign_ids", "An id outside the vocabulary has no bytes and is no control token.",
         [=](Case& c) {
             const auto size = static_cast<Token>(tokenizer->vocab_size);
             const Token foreign = c.pick({size, -1, c.integer(size, std::numeric_limits<Token>::max()),
                                           c.integer(std::numeric_limits<Token>::min(), -1)});
             c.given("id", foreign);
             c.equal("piece", tokenizer->piece(foreign), std::string_view());
             c.expect(!tokenizer->is_control(foreign), "a foreign id is a control token");
         }},
    };
}

template <Tokenizer T>
std::vector<Law> tokenizer_law_list(std::shared_ptr<const T> tokenizer) {
    return tokenizer_law_list(std::make_shared<const detail::AnyTokenizer>(std::move(tokenizer)));
}

inline std::vector<Law> bpe_law_list(detail::AnyBpe (*made)(const Case&, const SmallVocabulary&)) {
    using namespace detail;
    return {
        {"bpe.equals_plain_merging", "The tokens of a word are those of merging by the first rule that applies.",
         [=](Case& c) {
             const SmallVocabulary vocabulary = SmallVocabulary::drawn(c);
             const AnyBpe tokenizer = made(c, vocabulary);
             std::string word;
             for (int left = c.integer(0, 20); left > 0; --left) {
                 word += c.pick<std::string_view>({"a", "b", "c", "\u00E9"});
             }
             c.given("word", word);
             std::vector<std::string> pieces;
             for (const Token token : encoded(c, tokenizer, word)) pieces.emplace_back(tokenizer.piece(token));
             c.equal("pieces", pieces, merged(word, vocabulary.merges()));
         }},
        {"bpe.never_crosses_words", "No token reaches across the border of two words.",
         [=](Case& c) {
             const AnyBpe tokenizer =
                 made(c, SmallVocabulary({{"a", " "}, {"a", "1"}, {"1", "1"}, {" ", "a"}, {"!", " "}, {"!", "a"}}));
             std::vector<Classed> characters(c.integer<std::size_t>(1, 12));
             std::string whole;
             for (Classed& character : characters) {
                 character = c.pick<Classed>({{"a", 'L'}, {"1", 'N'}, {" ", 'S'}, {"!", 'O'}});
                 whole += character.text;
             }
             c.given("text", whole);
             std::vector<Token> expected;
             for (std::size_t at = 0; at < whole.size();) {  // each character is one byte
                 const std::size_t length = word_of_pattern(std::span(characters).subspan(at));
                 const auto tokens = encoded(c, tokenizer, std::string_view(whole).substr(at, length));
                 expected.insert(expected.end(), tokens.begin(), tokens.end());
                 at += length;
             }
             c.equal("tokens", encoded(c, tokenizer, whole), expected);
         }},
    };
}

//! Of a T that is made from a BpeVocabulary.
template <class T>
std::vector<Law> bpe_law_list() {
    return bpe_law_list([](const Case& c, const SmallVocabulary& vocabulary) {
        return detail::AnyBpe(std::make_shared<const T>(detail::value_of(c, vocabulary.create<T>())));
    });
}

//! Of word_end(text, at), where the word ends that starts at text[at], by Qwen2's pattern.
inline std::vector<Law> pretokenizer_law_list(std::size_t (*word_end)(std::string_view text, std::size_t at)) {
    using namespace detail;
    return {
        {"pretokenizer.equals_pattern", "The words are those of the pattern, alternative by alternative.",
         [word_end](Case& c) {
             const std::vector<Classed> characters = classed_text(c);
             std::string whole;
             for (const Classed& character : characters) whole += character.text;
             c.given("text", whole);
             std::vector<std::string> expected, got;
             for (std::size_t at = 0; at < characters.size();) {
                 expected.emplace_back();
                 for (std::size_t left = word_of_pattern(std::span(characters).subspan(at)); left > 0; --left) {
                     expected.back() += characters[at++].text;
                 }
             }
             for (std::size_t at = 0; at < whole.size();) {
                 const std::size_t end = word_end(whole, at);
                 c.between("end of a word", end, at + 1, whole.size());
                 got.push_back(whole.substr(at, end - at));
                 at = end;
             }
             c.equal("words", got, expected);
         }},
        {"pretokenizer.covers_any_bytes", "Whatever the bytes, each word has some, and none reaches past the end.",
         [word_end](Case& c) {
             const std::string whole = c.chance(0.5) ? text(c) : bytes(c);
             c.given("text", whole);
             for (std::size_t at = 0; at < whole.size();) {
                 const std::size_t end = word_end(whole, at);
                 c.between("end of a word", end, at + 1, whole.size());
                 at = end;
             }
         }},
        {"pretokenizer.looks_ahead_only", "A word depends on the text from its start on alone.",
         [word_end](Case& c) {
             const std::string before = text(c, 4), whole = text(c, 6) + "x";
             c.given("text before", before);
             c.given("text", whole);
             c.equal("length of the word", word_end(before + whole, before.size()) - before.size(), word_end(whole, 0));
         }},
    };
}

template <Tokenizer T>
void tokenizer_laws(std::string_view subject, T tokenizer) {
    check_laws(subject, tokenizer_law_list<T>(std::make_shared<const T>(std::move(tokenizer))));
}
template <class T>
void bpe_laws(std::string_view subject) {
    check_laws(subject, bpe_law_list<T>());
}
inline void pretokenizer_laws(std::string_view subject, std::size_t (*word_end)(std::string_view, std::size_t)) {
    check_laws(subject, pretokenizer_law_list(word_end));
}

}  // namespace sluice::contracts
