// SPDX-License-Identifier: Apache-2.0
//! Character properties, canonical decomposition and composition: lookups in the generated tables, and Hangul by rule.
#pragma once

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "sluice/text/unicode_tables.hpp"

namespace sluice::unicode {

//! The properties of a code point; any value past U+10FFFF has those of an unassigned one.
constexpr const CharRecord& record_of(char32_t code) {
    if (code >= tables::limit) return tables::records[tables::plain_record];
    const std::uint32_t block = tables::block_of[code / tables::block_size];
    return tables::records[tables::blocks[block * tables::block_size + code % tables::block_size]];
}

//! Whether a code point is a letter, a number, white space or something else, as the pre-tokenizer's pattern asks.
constexpr CharClass char_class(char32_t code) { return record_of(code).char_class; }

//! Hangul syllables are laid out as leading x vowel x trailing consonant (Unicode 15, section 3.12).
namespace hangul {
inline constexpr char32_t syllables = 0xAC00, leading = 0x1100, vowel = 0x1161, trailing = 0x11A7;
inline constexpr char32_t leading_count = 19, vowel_count = 21, trailing_count = 28;
inline constexpr char32_t syllable_count = leading_count * vowel_count * trailing_count;
}  // namespace hangul

//! One step of canonical decomposition: (first, second), (single, 0) or nothing.
constexpr std::optional<std::pair<char32_t, char32_t>> decompose(char32_t code) {
    if (const char32_t syllable = code - hangul::syllables; syllable < hangul::syllable_count) {
        const char32_t tail = syllable % hangul::trailing_count;
        if (tail != 0) return std::pair(code - tail, hangul::trailing + tail);
        const char32_t pair = syllable / hangul::trailing_count;
        return std::pair(hangul::leading + pair / hangul::vowel_count, hangul::vowel + pair % hangul::vowel_count);
    }
    const auto& all = tables::decompositions;
    const auto* const found = std::lower_bound(
        all.begin(), all.end(), code, [](const Decomposition& row, char32_t wanted) { return row.code < wanted; });
    if (found == all.end() || found->code != code) return std::nullopt;
    return std::pair(found->first, found->second);
}

//! The primary composite of two characters, if there is one.
constexpr std::optional<char32_t> compose(char32_t first, char32_t second) {
    const char32_t lead = first - hangul::leading;
    const char32_t vowel = second - hangul::vowel;
    if (lead < hangul::leading_count && vowel < hangul::vowel_count) {
        return hangul::syllables + (lead * hangul::vowel_count + vowel) * hangul::trailing_count;
    }
    const char32_t syllable = first - hangul::syllables;
    const char32_t tail = second - hangul::trailing;
    if (syllable < hangul::syllable_count && syllable % hangul::trailing_count == 0 &&
        tail - 1 < hangul::trailing_count - 1) {
        return first + tail;
    }
    const auto& all = tables::compositions;
    const auto row = [](std::uint16_t index) -> const Decomposition& { return tables::decompositions[index]; };
    const auto* const found =
        std::lower_bound(all.begin(), all.end(), std::tie(first, second), [&](std::uint16_t index, const auto& wanted) {
            return std::tie(row(index).first, row(index).second) < wanted;
        });
    if (found == all.end() || row(*found).first != first || row(*found).second != second) return std::nullopt;
    return row(*found).code;
}

}  // namespace sluice::unicode
