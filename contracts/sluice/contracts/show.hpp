// SPDX-License-Identifier: Apache-2.0
//! Values as the text of failure messages.
#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

#include "sluice/core/json_text.hpp"
#include "sluice/core/to_text.hpp"
#include "sluice/core/types.hpp"

namespace sluice::contracts {

inline std::string show(const ExpertChoice& choice) {
    return to_text(choice.weight) + " x expert " + to_text(choice.expert);
}

//! A truth value, a number, a text, or a range of such; of a long range the beginning and the length.
template <class T>
std::string show(const T& value) {
    if constexpr (std::same_as<T, bool>) {
        return value ? "true" : "false";
    } else if constexpr (std::is_arithmetic_v<T>) {
        return to_text(value);
    } else if constexpr (std::convertible_to<const T&, std::string_view>) {
        std::string text;
        append_json_string(text, value);
        return text;
    } else {
        constexpr std::size_t most = 24;
        std::string text = "{";
        std::size_t count = 0;
        for (const auto& element : value) {
            if (++count <= most) text += (count == 1 ? "" : ", ") + show(element);
        }
        if (count > most) text += ", ... " + to_text(count) + " in all";
        return text + "}";
    }
}

}  // namespace sluice::contracts
