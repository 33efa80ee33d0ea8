// SPDX-License-Identifier: Apache-2.0
#include "sluice/sink/ostream.hpp"

#include <doctest/doctest.h>
#include <sstream>
#include <string>

#include "sluice/concepts/stream_sink.hpp"

using namespace sluice;

static_assert(StreamSink<OstreamSink>);

namespace {

//! Counts flushes.
struct FlushCounter : std::stringbuf {
    int flushes = 0;
    int sync() override {
        ++flushes;
        return 0;
    }
};

}  // namespace

TEST_CASE("ostream: writes each text as it is, and flushes it") {
    FlushCounter buffer;
    std::ostream out(&buffer);
    OstreamSink sink(out);
    CHECK(sink.on_token({.text = "The"}) == Flow::go_on);
    CHECK(buffer.flushes == 1);
    CHECK(sink.on_token({.text = " fox\n "}) == Flow::go_on);
    CHECK(sink.on_token({.text = "", .is_stop = true}) == Flow::go_on);
    CHECK(buffer.flushes == 3);
    CHECK(buffer.str() == "The fox\n ");
}

TEST_CASE("ostream: a failed stream stops the generation") {
    std::ostringstream out;
    OstreamSink sink(out);
    out.setstate(std::ios::badbit);
    CHECK(sink.on_token({.text = "x"}) == Flow::stop);
}
