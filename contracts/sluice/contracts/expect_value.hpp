// SPDX-License-Identifier: Apache-2.0
//! Takes a value where no error may be.
#pragma once

#include <utility>

#include "sluice/contracts/case.hpp"
#include "sluice/core/status.hpp"

namespace sluice::contracts {

//! The value of what a law cannot begin without.
template <class T>
T value_or_throw(Expected<T> result) {
    if (!result.ok()) throw CannotBegin(result.status().message());
    return std::move(*result);
}

namespace detail {

//! The value; an error ends the case.
template <class T>
T value_of(const Case& c, Expected<T> result) {
    c.expect(result.ok(), result.ok() ? "" : "an error: " + result.status().message());
    return std::move(*result);
}

}  // namespace detail
}  // namespace sluice::contracts
