// SPDX-License-Identifier: Apache-2.0
//! A sink that is several sinks.
#pragma once

#include <tuple>
#include <utility>

#include "sluice/concepts/stream_sink.hpp"
#include "sluice/core/status.hpp"
#include "sluice/sink/notify.hpp"

namespace sluice {

//! Gives every event to every sink, in order, and stops the generation when any of them says stop. TeeSink(a, b) refers
//! to sinks that have a name and owns the others.
template <class... Sinks>
class TeeSink {
    static_assert((StreamSink<Sinks> && ...),
                  "every part of a TeeSink must be a StreamSink: Flow on_token(const TokenEvent&)");

public:
    explicit TeeSink(Sinks&&... sinks) : sinks_(std::forward<Sinks>(sinks)...) {}

    Flow on_token(const TokenEvent& event) {
        bool stop = false;
        for_each([&](auto& sink) { stop |= sink.on_token(event) == Flow::stop; });
        return stop ? Flow::stop : Flow::go_on;
    }
    void on_finish(const GenerationResult& result) {
        for_each([&](auto& sink) { notify_finish(sink, result); });
    }
    void on_error(const Status& error) {
        for_each([&](auto& sink) { notify_error(sink, error); });
    }

private:
    template <class Call>
    void for_each(Call call) {
        std::apply([&](auto&... sinks) { (call(sinks), ...); }, sinks_);
    }

    std::tuple<Sinks...> sinks_;
};

template <class... Sinks>
TeeSink(Sinks&&...) -> TeeSink<Sinks...>;

}  // namespace sluice
