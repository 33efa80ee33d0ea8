// SPDX-License-Identifier: Apache-2.0
#include "sluice/sink/tee.hpp"

#include <doctest/doctest.h>
#include <string>
#include <type_traits>
#include <vector>

#include "sluice/sink/callback.hpp"

using namespace sluice;

namespace {

struct LoggingSink {
    Flow answer = Flow::go_on;
    std::vector<std::string> log{};

    Flow on_token(const TokenEvent& event) {
        log.emplace_back(event.text);
        return answer;
    }
    void on_finish(const GenerationResult&) { log.emplace_back("finish"); }
    void on_error(const Status& error) { log.push_back(error.what()); }
};

}  // namespace

TEST_CASE("tee: every sink sees every event, also when an earlier one says stop") {
    LoggingSink first{Flow::stop}, second;
    TeeSink tee(first, second, CallbackSink([](const TokenEvent&) {}));
    static_assert(StreamSink<decltype(tee)>);
    CHECK(tee.on_token({.text = "a"}) == Flow::stop);
    first.answer = Flow::go_on;
    CHECK(tee.on_token({.text = "b"}) == Flow::go_on);
    second.answer = Flow::stop;
    CHECK(tee.on_token({.text = "c"}) == Flow::stop);
    CHECK(first.log == std::vector<std::string>{"a", "b", "c"});
    CHECK(second.log == first.log);
}

TEST_CASE("tee: passes the end on to the sinks that want to know") {
    LoggingSink recorder;
    TeeSink tee(CallbackSink([](const TokenEvent&) {}), recorder);
    tee.on_finish({});
    tee.on_error(Status(Errc::io, "x", "broke"));
    CHECK(recorder.log == std::vector<std::string>{"finish", "broke"});
}

TEST_CASE("tee: refers to named sinks and owns the others") {
    LoggingSink named;
    TeeSink tee(named, LoggingSink{});
    static_assert(std::is_same_v<decltype(tee), TeeSink<LoggingSink&, LoggingSink>>);
    CHECK(tee.on_token({.text = "a"}) == Flow::go_on);
    CHECK(named.log.size() == 1);
}
