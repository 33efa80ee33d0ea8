// SPDX-License-Identifier: Apache-2.0
#include "sluice/server/json.hpp"

#include <cstdint>
#include <doctest/doctest.h>
#include <optional>
#include <string>

using namespace sluice;
using namespace sluice::server;

TEST_CASE("json: a body is one object, within the depth") {
    const auto nested = [](std::size_t depth) {
        return "{\"a\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
    };
    CHECK(parse_object(nested(64)).ok());
    for (const std::string& deep : {nested(65), std::string(3000, '['), "{\"a\":" + std::string(3000, '[')}) {
        CHECK(parse_object(deep).status().message() == "the body nests deeper than 64 levels");
    }
    CHECK(parse_object(R"({"[[[\"[[":"\\", "a:b":"[[[[::"})").ok());
    const auto wide = [](std::size_t members) {
        std::string text = "{\"first\":0";
        for (std::size_t i = 1; i < members; ++i) text += ",\"" + std::to_string(i) + "\":0";
        return text + "}";
    };
    CHECK(parse_object(wide(1000)).ok());
    CHECK(parse_object(wide(16385)).status().message() == "the body has more than 16384 members");
    for (const char* text : {"", "{", "nul", "{\"a\":NaN}", "{} {}", "{\"\xC3\":1}"}) {
        CHECK(parse_object(text).status().message() == "the body is not valid JSON");
    }
    CHECK(parse_object("[1]").status().message() == "the body is not a JSON object");
}

TEST_CASE("json: a field that is there twice is refused by its name") {
    for (const char* text : {R"({"a": 1, "b": 2, "a": 1})", R"({"x": [{"a": {}}, {"b": 0, "a": 0, "\u0061": 0}]})"}) {
        const Status status = parse_object(text).status();
        CHECK(status.message() == "a: is there twice in one object");
        CHECK(status.where() == "a");
    }
    CHECK(parse_object(R"({"a": {"a": [{"a": 1}, {"a": 1}]}, "b": {"a": "a"}})").ok());
}

TEST_CASE("json: numbers must be in the range of their type") {
    const auto as_int = [](const char* text) { return json_as<std::int32_t>(Json::parse(text), "x").ok(); };
    CHECK(as_int("2147483647"));
    CHECK(as_int("-2147483648"));
    CHECK_FALSE(as_int("2147483648"));
    CHECK_FALSE(as_int("-2147483649"));
    CHECK_FALSE(as_int("18446744073709551615"));
    CHECK_FALSE(as_int("1.0"));
    CHECK_FALSE(as_int("true"));
    CHECK(json_as<std::uint64_t>(Json::parse("18446744073709551615"), "x").ok());
    CHECK_FALSE(json_as<std::uint64_t>(Json::parse("-1"), "x").ok());
    CHECK(*json_as<float>(Json::parse("7"), "x") == 7.0F);
    CHECK_FALSE(json_as<float>(Json::parse("1e39"), "x").ok());
    CHECK_FALSE(json_as<float>(Json::parse("\"1\""), "x").ok());
}

TEST_CASE("json: fields are read by name, and those left over are refused by theirs") {
    const Json value = Json::parse(R"({"a": 1, "b": null, "c": "x", "d": {"e": 2}})");
    auto fields = Fields::of(value);
    REQUIRE(fields.ok());
    int a = 0, b = 5;
    std::string c;
    CHECK(fields->read("a", a).ok());
    CHECK(a == 1);
    CHECK(fields->read("b", b).ok());
    CHECK(b == 5);
    CHECK(fields->read("absent", b).ok());
    CHECK(fields->read_either("b", "a", b).ok());
    CHECK(b == 1);
    CHECK(fields->read_either("absent", "b", b).ok());
    CHECK(b == 1);
    CHECK(fields->require("b", b).message() == "b: is missing");
    CHECK(fields->require("c", c).ok());
    CHECK(fields->refuse_others().message() == "d: 'd' is not a field that is supported here; leave it out");
    auto inner = Fields::of(*fields->find("d"), "d");
    REQUIRE(inner.ok());
    CHECK(inner->read("e", c).message() == "d.e: is not a string");
    CHECK(fields->refuse_others().ok());
    CHECK(Fields::of(Json(3), "d").status().message() == "d: is not an object");
}

TEST_CASE("json: is written with spaces where models have read them") {
    const std::string spaced = R"({"b": [1, -2.5, true, null, []], "a": {"c": "d\"é", "e": {}}})";
    CHECK(spaced_json_text(Json::parse(spaced)) == spaced);
    CHECK(spaced_json_text(Json::parse("[1,[2,{\"x\":3}]]")) == "[1, [2, {\"x\": 3}]]");
}
