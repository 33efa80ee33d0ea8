// SPDX-License-Identifier: Apache-2.0
//! A sink that is any callable.
#pragma once

#include <concepts>
#include <type_traits>
#include <utility>

#include "sluice/core/generation.hpp"

namespace sluice {

//! Calls `callable(event)` for each token. It answers with a Flow, or with nothing to go on.
template <std::invocable<const TokenEvent&> Callable>
class CallbackSink {
    using Answer = std::invoke_result_t<Callable&, const TokenEvent&>;
    static_assert(std::is_void_v<Answer> || std::is_same_v<Answer, Flow>,
                  "a CallbackSink's callable returns Flow or void");

public:
    explicit CallbackSink(Callable callable) : callable_(std::move(callable)) {}

    Flow on_token(const TokenEvent& event) {
        if constexpr (std::is_void_v<Answer>) {
            callable_(event);
            return Flow::go_on;
        } else {
            return callable_(event);
        }
    }

private:
    Callable callable_;
};

}  // namespace sluice
