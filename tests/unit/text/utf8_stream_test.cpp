// SPDX-License-Identifier: Apache-2.0
#include "sluice/text/utf8_stream.hpp"

#include <doctest/doctest.h>
#include <random>
#include <string>
#include <vector>

using namespace sluice;

namespace {

//! What comes out after each push, and at the end.
std::vector<std::string> pushed(const std::vector<std::string>& pieces) {
    Utf8Stream stream;
    std::vector<std::string> out;
    for (const std::string& piece : pieces) stream.push(piece, out.emplace_back());
    stream.flush(out.emplace_back());
    return out;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("utf8_stream: holds a character until it is whole") {
    CHECK(pushed({"a\xC3", "\xA9z"}) == Texts{"a", "\u00E9z", ""});
    CHECK(pushed({"\xF0", "\x9F", "\xA6", "\x8A"}) == Texts{"", "", "", "\U0001F98A", ""});
    CHECK(pushed({"", "x", ""}) == Texts{"", "x", "", ""});
}

TEST_CASE("utf8_stream: ill-formed bytes become U+FFFD, one for each maximal subpart") {
    CHECK(pushed({"a\xFF"
                  "b"}) == Texts{"a\uFFFD"
                                 "b",
                                 ""});
    CHECK(pushed({"\x80\x80"}) == Texts{"\uFFFD\uFFFD", ""});
    CHECK(pushed({"\xE2\x82", "x"}) == Texts{"", "\uFFFDx", ""});
    CHECK(pushed({"\xF0\x9F", "\xC3", "\xA9"}) == Texts{"", "\uFFFD", "\u00E9", ""});
    CHECK(pushed({"\xED\xA0\x80"}) == Texts{"\uFFFD\uFFFD\uFFFD", ""});
}

TEST_CASE("utf8_stream: what is unfinished at the end becomes one U+FFFD, and the next text starts afresh") {
    CHECK(pushed({"a\xF0\x9F\xA6"}) == Texts{"a", "\uFFFD"});
    Utf8Stream stream;
    std::string out;
    stream.push("\xC3", out);
    stream.flush(out);
    stream.push("\xA9", out);
    stream.flush(out);
    CHECK(out == "\uFFFD\uFFFD");
}

TEST_CASE("utf8_stream: the text does not depend on where the bytes are cut, and is always whole") {
    std::mt19937 random(5);
    const std::string units[] = {"a",    "\u00E9",   "\u4F60",   "\U0001F98A", "\xFF",
                                 "\xC3", "\xE2\x82", "\xF0\x9F", "\x80",       "\xED\xA0"};
    for (int round = 0; round < 20000; ++round) {
        std::string bytes;
        for (auto length = random() % 8; length > 0; --length) bytes += units[random() % std::size(units)];
        std::vector<std::string> pieces(1);
        for (const char byte : bytes) {
            if (random() % 2 == 0) pieces.emplace_back();
            pieces.back() += byte;
        }
        std::string joined;
        for (const std::string& text : pushed(pieces)) {
            if (!utf8::is_valid(text)) FAIL(bytes);
            joined += text;
        }
        std::string at_once;
        for (const std::string& text : pushed({bytes})) at_once += text;
        if (joined != at_once) FAIL(bytes);
    }
}
