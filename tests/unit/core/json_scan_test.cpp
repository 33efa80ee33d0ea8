// SPDX-License-Identifier: Apache-2.0
#include "sluice/core/json_scan.hpp"

#include <cstddef>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace sluice;

namespace {

bool is_json(std::string_view text) {
    JsonScan scan(text);
    return scan.value().has_value() && scan.end();
}

}  // namespace

TEST_CASE("json_scan: takes what is JSON, and nothing else") {
    for (const char* text :
         {"0", "-0", "10.50e+3", "1E-9", "true", "false", "null", "\"\"", R"("\"\\\/\b\f\n\r\t\u00e9é")", "[]", "[ ]",
          "{}", " { } ", R"({"a":[1,{"b":null},"c"] , "d":-1.5})", "[[[[]]],[0,0]]", "\t\r\n 1 \n"}) {
        CHECK_MESSAGE(is_json(text), text);
    }
    for (const char* text :
         {"",     " ",        "-",     "01",          "1.",      ".5",         "1e",       "+1",     "1e+",
          "tru",  "nulls",    "NaN",   "'a'",         "\"",      "\"\\",       "\"\\x\"",  "\"\n\"", "[",
          "[1,]", "[,1]",     "[1 2]", "{",           "{1:2}",   "{\"a\"}",    "{\"a\":}", "{,}",    "{\"a\":1,}",
          "]",    "{\"a\":1", "1 1",   "\"\\u12g4\"", "\"\\u12", "\"\\u123\"", "\"\\u",    "[}"}) {
        CHECK_MESSAGE(!is_json(text), text);
    }
    CHECK(is_json(std::string(64, '[') + std::string(64, ']')));
    CHECK_FALSE(is_json(std::string(65, '[') + std::string(65, ']')));
    CHECK_FALSE(is_json(std::string(1000000, '[')));
}

TEST_CASE("json_scan: agrees with a JSON library on texts that are nearly JSON") {
    const std::vector<std::string> pieces = {"{", "}", "[", "]", ",", ":", "\"a\"", "\"", "\\",   "\\n",  "\\u00", "ab",
                                             "1", "0", "-", ".", "e", "+", " ",     "\n", "true", "null", "é",     "x"};
    std::mt19937 random(1);
    std::size_t valid = 0;
    for (int i = 0; i < 20000; ++i) {
        std::string text = i % 2 == 0 ? R"({"a": [1, -2.5e3, true, {"b": "c\"d"}], "e": null})" : "";
        if (text.empty()) {
            for (auto length = random() % 6; length > 0; --length) text += pieces[random() % pieces.size()];
        } else {
            for (auto edits = random() % 3; edits > 0; --edits) {
                text.replace(random() % text.size(), random() % 2, pieces[random() % pieces.size()]);
            }
        }
        const bool expected = nlohmann::json::accept(text);
        valid += expected;
        CHECK_MESSAGE(is_json(text) == expected, text);
    }
    CHECK(valid > 3000);
    CHECK(valid < 15000);
}

TEST_CASE("json_scan: members and values are given as they are written") {
    JsonScan scan(R"( {"a" : "x\ny" , "b":[1, 2 ] } )");
    std::vector<std::string> seen;
    CHECK(scan.object([&](std::string_view name) {
        seen.emplace_back(name);
        const auto value = name == "a" ? scan.string() : scan.value();
        seen.emplace_back(value.value_or("nothing"));
        return value.has_value();
    }));
    CHECK(scan.end());
    CHECK(seen == std::vector<std::string>{"a", R"(x\ny)", "b", "[1, 2 ]"});
    CHECK_FALSE(JsonScan("[1]").object([](std::string_view) { return true; }));
    CHECK_FALSE(JsonScan(R"({"a":1})").object([](std::string_view) { return false; }));
    CHECK_FALSE(JsonScan("1").string().has_value());
}
