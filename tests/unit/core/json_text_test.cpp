// SPDX-License-Identifier: Apache-2.0
#include "sluice/core/json_text.hpp"

#include <doctest/doctest.h>
#include <limits>
#include <string>
#include <string_view>

using namespace sluice;

namespace {

std::string quoted(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

template <class Number>
std::string number(Number value) {
    std::string out;
    append_json_number(out, value);
    return out;
}

}  // namespace

TEST_CASE("json_text: escapes what JSON does not allow, and nothing else") {
    CHECK(quoted("") == R"("")");
    CHECK(quoted(R"(a"b\c/d)") == R"("a\"b\\c/d")");
    CHECK(quoted("\n\r\t\b\x1f\x7f") == "\"\\n\\r\\t\\u0008\\u001f\x7f\"");
    CHECK(quoted(std::string_view("\0x", 2)) == R"("\u0000x")");
    CHECK(quoted("é漢😀") == "\"é漢😀\"");
}

TEST_CASE("json_text: each ill-formed sequence becomes one U+FFFD") {
    CHECK(quoted("a\xFF"
                 "b") == "\"a\uFFFDb\"");
    CHECK(quoted("\xE6\xBC") == "\"\uFFFD\"");                  // the text ends inside a code point
    CHECK(quoted("\xED\xA0\x80") == "\"\uFFFD\uFFFD\uFFFD\"");  // a surrogate
    CHECK(quoted("\xE6\"") == "\"\uFFFD\\\"\"");                // the quote is not swallowed
}

TEST_CASE("json_text: numbers are shortest, and null when JSON has none") {
    CHECK(number(12U) == "12");
    CHECK(number(-0.25) == "-0.25");
    CHECK(number(std::numeric_limits<double>::infinity()) == "null");
    CHECK(number(std::numeric_limits<float>::quiet_NaN()) == "null");
}
