// SPDX-License-Identifier: Apache-2.0
//! Random texts, whole and broken, and random ways to cut them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/contracts/case.hpp"

namespace sluice::contracts::detail {

//! Text of words, digits, spaces of several kinds, punctuation and scripts of one to four bytes per character.
inline std::string text(Case& c, std::size_t most_parts = 12) {
    std::string drawn;
    for (std::size_t left = c.integer<std::size_t>(0, most_parts); left > 0; --left) {
        drawn += c.pick<std::string_view>({"a",          "the",
                                           "Fox",        " fox",
                                           "  ",         "\n",
                                           "\r\n",       "\t ",
                                           "123",        "7",
                                           "'s",         "'LL",
                                           "!?",         "...",
                                           "\u00E9",     "e\u0301",
                                           "\u00DF",     "\u4F60\u597D",
                                           "\u3000",     "\uFFFD",
                                           "\U0001F98A", "\U0001F469\u200D\U0001F680",
                                           "<|",         "|>",
                                           "im_end"});
        if (c.chance(0.05)) drawn += '\0';
    }
    return drawn;
}

//! Bytes of which many are no UTF-8: parts of characters, overlong forms, surrogates, bytes that never occur.
inline std::string bytes(Case& c, std::size_t most_parts = 10) {
    std::string drawn;
    for (std::size_t left = c.integer<std::size_t>(0, most_parts); left > 0; --left) {
        drawn += c.pick<std::string_view>({"a", "z ", "\u00E9", "\u4F60", "\U0001F98A", "\xC3", "\xA9", "\xE4\xBD",
                                           "\xF0\x9F\xA6", "\xF0\x9F", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                                           "\xE0\x80", "\xFF", "\x80"});
        if (c.chance(0.1)) drawn += static_cast<char>(c.integer(0, 255));
    }
    return drawn;
}

//! The text in pieces, some of them empty.
inline std::vector<std::string> cut(Case& c, std::string_view text) {
    std::vector<std::string> pieces;
    const auto longest = c.pick<std::size_t>({1, 2, 5, 40});
    while (!text.empty()) {
        const std::size_t length = std::min(text.size(), c.integer<std::size_t>(0, longest));
        pieces.emplace_back(text.substr(0, length));
        text.remove_prefix(length);
    }
    c.given("pieces", pieces);
    return pieces;
}

}  // namespace sluice::contracts::detail
