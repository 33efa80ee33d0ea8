// SPDX-License-Identifier: Apache-2.0
//! UTF-8, one code point at a time: decode, append, validate. Ill-formed bytes are values here, never errors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::utf8 {

//! What takes the place of an ill-formed sequence.
inline constexpr char32_t replacement = 0xFFFD;

//! `cut`: the text ends inside a sequence that was well-formed so far.
enum class Form : std::uint8_t { valid, invalid, cut };

//! A decoded code point and the bytes it took. Unless valid, `value` is U+FFFD and `length` (at least 1) is the maximal
//! subpart that Unicode 15, section 3.9 replaces by one U+FFFD.
struct CodePoint {
    char32_t value;
    std::uint8_t length;
    Form form;
};

//! Decodes the sequence that starts at text[at]; needs at < text.size().
constexpr CodePoint decode(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[at + i]); };
    const std::uint8_t lead = byte(0);
    if (lead < 0x80) return {lead, 1, Form::valid};
    if (lead < 0xC2 || lead > 0xF4) return {replacement, 1, Form::invalid};

    const std::uint8_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    // The second byte's range rules out overlong forms, surrogates and everything past U+10FFFF.
    const std::uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const std::uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    char32_t value = lead & (0x7FU >> length);
    for (std::uint8_t i = 1; i < length; ++i) {
        if (at + i == text.size()) return {replacement, i, Form::cut};
        const std::uint8_t next = byte(i);
        if (next < (i == 1 ? low : 0x80) || next > (i == 1 ? high : 0xBF)) return {replacement, i, Form::invalid};
        value = value << 6U | (next & 0x3FU);
    }
    return {value, length, Form::valid};
}

//! Appends a code point, which must be a Unicode scalar value.
inline void append(std::string& out, char32_t code) {
    const auto tail = [&](unsigned shift) { out += static_cast<char>(0x80U | (code >> shift & 0x3FU)); };
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xC0U | code >> 6U);
        tail(0);
    } else if (code < 0x10000) {
        out += static_cast<char>(0xE0U | code >> 12U);
        tail(6), tail(0);
    } else {
        out += static_cast<char>(0xF0U | code >> 18U);
        tail(12), tail(6), tail(0);
    }
}

//! The offset of the first ill-formed byte, or text.size() when there is none.
constexpr std::size_t valid_prefix(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        const CodePoint next = decode(text, at);
        if (next.form != Form::valid) break;
        at += next.length;
    }
    return at;
}

constexpr bool is_valid(std::string_view text) { return valid_prefix(text) == text.size(); }

}  // namespace sluice::utf8
