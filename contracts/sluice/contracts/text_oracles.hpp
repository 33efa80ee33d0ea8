// SPDX-License-Identifier: Apache-2.0
//! What the streams of text compute, from the definitions: naively, obviously right.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::contracts::oracle {

//! The code point that exactly these bytes encode, if they are its one well-formed encoding.
inline std::optional<char32_t> code_point(std::string_view bytes) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
    if (bytes.empty() || bytes.size() > 4) return std::nullopt;
    if (bytes.size() == 1) return byte(0) < 0x80 ? std::optional<char32_t>(byte(0)) : std::nullopt;
    constexpr std::uint8_t leads[] = {0, 0, 0xC0, 0xE0, 0xF0}, masks[] = {0, 0, 0xE0, 0xF0, 0xF8};
    constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const std::size_t n = bytes.size();
    if ((byte(0) & masks[n]) != leads[n]) return std::nullopt;
    char32_t code = byte(0) & static_cast<std::uint8_t>(~masks[n]);
    for (std::size_t i = 1; i < n; ++i) {
        if ((byte(i) & 0xC0) != 0x80) return std::nullopt;
        code = code * 64 + (byte(i) & 0x3F);
    }
    const bool scalar = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
    return scalar && code >= smallest[n] ? std::optional(code) : std::nullopt;
}

//! Whether the bytes are the beginning of some character, but not all of it: tries ends at all borders of the ranges
//! that Unicode's table of well-formed sequences has.
inline bool begins_character(const std::string& bytes) {
    if (bytes.size() >= 4) return false;
    return std::any_of(
        std::begin("\x80\x8F\x90\x9F\xA0\xBF"), std::end("\x80\x8F\x90\x9F\xA0\xBF") - 1,
        [&](char next) { return code_point(bytes + next).has_value() || begins_character(bytes + next); });
}

//! The length of the character at the beginning of the bytes; 0 if there is none.
inline std::size_t character_length(std::string_view bytes) {
    for (std::size_t length = 1; length <= std::min<std::size_t>(bytes.size(), 4); ++length) {
        if (code_point(bytes.substr(0, length))) return length;
    }
    return 0;
}

inline bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = character_length(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

//! The text with U+FFFD for each longest beginning of a character that is not completed, and for each other wrong byte.
inline std::string repaired(std::string_view bytes) {
    std::string text;
    while (!bytes.empty()) {
        std::size_t length = character_length(bytes);
        if (length > 0) {
            text += bytes.substr(0, length);
        } else {
            text += "\uFFFD";
            length = 1;
            while (length < bytes.size() && begins_character(std::string(bytes.substr(0, length + 1)))) ++length;
        }
        bytes.remove_prefix(length);
    }
    return text;
}

//! A text up to its first stop string: the one that is complete first, the longest if several are.
struct Stopped {
    std::string text;
    bool stopped = false;
};

inline Stopped stopped(const std::string& text, const std::vector<std::string>& stops) {
    for (std::size_t end = 1; end <= text.size(); ++end) {
        std::size_t longest = 0;
        for (const std::string& stop : stops) {
            if (std::string_view(text).substr(0, end).ends_with(stop)) longest = std::max(longest, stop.size());
        }
        if (longest > 0) return {text.substr(0, end - longest), true};
    }
    return {text, false};
}

//! How long an end of the text is that may become a stop string.
inline std::size_t undecided(const std::string& text, const std::vector<std::string>& stops) {
    for (std::size_t length = text.size(); length > 0; --length) {
        for (const std::string& stop : stops) {
            if (stop.starts_with(std::string_view(text).substr(text.size() - length))) return length;
        }
    }
    return 0;
}

}  // namespace sluice::contracts::oracle
