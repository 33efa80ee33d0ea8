// SPDX-License-Identifier: Apache-2.0
//! Numbers as text, independent of the locale.
#pragma once

#include <charconv>
#include <string>

namespace sluice {

//! The shortest decimal text that reads back as the same number; "inf", "-inf" or "nan" for the others.
template <class Number>
std::string to_text(Number value) {
    char buffer[64];  // the longest double has 24 characters
    return std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

}  // namespace sluice
