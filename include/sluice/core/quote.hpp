// SPDX-License-Identifier: Apache-2.0
//! Text from a file in a form that is safe in an error message.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice {

//! In quotes, cut at 80 bytes, all but printable ASCII escaped: a hostile name cannot write to a terminal nor fill it.
inline std::string quote(std::string_view name) {
    constexpr std::size_t most = 80;
    std::string text = "'";
    for (const char c : name.substr(0, most)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7F) {
            text += c;
        } else {
            text += "\\x";
            text += "0123456789abcdef"[byte >> 4U];
            text += "0123456789abcdef"[byte & 0xFU];
        }
    }
    return text + (name.size() > most ? "...'" : "'");
}

}  // namespace sluice
