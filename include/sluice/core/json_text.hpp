// SPDX-License-Identifier: Apache-2.0
//! Writes JSON text (RFC 8259) by appending to a string; for the few fixed records the library emits.
#pragma once

#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>

#include "sluice/core/to_text.hpp"
#include "sluice/core/utf8.hpp"

namespace sluice {

//! Appends `text` as a string literal. Ill-formed UTF-8 becomes U+FFFD, so that the result is always valid JSON.
inline void append_json_string(std::string& out, std::string_view text) {
    constexpr std::string_view hex = "0123456789abcdef";
    out += '"';
    for (std::size_t at = 0; at < text.size();) {
        const utf8::CodePoint next = utf8::decode(text, at);
        at += next.length;
        switch (next.value) {
            case '"':
                out += "\\\"";
                break;
            case '\\':
                out += "\\\\";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            case '\t':
                out += "\\t";
                break;
            default:
                if (next.value < 0x20) {
                    out += "\\u00";
                    out += hex[next.value / 16];
                    out += hex[next.value % 16];
                } else {
                    utf8::append(out, next.value);
                }
        }
    }
    out += '"';
}

//! Appends a number; NaN and infinity, which JSON lacks, become null.
template <class Number>
void append_json_number(std::string& out, Number value) {
    out += std::isfinite(static_cast<double>(value)) ? to_text(value) : "null";
}

}  // namespace sluice
