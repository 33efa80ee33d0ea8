// SPDX-License-Identifier: Apache-2.0
//! Qwen2's pre-tokenizer: cuts text into the words that byte-pair merging never crosses.
//!
//! It is the pattern
//!     (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
//! written as a scanner: no backtracking, no recursion, linear time on any input.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "sluice/core/utf8.hpp"
#include "sluice/text/unicode.hpp"

namespace sluice {

namespace pretokenizer_detail {

using unicode::CharClass;

inline constexpr auto ascii_classes = [] {
    std::array<CharClass, 128> classes{};
    for (char32_t code = 0; code < classes.size(); ++code) classes[code] = unicode::char_class(code);
    return classes;
}();

//! A character of the text: its class, and the offset after it. Ill-formed bytes are `other`.
struct Char {
    CharClass char_class;
    std::size_t end;
};

constexpr Char read(std::string_view text, std::size_t at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x80) return {ascii_classes[byte], at + 1};
    const utf8::CodePoint code = utf8::decode(text, at);
    return {unicode::char_class(code.value), at + code.length};
}

constexpr std::size_t skip(std::string_view text, std::size_t at, CharClass wanted) {
    while (at < text.size()) {
        const Char next = read(text, at);
        if (next.char_class != wanted) break;
        at = next.end;
    }
    return at;
}

constexpr bool is_newline(char c) { return c == '\r' || c == '\n'; }

//! The length of 's 't 're 've 'm 'll 'd at `at`, in any case, or 0. U+017F folds to s.
constexpr std::size_t contraction(std::string_view text, std::size_t at) {
    const auto lower = [&](std::size_t i) {
        const char c = at + i < text.size() ? text[at + i] : '\0';
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    if (lower(0) != '\'') return 0;
    const char first = lower(1);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
    if ((first == 'r' || first == 'v') && lower(2) == 'e') return 3;
    if (first == 'l' && lower(2) == 'l') return 3;
    return text.substr(at + 1, 2) == "\u017F" ? 3 : 0;
}

//! Where the word ends that starts with the white space at `at`.
constexpr std::size_t white_space_end(std::string_view text, std::size_t at) {
    std::size_t end = at;
    std::size_t last = at;           // start of the run's last character
    std::size_t after_newline = at;  // end of the run's last newline
    while (end < text.size()) {
        const Char next = read(text, end);
        if (next.char_class != CharClass::space) break;
        if (is_newline(text[end])) after_newline = next.end;
        last = end;
        end = next.end;
    }
    if (after_newline > at) return after_newline;
    // The last character of the run is left to lead the next word, unless it is the only one.
    return end == text.size() || last == at ? end : last;
}

}  // namespace pretokenizer_detail

//! The end of the word that starts at text[at]; needs at < text.size(). Words are never empty and depend only on the
//! text from `at` on.
constexpr std::size_t qwen2_word_end(std::string_view text, std::size_t at) {
    using namespace pretokenizer_detail;
    if (const std::size_t length = contraction(text, at)) return at + length;

    const Char first = read(text, at);
    if (first.char_class == CharClass::letter) return skip(text, first.end, CharClass::letter);
    if (first.char_class == CharClass::number) return first.end;

    const bool has_next = first.end < text.size();
    const CharClass next = has_next ? read(text, first.end).char_class : CharClass::space;
    if (next == CharClass::letter && !is_newline(text[at])) return skip(text, first.end, CharClass::letter);

    if (first.char_class == CharClass::other || (text[at] == ' ' && next == CharClass::other)) {
        std::size_t end = skip(text, first.end, CharClass::other);
        while (end < text.size() && is_newline(text[end])) ++end;
        return end;
    }
    return white_space_end(text, at);
}

}  // namespace sluice
