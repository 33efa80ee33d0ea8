// SPDX-License-Identifier: Apache-2.0
#include "sluice/text/unicode.hpp"

#include <array>
#include <doctest/doctest.h>
#include <initializer_list>
#include <limits>

using namespace sluice;
using unicode::char_class;
using unicode::CharClass;

namespace {

void check_all(CharClass wanted, std::initializer_list<char32_t> codes) {
    for (const char32_t code : codes) {
        CAPTURE(static_cast<std::uint32_t>(code));
        CHECK(char_class(code) == wanted);
    }
}

}  // namespace

TEST_CASE("unicode: character classes") {
    check_all(CharClass::letter,
              {'a', 'Z', 0xAA, 0x17F, 0x2BC, 0x5D0, 0x4E00, 0xAC00, 0xD7A3, 0x10000, 0x31350, 0x2EBF0});
    check_all(CharClass::number, {'0', '9', 0xB2, 0xBD, 0x660, 0x2163, 0x3007, 0x1D7FF});
    check_all(CharClass::space, {'\t', '\n', '\v', '\f', '\r', ' ', 0x85, 0xA0, 0x1680, 0x2000, 0x200A, 0x2028, 0x2029,
                                 0x202F, 0x205F, 0x3000});
    check_all(CharClass::other, {0, 0x1C, 0x1F, '!', '_', 0xAD, 0x301, 0x180E, 0x200B, 0xFEFF, 0xFFFD, 0x1F98A, 0xE0100,
                                 0x10FFFF, 0x110000, std::numeric_limits<char32_t>::max()});
}

TEST_CASE("unicode: white space has exactly its 25 members") {
    int count = 0;
    for (char32_t code = 0; code < 0x110000; ++code) count += char_class(code) == CharClass::space ? 1 : 0;
    CHECK(count == 25);
}

TEST_CASE("unicode: combining classes and stability") {
    CHECK(unicode::record_of('a').combining_class == 0);
    CHECK(unicode::record_of(0x301).combining_class == 230);
    CHECK(unicode::record_of(0x323).combining_class == 220);
    CHECK(unicode::record_of('a').stable);
    CHECK_FALSE(unicode::record_of(0x301).stable);   // composes with a letter before it
    CHECK_FALSE(unicode::record_of(0x1161).stable);  // a Hangul vowel
    CHECK_FALSE(unicode::record_of(0x212B).stable);  // the Angstrom sign is not in NFC
}

TEST_CASE("unicode: decomposition goes one step at a time") {
    CHECK(unicode::decompose('a') == std::nullopt);
    CHECK(unicode::decompose(0xE9) == std::pair<char32_t, char32_t>('e', 0x301));
    CHECK(unicode::decompose(0x1EC7) == std::pair<char32_t, char32_t>(0x1EB9, 0x302));
    CHECK(unicode::decompose(0x212B) == std::pair<char32_t, char32_t>(0xC5, 0));
    CHECK(unicode::decompose(0xAC00) == std::pair<char32_t, char32_t>(0x1100, 0x1161));
    CHECK(unicode::decompose(0xD55C) == std::pair<char32_t, char32_t>(0xD558, 0x11AB));
}

TEST_CASE("unicode: composition undoes decomposition, exclusions apart") {
    CHECK(unicode::compose('e', 0x301) == char32_t{0xE9});
    CHECK(unicode::compose(0x1112, 0x1161) == char32_t{0xD558});
    CHECK(unicode::compose(0xD558, 0x11AB) == char32_t{0xD55C});
    CHECK(unicode::compose(0xD558, 0x11A7) == std::nullopt);  // one before the first trailing consonant
    CHECK(unicode::compose(0xD55C, 0x11AB) == std::nullopt);  // has a trailing consonant already
    CHECK(unicode::compose(0x915, 0x93C) == std::nullopt);    // an exclusion
    CHECK(unicode::compose('a', 'b') == std::nullopt);

    int composed = 0;
    for (char32_t code = 0; code < unicode::tables::limit; ++code) {
        const auto parts = unicode::decompose(code);
        if (!parts || parts->second == 0) continue;
        const auto back = unicode::compose(parts->first, parts->second);
        if (back) CHECK(*back == code);
        composed += back ? 1 : 0;
    }
    CHECK(composed == static_cast<int>(unicode::tables::compositions.size() + unicode::hangul::syllable_count));
}
