// SPDX-License-Identifier: Apache-2.0
#include "sluice/text/pretokenizer.hpp"

#include <algorithm>
#include <cstddef>
#include <doctest/doctest.h>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace sluice;
using unicode::CharClass;

namespace {

using Words = std::vector<std::string>;

Words split(std::string_view text) {
    Words words;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = qwen2_word_end(text, at);
        words.emplace_back(text.substr(at, end - at));
        at = end;
    }
    return words;
}

//! The regular expression, one alternative after the other, each tried from its longest match to its shortest.
class NaivePattern {
public:
    explicit NaivePattern(std::string_view text) {
        for (std::size_t at = 0; at < text.size();) {
            const utf8::CodePoint code = utf8::decode(text, at);
            chars_.push_back({std::string(text.substr(at, code.length)), unicode::char_class(code.value)});
            at += code.length;
        }
    }

    Words split() const {
        Words words;
        for (std::size_t at = 0; at < chars_.size();) {
            const std::size_t length = match(at);
            std::string& word = words.emplace_back();
            for (std::size_t i = 0; i < length; ++i) word += chars_[at + i].bytes;
            at += length;
        }
        return words;
    }

private:
    struct Char {
        std::string bytes;
        CharClass char_class;
    };

    template <class Test>
    std::size_t run(std::size_t at, Test test) const {
        std::size_t length = 0;
        while (at + length < chars_.size() && test(chars_[at + length])) ++length;
        return length;
    }

    std::size_t match(std::size_t at) const {
        const auto is = [](CharClass wanted) { return [=](const Char& c) { return c.char_class == wanted; }; };
        const auto newline = [](const Char& c) { return c.bytes == "\r" || c.bytes == "\n"; };
        const auto is_at = [&](std::size_t i, auto test) { return i < chars_.size() && test(chars_[i]); };

        for (const Words& contraction : {Words{"s"}, {"t"}, {"r", "e"}, {"v", "e"}, {"m"}, {"l", "l"}, {"d"}}) {
            const auto same = [&](std::size_t i) {
                return is_at(at + 1 + i, [&](const Char& c) {
                    std::string lower = c.bytes == "\u017F" ? "s" : c.bytes;
                    if (lower[0] >= 'A' && lower[0] <= 'Z') lower[0] = static_cast<char>(lower[0] + 32);
                    return lower == contraction[i];
                });
            };
            if (chars_[at].bytes == "'" && same(0) && (contraction.size() == 1 || same(1)))
                return 1 + contraction.size();
        }
        // [^\r\n\p{L}\p{N}]?\p{L}+
        const bool optional_first =
            !newline(chars_[at]) && !is(CharClass::letter)(chars_[at]) && !is(CharClass::number)(chars_[at]);
        for (const std::size_t first : {std::size_t{1}, std::size_t{0}}) {
            if (first == 1 && !optional_first) continue;
            if (const std::size_t letters = run(at + first, is(CharClass::letter))) return first + letters;
        }
        if (is(CharClass::number)(chars_[at])) return 1;
        // ?[^\s\p{L}\p{N}]+[\r\n]*
        for (const std::size_t first : {std::size_t{1}, std::size_t{0}}) {
            if (first == 1 && chars_[at].bytes != " ") continue;
            if (const std::size_t others = run(at + first, is(CharClass::other))) {
                return first + others + run(at + first + others, newline);
            }
        }
        const std::size_t spaces = run(at, is(CharClass::space));
        for (std::size_t taken = spaces + 1; taken-- > 0;) {  // \s*[\r\n]+
            if (const std::size_t newlines = run(at + taken, newline)) return taken + newlines;
        }
        for (std::size_t taken = spaces; taken > 0; --taken) {  // \s+(?!\S)
            if (at + taken == chars_.size() || is_at(at + taken, is(CharClass::space))) return taken;
        }
        return spaces;
    }

    std::vector<Char> chars_;
};

}  // namespace

TEST_CASE("pretokenizer: words, numbers, punctuation, white space") {
    CHECK(split("Hello, world!") == Words{"Hello", ",", " world", "!"});
    CHECK(split("x12") == Words{"x", "1", "2"});
    CHECK(split("a  b") == Words{"a", " ", " b"});
    CHECK(split("a \n\n  b") == Words{"a", " \n\n", " ", " b"});
    CHECK(split("end   ") == Words{"end", "   "});
    CHECK(split("f(x);\n\n  y") == Words{"f", "(x", ");\n\n", " ", " y"});
    CHECK(split("\tx\r\ny") == Words{"\tx", "\r\n", "y"});
    CHECK(split("a\u00A0b") == Words{"a", "\u00A0b"});
    CHECK(split("  1") == Words{" ", " ", "1"});
    CHECK(split(" !") == Words{" !"});
    CHECK(split("\u00A0!") == Words{"\u00A0", "!"});
}

TEST_CASE("pretokenizer: contractions in any case, the long s among them") {
    CHECK(split("I'm we'LL 'tis") == Words{"I", "'m", " we", "'LL", " '", "tis"});
    CHECK(split("it'\u017Fx") == Words{"it", "'\u017F", "x"});
    CHECK(split("'v 're") == Words{"'v", " '", "re"});
    CHECK(split("'") == Words{"'"});
    CHECK(split("l'l") == Words{"l", "'l"});
}

TEST_CASE("pretokenizer: ill-formed bytes are punctuation") {
    CHECK(split("a\xFF\xFEz") == Words{"a", "\xFF\xFE", "z"});
    CHECK(split("a\xFFz") == Words{"a", "\xFFz"});
    CHECK(split("a \xFF\n") == Words{"a", " \xFF\n"});
}

TEST_CASE("pretokenizer: agrees with the regular expression on random text") {
    const std::string pieces[] = {"a",      "Z",      "s",          "S",    "t",        "re",     "LL",     "v",
                                  "'",      "'",      " ",          " ",    " ",        "\n",     "\r",     "\t",
                                  "1",      "\u00B2", "!",          "_",    "\u00A0",   "\u0085", "\u3000", "\u017F",
                                  "\u4F60", "\u0301", "\U0001F98A", "\xFF", "\xE2\x82", "\u2028", "e",      "m"};
    std::mt19937 random(2);
    int agreed = 0;
    for (int round = 0; round < 200000; ++round) {
        std::string text;
        for (auto length = random() % 16; length > 0; --length) text += pieces[random() % std::size(pieces)];
        if (split(text) != NaivePattern(text).split()) FAIL(text);
        ++agreed;
    }
    CHECK(agreed == 200000);
}

TEST_CASE("pretokenizer: long runs take linear time") {
    for (const char* unit : {"a", " ", "\n", "!", "1", " \n", "\xFF", "\u3000", "'", "'l"}) {
        std::string text;
        while (text.size() < 1U << 20U) text += unit;
        std::size_t bytes = 0;
        for (const std::string& word : split(text)) bytes += word.size();
        CHECK(bytes == text.size());
    }
}
