// SPDX-License-Identifier: Apache-2.0
//! Reads one JSON object, strictly (RFC 8259), to check what writes JSON.
#pragma once

#include <cctype>
#include <charconv>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/contracts/text_oracles.hpp"
#include "sluice/core/to_text.hpp"
#include "sluice/core/utf8.hpp"

namespace sluice::contracts {

//! The members of an object by their paths ("choices.0.index"): strings unescaped, all else as it is written.
using JsonMembers = std::map<std::string, std::string>;

namespace detail {

class JsonReader {
public:
    explicit JsonReader(std::string_view text) : rest_(text) {}

    std::optional<JsonMembers> read() && {
        if (!oracle::is_utf8(rest_) || !object("") || !rest_.empty()) return std::nullopt;
        return std::move(members_);
    }

private:
    bool take(std::string_view word) {
        if (!rest_.starts_with(word)) return false;
        rest_.remove_prefix(word.size());
        return true;
    }

    bool object(const std::string& path) {
        if (!take("{")) return false;
        if (take("}")) return true;
        do {
            std::string name;
            if (!string(name) || !take(":") || !value(path + name)) return false;
        } while (take(","));
        return take("}");
    }

    bool array(const std::string& path) {
        if (!take("[")) return false;
        if (take("]")) return true;
        std::size_t count = 0;
        do {
            if (!value(path + to_text(count++))) return false;
        } while (take(","));
        return take("]");
    }

    bool value(const std::string& path) {
        if (rest_.starts_with("{")) return object(path + ".");
        if (rest_.starts_with("[")) return array(path + ".");
        std::string& member = members_[path];
        return rest_.starts_with("\"") ? string(member) : word(member);
    }

    //! A number, true, false or null.
    bool word(std::string& out) {
        for (const std::string_view name : {"true", "false", "null"}) {
            if (take(name)) {
                out = name;
                return true;
            }
        }
        std::size_t length = 0;
        const auto digits = [&] {
            const std::size_t before = length;
            while (length < rest_.size() && std::isdigit(static_cast<unsigned char>(rest_[length]))) ++length;
            return length > before;
        };
        const auto next = [&](std::string_view any) {
            const bool found = length < rest_.size() && any.find(rest_[length]) != any.npos;
            length += found ? 1 : 0;
            return found;
        };
        next("-");
        const std::size_t first = length;
        if (!digits() || (rest_[first] == '0' && length > first + 1)) return false;
        if (next(".") && !digits()) return false;
        if (next("eE")) {
            next("+-");
            if (!digits()) return false;
        }
        out = rest_.substr(0, length);
        rest_.remove_prefix(length);
        return true;
    }

    bool string(std::string& out) {
        if (!take("\"")) return false;
        constexpr std::string_view escapes = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
        while (!rest_.empty()) {
            const char c = rest_.front();
            rest_.remove_prefix(1);
            if (c == '"') return true;
            if (static_cast<unsigned char>(c) < 0x20) return false;
            if (c != '\\') {
                out += c;
            } else if (take("u")) {
                unsigned code = 0;
                const std::string_view hex = rest_.substr(0, 4);
                const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
                if (error != std::errc() || end != hex.data() + 4 || (code >= 0xD800 && code < 0xE000)) return false;
                utf8::append(out, code);
                rest_.remove_prefix(4);
            } else {
                const std::size_t which = rest_.empty() ? escapes.npos : escapes.find(rest_.front());
                if (which == escapes.npos) return false;
                out += meanings[which];
                rest_.remove_prefix(1);
            }
        }
        return false;
    }

    std::string_view rest_;
    JsonMembers members_;
};

}  // namespace detail

//! Nothing unless `text` is one JSON object, and no space around its parts.
inline std::optional<JsonMembers> read_json(std::string_view text) { return detail::JsonReader(text).read(); }

}  // namespace sluice::contracts
