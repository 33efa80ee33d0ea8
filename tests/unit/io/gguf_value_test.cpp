// SPDX-License-Identifier: Apache-2.0
#include "sluice/io/gguf_value.hpp"

#include <cstdint>
#include <doctest/doctest.h>
#include <limits>

#include "unit/io/files.hpp"

using namespace sluice;
using namespace sluice::gguf;
using sluice::test::Bytes;
using sluice::test::mentions;

namespace {

//! The Value of a number's own type, as T.
template <class T, class From>
Expected<T> converted(From number) {
    const Bytes bytes = Bytes{}.number(number);
    return Value(value_type_of<From>(), bytes.data).as<T>();
}

}  // namespace

TEST_CASE_TEMPLATE("gguf_value: a number is read back as its own type", T, std::uint8_t, std::int8_t, std::uint16_t,
                   std::int16_t, std::uint32_t, std::int32_t, std::uint64_t, std::int64_t, float, double) {
    for (const T number : {std::numeric_limits<T>::lowest(), T{0}, T{1}, std::numeric_limits<T>::max()}) {
        const auto result = converted<T>(number);
        REQUIRE(result.ok());
        CHECK(*result == number);
    }
}

TEST_CASE("gguf_value: integers convert exactly when they fit") {
    CHECK(*converted<std::uint32_t>(std::int8_t{127}) == 127U);
    CHECK(*converted<std::int8_t>(std::uint64_t{127}) == 127);
    CHECK(*converted<std::int64_t>(std::int32_t{-5}) == -5);

    const auto negative = converted<std::uint32_t>(std::int32_t{-1});
    REQUIRE(!negative.ok());
    CHECK(mentions(negative.status().message(), {"-1 does not fit in u32", "convert"}));
    CHECK_FALSE(converted<std::int8_t>(std::uint8_t{128}).ok());
    CHECK_FALSE(converted<std::uint16_t>(std::uint32_t{65536}).ok());
    CHECK_FALSE(converted<std::int64_t>(std::uint64_t{1} << 63U).ok());
}

TEST_CASE("gguf_value: f32 widens, and no other kind of number converts") {
    CHECK(*converted<double>(0.5F) == 0.5);
    CHECK_FALSE(converted<float>(0.5).ok());
    CHECK_FALSE(converted<float>(std::uint32_t{1}).ok());
    CHECK_FALSE(converted<std::uint32_t>(1.0F).ok());
    CHECK_FALSE(converted<bool>(std::uint8_t{1}).ok());

    const auto wrong = converted<float>(std::uint32_t{1});
    CHECK(wrong.status().code() == Errc::corrupt);
    CHECK(mentions(wrong.status().message(), {"has type u32, but f32 is wanted"}));
}

TEST_CASE("gguf_value: booleans are booleans only") {
    const Bytes one = Bytes{}.number(std::uint8_t{1});
    const Value value(ValueType::boolean, one.data);
    CHECK(*value.as<bool>());
    CHECK_FALSE(value.as<std::uint8_t>().ok());
    const Bytes zero = Bytes{}.number(std::uint8_t{0});
    CHECK_FALSE(*Value(ValueType::boolean, zero.data).as<bool>());
}

TEST_CASE("gguf_value: strings are views of the file, and may hold any byte") {
    using namespace std::string_view_literals;
    const Bytes bytes = Bytes{}.text("a\0\xFF z"sv);
    const Value value(ValueType::string, bytes.data);
    CHECK(*value.as<std::string_view>() == "a\0\xFF z"sv);
    CHECK(*value.as<std::string>() == "a\0\xFF z"sv);
    CHECK(static_cast<const void*>(value.as<std::string_view>()->data()) == bytes.data.data() + 8);
    CHECK_FALSE(value.as<std::uint64_t>().ok());
    CHECK(value.type_name() == "string");
}

TEST_CASE("gguf_value: arrays become vectors of the type that is asked for") {
    const Bytes numbers = Bytes{}.number(std::int8_t{1}).number(std::int8_t{-2}).number(std::int8_t{3});
    const Value value(ValueType::i8, 3, numbers.data);
    CHECK(value.type_name() == "array of i8");
    CHECK(*value.as<std::vector<std::int32_t>>() == std::vector<std::int32_t>{1, -2, 3});
    CHECK_FALSE(value.as<std::vector<std::uint32_t>>().ok());

    // The byte array that a reader once took for four-byte scores.
    const auto scores = value.as<std::vector<float>>();
    REQUIRE(!scores.ok());
    CHECK(mentions(scores.status().message(), {"has type array of i8, but array of f32 is wanted"}));

    const Bytes words = Bytes{}.text("").text("two").text("");
    const Value list(ValueType::string, 3, words.data);
    CHECK(*list.as<std::vector<std::string_view>>() == std::vector<std::string_view>{"", "two", ""});
    CHECK(Value(ValueType::string, 0, {}).as<std::vector<std::string_view>>()->empty());
}

TEST_CASE("gguf_value: an array is not a scalar, nor a scalar an array") {
    const Bytes number = Bytes{}.u32(7);
    const auto array = Value(ValueType::u32, number.data).as<std::vector<std::uint32_t>>();
    REQUIRE(!array.ok());
    CHECK(mentions(array.status().message(), {"has type u32, but array of u32 is wanted"}));
    const auto scalar = Value(ValueType::u32, 1, number.data).as<std::uint32_t>();
    REQUIRE(!scalar.ok());
    CHECK(mentions(scalar.status().message(), {"has type array of u32, but u32 is wanted"}));
}
