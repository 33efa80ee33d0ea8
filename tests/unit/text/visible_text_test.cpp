// SPDX-License-Identifier: Apache-2.0
#include "sluice/text/visible_text.hpp"

#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace sluice;

namespace {

VisibleText stopping_at(const std::vector<std::string>& stops) {
    auto matcher = StopStrings::create(stops);
    REQUIRE(matcher.ok());
    return VisibleText(*matcher);
}

}  // namespace

TEST_CASE("visible_text: whole code points, then stop strings") {
    VisibleText text = stopping_at({"\u00E9!"});
    std::string out;
    CHECK_FALSE(text.push("a\xC3", out));
    CHECK(out == "a");
    CHECK_FALSE(text.push("\xA9", out));
    CHECK(out == "a");
    CHECK(text.push("!b", out));
    CHECK(out == "a");
}

TEST_CASE("visible_text: finish gives what was held back") {
    VisibleText text = stopping_at({"END"});
    std::string out;
    CHECK_FALSE(text.push("EN\xC3", out));
    CHECK(out.empty());
    CHECK_FALSE(text.finish(out));
    CHECK(out == "EN\uFFFD");
}

TEST_CASE("visible_text: a stop string may be complete only at the end") {
    VisibleText text = stopping_at({"\uFFFD"});
    std::string out;
    CHECK_FALSE(text.push("a\xC3", out));
    CHECK(text.finish(out));
    CHECK(out == "a");
}
