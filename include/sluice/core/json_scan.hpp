// SPDX-License-Identifier: Apache-2.0
//! Walks over JSON text (RFC 8259) without building anything; for the few records the library reads. Its counterpart is
//! json_text.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>

namespace sluice {

//! A place in a text. Each call skips white space and takes what its name says; false or nothing when something else
//! is there, and then the text is not what was hoped for and the walk is over.
class JsonScan {
public:
    static constexpr std::size_t max_depth = 64;  //!< arrays and objects within each other

    explicit JsonScan(std::string_view text) : text_(text) {}

    //! A value of any kind, as it is written.
    std::optional<std::string_view> value() {
        skip_space();
        const std::size_t begin = at_;
        if (!take_value(max_depth)) return std::nullopt;
        return text_.substr(begin, at_ - begin);
    }

    //! A string as it is written between its quotes, escapes and all.
    std::optional<std::string_view> string() {
        if (!take('"')) return std::nullopt;
        const std::size_t begin = at_;
        while (at_ < text_.size()) {
            const char c = text_[at_++];
            if (c == '"') return text_.substr(begin, at_ - 1 - begin);
            if (static_cast<unsigned char>(c) < 0x20 || (c == '\\' && !take_escape())) break;
        }
        return std::nullopt;
    }

    //! An object. `take_member(name)` takes the value of the member with this name, or returns false.
    template <class TakeMember>
    bool object(TakeMember take_member) {
        if (!take('{')) return false;
        if (take('}')) return true;
        do {
            const auto name = string();
            if (!name || !take(':') || !take_member(*name)) return false;
        } while (take(','));
        return take('}');
    }

    bool end() {
        skip_space();
        return at_ == text_.size();
    }

private:
    bool take_value(std::size_t depth) {
        skip_space();
        switch (next()) {
            case '{':
                return depth > 0 && object([&](std::string_view) { return take_value(depth - 1); });
            case '[':
                return depth > 0 && take_array(depth - 1);
            case '"':
                return string().has_value();
            case 't':
                return take_word("true");
            case 'f':
                return take_word("false");
            case 'n':
                return take_word("null");
            default:
                return take_number();
        }
    }

    bool take_array(std::size_t depth) {
        take('[');
        if (take(']')) return true;
        do {
            if (!take_value(depth)) return false;
        } while (take(','));
        return take(']');
    }

    bool take_number() {
        at_ += next() == '-' ? 1 : 0;
        if (next() == '0') {
            ++at_;
        } else if (!take_digits()) {
            return false;
        }
        if (next() == '.' && (++at_, !take_digits())) return false;
        if (next() != 'e' && next() != 'E') return true;
        ++at_;
        at_ += next() == '+' || next() == '-' ? 1 : 0;
        return take_digits();
    }

    bool take_digits() {
        const std::size_t begin = at_;
        while (next() >= '0' && next() <= '9') ++at_;
        return at_ > begin;
    }

    //! What follows a backslash.
    bool take_escape() {
        constexpr std::string_view hex = "0123456789abcdefABCDEF";
        if (at_ == text_.size()) return false;
        const char kind = text_[at_++];
        if (kind != 'u') return std::string_view("\"\\/bfnrt").find(kind) != std::string_view::npos;
        const std::string_view digits = text_.substr(at_, 4);
        at_ += digits.size();
        return digits.size() == 4 && digits.find_first_not_of(hex) == digits.npos;
    }

    bool take_word(std::string_view word) {
        if (!text_.substr(at_).starts_with(word)) return false;
        at_ += word.size();
        return true;
    }

    bool take(char c) {
        skip_space();
        if (next() != c) return false;
        ++at_;
        return true;
    }

    void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }

    //! Zero, which occurs nowhere in JSON, at the end.
    char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace sluice
