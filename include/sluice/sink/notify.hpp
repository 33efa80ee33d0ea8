// SPDX-License-Identifier: Apache-2.0
//! Calls the members that a StreamSink may have but need not.
#pragma once

#include "sluice/core/generation.hpp"
#include "sluice/core/status.hpp"

namespace sluice {

//! sink.on_finish(result), if there is one.
template <class Sink>
void notify_finish(Sink& sink, const GenerationResult& result) {
    if constexpr (requires { sink.on_finish(result); }) {
        sink.on_finish(result);
    } else {
        static_assert(
            !requires { &Sink::on_finish; }, "a StreamSink's on_finish must take a const GenerationResult&");
    }
}

//! sink.on_error(error), if there is one.
template <class Sink>
void notify_error(Sink& sink, const Status& error) {
    if constexpr (requires { sink.on_error(error); }) {
        sink.on_error(error);
    } else {
        static_assert(
            !requires { &Sink::on_error; }, "a StreamSink's on_error must take a const Status&");
    }
}

//! The one or the other: how a generation ended.
template <class Sink>
void notify_outcome(Sink& sink, const Expected<GenerationResult>& outcome) {
    outcome.ok() ? notify_finish(sink, *outcome) : notify_error(sink, outcome.status());
}

}  // namespace sluice
