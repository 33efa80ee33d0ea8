// SPDX-License-Identifier: Apache-2.0
#include "sluice/sink/callback.hpp"

#include <doctest/doctest.h>
#include <string>

#include "sluice/concepts/stream_sink.hpp"

using namespace sluice;

TEST_CASE("callback: a callable without an answer never stops") {
    std::string text;
    CallbackSink sink([&](const TokenEvent& event) { text += event.text; });
    static_assert(StreamSink<decltype(sink)>);
    CHECK(sink.on_token({.text = "a"}) == Flow::go_on);
    CHECK(sink.on_token({.text = "b"}) == Flow::go_on);
    CHECK(text == "ab");
}

TEST_CASE("callback: the callable's Flow is the sink's") {
    CallbackSink sink([count = 0](const TokenEvent&) mutable { return ++count < 2 ? Flow::go_on : Flow::stop; });
    CHECK(sink.on_token({}) == Flow::go_on);
    CHECK(sink.on_token({}) == Flow::stop);
}
