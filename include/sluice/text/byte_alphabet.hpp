// SPDX-License-Identifier: Apache-2.0
//! GPT-2's byte alphabet: byte-level vocabularies write every byte as one printable character ("Ġ" is a space).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/core/utf8.hpp"

namespace sluice::byte_alphabet {

//! Printable Latin-1 bytes stand for themselves; the other 68 are, in order, U+0100 to U+0143.
constexpr bool is_printable(std::uint32_t byte) {
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD && byte <= 0xFF);
}

namespace detail {
inline constexpr std::int16_t no_byte = -1;
inline constexpr auto byte_of = [] {
    std::array<std::int16_t, 0x144> bytes{};
    std::uint32_t unprintable = 0x100;
    for (std::uint32_t byte = 0; byte < 0x100; ++byte) {
        bytes[byte] = no_byte;
        bytes[is_printable(byte) ? byte : unprintable++] = static_cast<std::int16_t>(byte);
    }
    return bytes;
}();
}  // namespace detail

//! The bytes that `text` writes, or nothing if it holds a character outside the alphabet.
inline std::optional<std::string> to_bytes(std::string_view text) {
    std::string bytes;
    bytes.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const utf8::CodePoint next = utf8::decode(text, at);
        if (next.value >= detail::byte_of.size() || detail::byte_of[next.value] == detail::no_byte) return std::nullopt;
        bytes += static_cast<char>(detail::byte_of[next.value]);
        at += next.length;
    }
    return bytes;
}

}  // namespace sluice::byte_alphabet
