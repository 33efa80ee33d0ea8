// SPDX-License-Identifier: Apache-2.0
#include "sluice/text/stop_strings.hpp"

#include <doctest/doctest.h>
#include <optional>
#include <random>
#include <string>
#include <vector>

using namespace sluice;

namespace {

using Texts = std::vector<std::string>;

StopStrings matcher_of(const Texts& stops) {
    auto matcher = StopStrings::create(stops);
    REQUIRE(matcher.ok());
    return *matcher;
}

//! What comes out after each push, and at the end.
Texts pushed(const Texts& stops, const Texts& pieces) {
    StopStrings matcher = matcher_of(stops);
    Texts out;
    for (const std::string& piece : pieces) matcher.push(piece, out.emplace_back());
    matcher.flush(out.emplace_back());
    return out;
}

//! The text up to the stop string that is complete first, the longest of those; and whether there is one.
std::pair<std::string, bool> cut_naively(const Texts& stops, const std::string& text) {
    for (std::size_t end = 1; end <= text.size(); ++end) {
        std::size_t longest = 0;
        for (const std::string& stop : stops) {
            if (text.substr(0, end).ends_with(stop)) longest = std::max(longest, stop.size());
        }
        if (longest > 0) return {text.substr(0, end - longest), true};
    }
    return {text, false};
}

}  // namespace

TEST_CASE("stop_strings: none passes everything on") {
    CHECK(pushed({}, {"a", "", "b"}) == Texts{"a", "", "b", ""});
    StopStrings none;
    std::string out;
    CHECK_FALSE(none.push("x", out));
    CHECK(out == "x");
}

TEST_CASE("stop_strings: holds back what may begin a stop string, and no more") {
    CHECK(pushed({"END"}, {"the E", "N", "D", "gone"}) == Texts{"the ", "", "", "", ""});
    CHECK(pushed({"END"}, {"the E", "N", "T"}) == Texts{"the ", "", "ENT", ""});
    CHECK(pushed({"END"}, {"the EN"}) == Texts{"the ", "EN"});
    CHECK(pushed({"aab"}, {"aa", "aa", "b!"}) == Texts{"", "aa", "", ""});
    CHECK(pushed({"\n\n", "\nUser:"}, {"a\n", "U", "ser", "x\n\n"}) == Texts{"a", "", "", "\nUserx", ""});
}

TEST_CASE("stop_strings: the first complete one ends the text, the longest of several") {
    CHECK(pushed({"abcd", "c"}, {"xabcd"}) == Texts{"xab", ""});
    CHECK(pushed({"c", "abc"}, {"xabcd"}) == Texts{"x", ""});
    CHECK(pushed({"b", "a"}, {"xab"}) == Texts{"x", ""});
}

TEST_CASE("stop_strings: says which one matched, and starts afresh after flush") {
    StopStrings matcher = matcher_of({"one", "two"});
    std::string out;
    CHECK_FALSE(matcher.push("a tw", out));
    CHECK(matcher.matched() == std::nullopt);
    CHECK(matcher.push("o b", out));
    CHECK(matcher.matched() == 1);
    CHECK(matcher.push("more", out));
    CHECK(out == "a ");
    matcher.flush(out);
    CHECK(matcher.matched() == std::nullopt);
    CHECK_FALSE(matcher.push("o on", out));
    matcher.flush(out);
    CHECK_FALSE(matcher.push("e", out));
    CHECK(out == "a o one");
}

TEST_CASE("stop_strings: never leaks, never loses, wherever the text is cut") {
    std::mt19937 random(6);
    const auto word = [&](auto longest) {
        std::string text;
        for (auto length = random() % longest; length > 0; --length) text += static_cast<char>('a' + random() % 2);
        return text;
    };
    for (int round = 0; round < 50000; ++round) {
        Texts stops;
        for (auto count = random() % 4; count > 0; --count) stops.push_back("a" + word(5U));
        const std::string text = word(24U);
        StopStrings matcher = matcher_of(stops);
        std::string out;
        bool stopped = false;
        const auto [expected, found] = cut_naively(stops, text);
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t length = 1 + random() % 5;
            stopped = matcher.push(std::string_view(text).substr(at, length), out);
            at += length;
            if (!expected.starts_with(out)) FAIL(text, " leaks ", out);
        }
        matcher.flush(out);
        if (out != expected || stopped != found) FAIL(text, " gives ", out, ", not ", expected);
    }
}

TEST_CASE("stop_strings: what is passed on is whole UTF-8") {
    // The two letters share their first byte, which must not be passed on alone.
    CHECK(pushed({"\u00E9!"}, {"\u00E8", "\u00E9", "\u00E8"}) == Texts{"\u00E8", "", "\u00E9\u00E8", ""});
}

TEST_CASE("stop_strings: a long near miss takes linear time") {
    const std::string near_miss(100000, 'a');
    StopStrings matcher = matcher_of({near_miss + "b"});
    std::string out;
    bool stopped = false;
    for (int i = 0; i < 1000000; ++i) stopped = matcher.push("a", out) || stopped;  // 1e11 steps, if each began anew
    CHECK_FALSE(stopped);
    CHECK(out.size() == 900000);
    CHECK(matcher.push("b", out));
    CHECK(out.size() == 900000);
}

TEST_CASE("stop_strings: refuses what can never or always match") {
    CHECK(StopStrings::create({"ok", ""}).status().message() == "stop string: is empty; give text, or leave it out");
    CHECK(StopStrings::create({"\xC3"}).status().message() ==
          "stop string: is not valid UTF-8; give text, or leave it out");
}
