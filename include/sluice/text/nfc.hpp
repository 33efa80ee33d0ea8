// SPDX-License-Identifier: Apache-2.0
//! Unicode Normalization Form C (UAX #15), as the Hugging Face tokenizer of Qwen asks for.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/core/utf8.hpp"
#include "sluice/text/unicode.hpp"

namespace sluice {

namespace nfc_detail {

struct Char {
    char32_t code;
    std::uint8_t combining_class;
};

//! True where nothing before `code` can change it and it changes nothing before it.
constexpr bool is_boundary(const unicode::CharRecord& record) { return record.stable && record.combining_class == 0; }

//! Length of the longest prefix, ending before a boundary, that is in NFC already. Ill-formed bytes count as
//! boundaries.
inline std::size_t normal_prefix(std::string_view text) {
    std::size_t boundary = 0;
    std::uint8_t last_class = 0;
    for (std::size_t at = 0; at < text.size();) {
        const utf8::CodePoint next = utf8::decode(text, at);
        const unicode::CharRecord& record = unicode::record_of(next.value);
        if (is_boundary(record)) {
            boundary = at;
        } else if (!record.stable || record.combining_class < last_class) {
            return boundary;
        }
        last_class = record.combining_class;
        at += next.length;
    }
    return text.size();
}

//! Appends the full canonical decomposition. Only the first of a pair decomposes further, so the seconds pile up.
inline void append_decomposed(std::vector<Char>& out, char32_t code) {
    const std::size_t start = out.size();
    while (const auto parts = unicode::decompose(code)) {
        if (parts->second != 0) out.push_back({parts->second, unicode::record_of(parts->second).combining_class});
        code = parts->first;
    }
    out.push_back({code, unicode::record_of(code).combining_class});
    std::reverse(out.begin() + static_cast<std::ptrdiff_t>(start), out.end());
}

//! Canonical ordering: each run of marks is sorted by combining class, equal classes keep their order.
inline void sort_marks(std::vector<Char>& chars) {
    const auto is_starter = [](const Char& c) { return c.combining_class == 0; };
    for (auto run = chars.begin(); run != chars.end();) {
        run = std::find_if_not(run, chars.end(), is_starter);
        const auto end = std::find_if(run, chars.end(), is_starter);
        std::stable_sort(run, end, [](const Char& a, const Char& b) { return a.combining_class < b.combining_class; });
        run = end;
    }
}

//! Composes decomposed, ordered characters in place: each joins the last starter unless something between blocks it.
inline void compose(std::vector<Char>& chars) {
    std::size_t kept = 0;
    std::size_t starter = chars.size();  // none yet
    for (const Char next : chars) {
        // A kept character after the starter blocks `next` when it is itself a starter or of the same class.
        const bool adjacent = starter + 1 == kept;
        const bool blocked = starter >= kept || (!adjacent && chars[kept - 1].combining_class >= next.combining_class);
        if (const auto joined = blocked ? std::nullopt : unicode::compose(chars[starter].code, next.code)) {
            chars[starter].code = *joined;
            continue;
        }
        if (next.combining_class == 0) starter = kept;
        chars[kept++] = next;
    }
    chars.resize(kept);
}

}  // namespace nfc_detail

//! `text` in NFC. Ill-formed bytes are copied as they are. Time is linear, but for n log n in a run of n marks; text
//! that is in NFC already is only copied.
inline std::string nfc(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    std::vector<nfc_detail::Char> segment;
    while (!text.empty()) {
        const std::size_t normal = nfc_detail::normal_prefix(text);
        out += text.substr(0, normal);
        text.remove_prefix(normal);

        // What follows is one segment: everything up to the next boundary can interact.
        segment.clear();
        while (!text.empty()) {
            const utf8::CodePoint next = utf8::decode(text, 0);
            const bool ends = next.form != utf8::Form::valid || nfc_detail::is_boundary(unicode::record_of(next.value));
            if (ends && !segment.empty()) break;
            if (next.form != utf8::Form::valid) {
                out += text.substr(0, next.length);
            } else {
                nfc_detail::append_decomposed(segment, next.value);
            }
            text.remove_prefix(next.length);
        }
        nfc_detail::sort_marks(segment);
        nfc_detail::compose(segment);
        for (const nfc_detail::Char& c : segment) utf8::append(out, c.code);
    }
    return out;
}

}  // namespace sluice
