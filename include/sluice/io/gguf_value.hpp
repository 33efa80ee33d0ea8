// SPDX-License-Identifier: Apache-2.0
//! A GGUF metadata value: its type as the file gives it, and the checked way to a C++ type.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/core/status.hpp"

namespace sluice::gguf {

static_assert(std::endian::native == std::endian::little, "GGUF numbers are read in place, which needs little-endian");

//! A metadata value's type, by its id in the file.
enum class ValueType : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

struct ValueTypeInfo {
    std::string_view name;
    std::uint32_t bytes;  //!< of one value; 0 where the value tells its own length
};

inline constexpr auto value_types = std::to_array<ValueTypeInfo>({
    {"u8", 1},
    {"i8", 1},
    {"u16", 2},
    {"i16", 2},
    {"u32", 4},
    {"i32", 4},
    {"f32", 4},
    {"bool", 1},
    {"string", 0},
    {"array", 0},
    {"u64", 8},
    {"i64", 8},
    {"f64", 8},
});

//! The facts of a type; the id must be a known one.
constexpr const ValueTypeInfo& info(ValueType type) { return value_types[static_cast<std::size_t>(type)]; }

//! The ValueType of a C++ type, a compile error for others. Anything that turns into a std::string_view is a string.
template <class T>
consteval ValueType value_type_of() {
    if constexpr (std::same_as<T, std::uint8_t>)
        return ValueType::u8;
    else if constexpr (std::same_as<T, std::int8_t>)
        return ValueType::i8;
    else if constexpr (std::same_as<T, std::uint16_t>)
        return ValueType::u16;
    else if constexpr (std::same_as<T, std::int16_t>)
        return ValueType::i16;
    else if constexpr (std::same_as<T, std::uint32_t>)
        return ValueType::u32;
    else if constexpr (std::same_as<T, std::int32_t>)
        return ValueType::i32;
    else if constexpr (std::same_as<T, float>)
        return ValueType::f32;
    else if constexpr (std::same_as<T, bool>)
        return ValueType::boolean;
    else if constexpr (std::same_as<T, std::uint64_t>)
        return ValueType::u64;
    else if constexpr (std::same_as<T, std::int64_t>)
        return ValueType::i64;
    else if constexpr (std::same_as<T, double>)
        return ValueType::f64;
    else {
        static_assert(std::convertible_to<const T&, std::string_view>, "no GGUF value type holds this C++ type");
        return ValueType::string;
    }
}

namespace detail {
template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
}  // namespace detail

//! A metadata value, seen in the file's bytes, which must outlive it. The reader has checked those bytes.
class Value {
public:
    //! One number, boolean or string; `bytes` as in the file, so a string's begin with its u64 length.
    Value(ValueType type, std::span<const std::byte> bytes) : type_(type), element_(type), bytes_(bytes) {}
    //! An array of `count` numbers, booleans or strings, one after the other.
    Value(ValueType element, std::uint64_t count, std::span<const std::byte> bytes)
        : type_(ValueType::array), element_(element), count_(count), bytes_(bytes) {}

    ValueType type() const { return type_; }
    ValueType element_type() const { return element_; }  //!< an array's; type() for others
    std::uint64_t count() const { return count_; }       //!< an array's elements; 1 for others
    std::span<const std::byte> bytes() const { return bytes_; }

    //! "u32", "array of string".
    std::string type_name() const {
        const std::string element(info(element_).name);
        return type_ == ValueType::array ? "array of " + element : element;
    }

    //! The value as a T: bool, a number, std::string or std::string_view (into the file's bytes), or a std::vector of
    //! one. Integers convert when the number fits, f32 widens to double; any other change of type is an error.
    template <class T>
    Expected<T> as() const {
        const std::byte* at = bytes_.data();
        if constexpr (detail::is_vector<T>) {
            using Element = typename T::value_type;
            if (type_ != ValueType::array) return wrong_type("array of " + wanted<Element>());
            T elements;
            for (std::uint64_t i = 0; i < count_; ++i) {
                auto element = take<Element>(at);
                if (!element.ok()) return element.status();
                if (i == 0) elements.reserve(static_cast<std::size_t>(count_));  // they are of the type that is wanted
                elements.push_back(*element);
            }
            return elements;
        } else {
            if (type_ == ValueType::array) return wrong_type(wanted<T>());
            return take<T>(at);
        }
    }

private:
    template <class T>
    static std::string wanted() {
        return std::string(info(value_type_of<T>()).name);
    }

    Status wrong_type(const std::string& wanted_name) const {
        return Status(Errc::corrupt, {}, "has type " + type_name() + ", but " + wanted_name + " is wanted",
                      "convert the model again with a current converter");
    }

    //! For an element of another type than T: an array is only ever asked for arrays.
    template <class T>
    Status wrong_element() const {
        return wrong_type(type_ == ValueType::array ? "array of " + wanted<T>() : wanted<T>());
    }

    template <class T>
    static T load(const std::byte*& at) {
        T value;
        std::memcpy(&value, at, sizeof value);
        at += sizeof value;
        return value;
    }

    //! The scalar of type element_ that starts at `at`; moves `at` behind it.
    template <class T>
    Expected<T> take(const std::byte*& at) const {
        switch (element_) {
            case ValueType::u8:
                return convert<T>(load<std::uint8_t>(at));
            case ValueType::i8:
                return convert<T>(load<std::int8_t>(at));
            case ValueType::u16:
                return convert<T>(load<std::uint16_t>(at));
            case ValueType::i16:
                return convert<T>(load<std::int16_t>(at));
            case ValueType::u32:
                return convert<T>(load<std::uint32_t>(at));
            case ValueType::i32:
                return convert<T>(load<std::int32_t>(at));
            case ValueType::u64:
                return convert<T>(load<std::uint64_t>(at));
            case ValueType::i64:
                return convert<T>(load<std::int64_t>(at));
            case ValueType::f32:
                return convert<T>(load<float>(at));
            case ValueType::f64:
                return convert<T>(load<double>(at));
            case ValueType::boolean:
                return convert<T>(load<std::uint8_t>(at) != 0);
            case ValueType::string: {
                const auto length = static_cast<std::size_t>(load<std::uint64_t>(at));
                const auto* text = reinterpret_cast<const char*>(at);
                at += length;
                return convert<T>(std::string_view(text, length));
            }
            case ValueType::array:
                break;  // the reader refuses arrays of arrays
        }
        return wrong_element<T>();
    }

    template <class T>
    static constexpr bool is_integer = std::integral<T> && !std::same_as<T, bool>;

    template <class T, class From>
    Expected<T> convert(From value) const {
        if constexpr (value_type_of<T>() == value_type_of<From>() ||
                      (std::same_as<T, double> && std::same_as<From, float>)) {
            return T(value);
        } else if constexpr (is_integer<T> && is_integer<From>) {
            if (std::in_range<T>(value)) return static_cast<T>(value);
            return Status(Errc::corrupt, {}, std::to_string(value) + " does not fit in " + wanted<T>(),
                          "convert the model again with a current converter");
        } else {
            return wrong_element<T>();
        }
    }

    ValueType type_;
    ValueType element_;
    std::uint64_t count_ = 1;
    std::span<const std::byte> bytes_;
};

}  // namespace sluice::gguf
