// SPDX-License-Identifier: Apache-2.0
//! JSON from strangers: parsed within limits, and read field by field with errors that name the field.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "sluice/core/quote.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/to_text.hpp"

namespace sluice::server {

using Json = nlohmann::ordered_json;

inline constexpr std::size_t max_json_depth = 64;
inline constexpr std::size_t max_json_members = 16384;  //!< of all objects: each is looked for among those before it

//! Bad input, as everything here reports it: where() is the field.
inline Status bad_field(std::string field, std::string what, std::string mend = {}) {
    return Status(Errc::invalid_argument, std::move(field), std::move(what), std::move(mend));
}

//! "list[2]": where an error is.
inline std::string item_path(const std::string& list, std::size_t index) { return list + '[' + to_text(index) + ']'; }

//! Reads a text before it becomes a Json, and stops where it goes beyond the limits or an object names a field twice.
class JsonInspector : public nlohmann::json_sax<Json> {
public:
    //! What is wrong, if the text was not read to its end.
    const Status& status() const { return status_; }

    bool start_object(std::size_t) override { return enter(); }
    bool end_object() override { return leave(); }
    bool start_array(std::size_t) override { return enter(); }
    bool end_array() override { return leave(); }
    bool key(std::string& name) override {
        if (++members_ > max_json_members) {
            return refuse("", "the body has more than " + to_text(max_json_members) + " members");
        }
        return names_.back().insert(name).second || refuse(name, "is there twice in one object");
    }
    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(std::int64_t) override { return true; }
    bool number_unsigned(std::uint64_t) override { return true; }
    bool number_float(double, const std::string&) override { return true; }
    bool string(std::string&) override { return true; }
    bool binary(Json::binary_t&) override { return true; }
    bool parse_error(std::size_t, const std::string&, const Json::exception&) override {
        return refuse("", "the body is not valid JSON");
    }

private:
    bool enter() {
        names_.emplace_back();
        if (names_.size() <= max_json_depth) return true;
        return refuse("", "the body nests deeper than " + to_text(max_json_depth) + " levels");
    }
    bool leave() {
        names_.pop_back();
        return true;
    }
    bool refuse(const std::string& field, const std::string& what) {
        status_ = bad_field(field, what);
        return false;
    }

    std::vector<std::unordered_set<std::string>> names_;  // of each level's fields so far
    std::size_t members_ = 0;
    Status status_;
};

//! Parses a JSON object of at most max_json_depth levels and max_json_members members, no two of one name.
inline Expected<Json> parse_object(std::string_view text) {
    JsonInspector inspector;
    if (!Json::sax_parse(text, &inspector)) return inspector.status();
    Json json = Json::parse(text);
    if (!json.is_object()) return bad_field("", "the body is not a JSON object");
    return json;
}

//! JSON text. Ill-formed UTF-8, which no part of Sluice should produce, becomes U+FFFD.
inline std::string json_text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

//! JSON text with ", " and ": " between its parts, as Python's json.dumps prints it: models have read it so.
inline std::string spaced_json_text(const Json& json) {
    if (!json.is_structured()) return json_text(json);
    std::string text;
    for (const auto& [name, value] : json.items()) {
        if (!text.empty()) text += ", ";
        if (json.is_object()) text += json_text(name) + ": ";
        text += spaced_json_text(value);
    }
    return json.is_object() ? '{' + text + '}' : '[' + text + ']';
}

//! What values of a type are called in errors.
template <class T>
constexpr std::string_view json_kind = "a string";
template <>
inline constexpr std::string_view json_kind<bool> = "true or false";
template <std::floating_point T>
constexpr std::string_view json_kind<T> = "a number";
template <std::integral T>
constexpr std::string_view json_kind<T> = std::unsigned_integral<T> ? "an integer from 0" : "an integer";

//! One value as a T: std::string, bool, a floating-point or an integer type in whose range it must be.
template <class T>
Expected<T> json_as(const Json& json, const std::string& field) {
    const auto wrong = [&] { return bad_field(field, "is not " + std::string(json_kind<T>)); };
    if constexpr (std::same_as<T, std::string> || std::same_as<T, bool>) {
        if (!(std::same_as<T, bool> ? json.is_boolean() : json.is_string())) return wrong();
        return json.template get<T>();
    } else if constexpr (std::floating_point<T>) {
        if (!json.is_number()) return wrong();
        const double value = json.template get<double>();
        if (std::abs(value) > static_cast<double>(std::numeric_limits<T>::max())) return wrong();
        return static_cast<T>(value);
    } else {
        if (json.is_number_unsigned() && std::in_range<T>(json.template get<std::uint64_t>())) {
            return static_cast<T>(json.template get<std::uint64_t>());
        }
        if (json.is_number_integer() && !json.is_number_unsigned() &&
            std::in_range<T>(json.template get<std::int64_t>())) {
            return static_cast<T>(json.template get<std::int64_t>());
        }
        return wrong();
    }
}

//! The fields of an object. Each is read once by its name; refuse_others() then finds those that nobody knew.
class Fields {
public:
    //! `path` is put before the names in errors, with a dot.
    static Expected<Fields> of(const Json& json, const std::string& path = {}) {
        if (!json.is_object()) return bad_field(path, "is not an object");
        return Fields(json, path.empty() ? "" : path + ".");
    }

    //! The value, or nullptr where it is absent or null.
    const Json* find(const std::string& name) {
        known_.push_back(name);
        const auto at = object_->find(name);
        return at == object_->end() || at->is_null() ? nullptr : &*at;
    }

    //! Sets `to`, if the field is there.
    template <class T>
    Status read(const std::string& name, std::optional<T>& to) {
        const Json* json = find(name);
        if (json == nullptr) return {};
        SLUICE_ASSIGN(to, json_as<T>(*json, path(name)));
        return {};
    }
    template <class T>
    Status read(const std::string& name, T& to) {
        std::optional<T> value;
        SLUICE_TRY(read(name, value));
        if (value) to = std::move(*value);
        return {};
    }

    //! Sets `to` from a field with two names, which must agree where both are given.
    template <class T>
    Status read_either(const std::string& name, const std::string& other, T& to) {
        std::optional<T> first, second;
        SLUICE_TRY(read(name, first));
        SLUICE_TRY(read(other, second));
        if (first && second && *first != *second) {
            return bad_field(path(other), "differs from " + path(name) + ", which means the same",
                             "give one of the two");
        }
        if (first || second) to = first ? *first : *second;
        return {};
    }

    //! Sets `to`, from a field that must be there.
    template <class T>
    Status require(const std::string& name, T& to) {
        std::optional<T> value;
        SLUICE_TRY(read(name, value));
        if (!value) return bad_field(path(name), "is missing");
        to = std::move(*value);
        return {};
    }

    //! Reads what there is one way to do.
    template <class T>
    Status only(const std::string& name, T supported) {
        T value = supported;
        SLUICE_TRY(read(name, value));
        if (value == supported) return {};
        return bad_field(path(name), "only " + Json(supported).dump() + " is supported here", "leave it out");
    }

    Status refuse_others() const {
        for (const auto& [name, value] : object_->items()) {
            if (std::find(known_.begin(), known_.end(), name) == known_.end()) {
                return bad_field(path_ + name, quote(name) + " is not a field that is supported here", "leave it out");
            }
        }
        return {};
    }

    std::string path(const std::string& name) const { return path_ + name; }

private:
    Fields(const Json& object, std::string path) : object_(&object), path_(std::move(path)) {}

    const Json* object_;
    std::string path_;
    std::vector<std::string> known_;
};

}  // namespace sluice::server
