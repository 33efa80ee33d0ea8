// SPDX-License-Identifier: Apache-2.0
#include "sluice/core/utf8.hpp"

#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace sluice;

TEST_CASE("utf8: every scalar value survives append and decode") {
    for (char32_t code = 0; code <= 0x10FFFF; code += code == 0xD7FF ? 0x801 : 1) {
        std::string text;
        utf8::append(text, code);
        const utf8::CodePoint decoded = utf8::decode(text, 0);
        if (decoded.value != code || decoded.length != text.size() || decoded.form != utf8::Form::valid) {
            FAIL("code point ", static_cast<std::uint32_t>(code));
        }
    }
}

TEST_CASE("utf8: ill-formed sequences end at their maximal subpart") {
    struct Case {
        std::string text;
        int length;
    };
    for (const Case& one : std::vector<Case>{
             {"\x80", 1},              // a continuation byte alone
             {"\xC0\x80", 1},          // overlong
             {"\xC1\xBF", 1},          //
             {"\xE0\x9F\x80", 1},      //
             {"\xF0\x8F\xBF\xBF", 1},  //
             {"\xED\xA0\x80", 1},      // a surrogate
             {"\xF4\x90\x80\x80", 1},  // past U+10FFFF
             {"\xF5\x80", 1},          //
             {"\xFF", 1},              //
             {"\xC3(", 1},             // broken off by another character
             {"\xE2\x82(", 2},         //
             {"\xF0\x9F\xA6(", 3},     //
         }) {
        CAPTURE(one.text);
        const utf8::CodePoint decoded = utf8::decode(one.text, 0);
        CHECK(decoded.form == utf8::Form::invalid);
        CHECK(decoded.value == utf8::replacement);
        CHECK(decoded.length == one.length);
    }
}

TEST_CASE("utf8: a sequence that the text cuts short may still become whole") {
    const std::string fox = "\U0001F98A";
    for (std::size_t length = 1; length < fox.size(); ++length) {
        const utf8::CodePoint decoded = utf8::decode(std::string_view(fox).substr(0, length), 0);
        CHECK(decoded.form == utf8::Form::cut);
        CHECK(decoded.length == length);
    }
    CHECK(utf8::decode("\xE0", 0).form == utf8::Form::cut);
    CHECK(utf8::decode("\xE0\x80", 0).form == utf8::Form::invalid);
}

TEST_CASE("utf8: valid_prefix stops at the first ill-formed byte") {
    CHECK(utf8::valid_prefix("") == 0);
    CHECK(utf8::valid_prefix("caf\u00E9") == 5);
    CHECK(utf8::valid_prefix("caf\xC3") == 3);
    CHECK(utf8::valid_prefix("a\xFFz") == 1);
    CHECK(utf8::is_valid("\u4F60\u597D"));
    CHECK_FALSE(utf8::is_valid("\xED\xBF\xBF"));
}
