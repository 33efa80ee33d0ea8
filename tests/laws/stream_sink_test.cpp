// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <functional>
#include <ios>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>

#include "sluice/contracts/channel_laws.hpp"
#include "sluice/contracts/mutants/stream_sink_mutants.hpp"
#include "sluice/contracts/stream_sink_laws.hpp"
#include "sluice/sink/callback.hpp"
#include "sluice/sink/channel.hpp"
#include "sluice/sink/json_lines.hpp"
#include "sluice/sink/ostream.hpp"
#include "sluice/sink/sse.hpp"
#include "sluice/sink/tee.hpp"

using namespace sluice;
using namespace sluice::contracts;

namespace {

struct WiredOstream {
    std::ostringstream stream;
    OstreamSink sink{stream};

    Flow on_token(const TokenEvent& event) { return sink.on_token(event); }
    std::string received() const { return stream.str(); }
    void refuse() { stream.setstate(std::ios::badbit); }
};

//! The lines are read by a parser that is not ours.
struct WiredJsonLines {
    std::ostringstream stream;
    JsonLinesSink sink{stream};

    Flow on_token(const TokenEvent& event) { return sink.on_token(event); }
    std::string received() const {
        std::string text;
        for (const std::string& line : contracts::detail::lines_of(stream.str())) {
            text += nlohmann::json::parse(line).at("text").get<std::string>();
        }
        return text;
    }
    void refuse() { stream.setstate(std::ios::failbit); }
};

struct WiredCallback {
    std::string text;
    bool refuses = false;
    CallbackSink<std::function<Flow(const TokenEvent&)>> sink{[this](const TokenEvent& event) {
        text += event.text;
        return refuses ? Flow::stop : Flow::go_on;
    }};

    Flow on_token(const TokenEvent& event) { return sink.on_token(event); }
    std::string received() const { return text; }
    void refuse() { refuses = true; }
};

//! A completion: a chat's sink holds back what may become a tag.
struct WiredSse {
    std::string written;
    bool refuses = false;
    SseStream<std::function<bool(std::string_view)>> stream{{.id = "cmpl-1", .model = "story", .is_chat = false},
                                                            [this](std::string_view event) {
                                                                if (!refuses) written += event;
                                                                return !refuses;
                                                            }};
    SseSink<decltype(stream)> sink{stream};

    Flow on_token(const TokenEvent& event) { return sink.on_token(event); }
    std::string received() const {
        std::string text;
        for (const std::string& line : contracts::detail::lines_of(written)) {
            if (line.starts_with("data: ")) {
                text += nlohmann::json::parse(line.substr(6)).at("choices").at(0).at("text").get<std::string>();
            }
        }
        return text;
    }
    void refuse() { refuses = true; }
};

struct WiredTee {
    WiredOstream first;
    WiredCallback second;
    TeeSink<WiredOstream&, WiredCallback&> sink{first, second};

    Flow on_token(const TokenEvent& event) { return sink.on_token(event); }
    std::string received() const { return first.received() == second.received() ? second.received() : "differs"; }
    void refuse() { first.refuse(); }
};

struct WiredChannel {
    std::size_t sent = 0;
    std::string text;
    ChannelSink sink{100};

    Flow on_token(const TokenEvent& event) {
        ++sent;
        return sink.on_token(event);
    }
    std::string received() {
        for (; sent > 0; --sent) text += sink.pop()->text;
        return text;
    }
    void refuse() { sink.close(); }
};

}  // namespace

TEST_CASE("stream sink laws: every sink with its receiver") {
    stream_sink_laws<WiredOstream>("OstreamSink");
    stream_sink_laws<WiredJsonLines>("JsonLinesSink");
    stream_sink_laws<WiredCallback>("CallbackSink");
    stream_sink_laws<WiredSse>("SseSink");
    stream_sink_laws<WiredTee>("TeeSink");
    stream_sink_laws<WiredChannel>("ChannelSink");
}
TEST_CASE("stream sink mutants: each is caught by its law") { check_mutants(stream_sink_mutants()); }

TEST_CASE("json lines laws") { json_lines_laws<JsonLinesSink>("JsonLinesSink"); }
TEST_CASE("json lines mutants: each is caught by its law") { check_mutants(json_lines_mutants()); }

TEST_CASE("tee laws") { tee_laws<TeeSink>("TeeSink"); }
TEST_CASE("tee mutants: each is caught by its law") { check_mutants(tee_mutants()); }

TEST_CASE("channel laws") { channel_laws<ChannelSink>("ChannelSink"); }
TEST_CASE("channel mutants: each is caught by its law") { check_mutants(channel_mutants()); }

TEST_CASE("json reader: takes JSON objects and nothing else") {
    const auto members = read_json(R"({"a":"x\u00e9\n","b":{"c":-1.5e+3,"d":null},"e":{},"f":[[],1,{"g":"h"}]})");
    REQUIRE(members.has_value());
    CHECK(*members ==
          JsonMembers{{"a", "x\u00E9\n"}, {"b.c", "-1.5e+3"}, {"b.d", "null"}, {"f.1", "1"}, {"f.2.g", "h"}});
    for (const char* wrong :
         {"", "{", "{}x", "{\"a\"}", "{\"a\":}", "{\"a\":01}", "{\"a\":1.}", "{\"a\":\"\n\"}", "{\"a\":\"\\x\"}",
          "{\"a\":\"\xFF\"}", "{\"a\":nan}", "{\"a\":\"b}", "{\"a\":\"\\u12\"}", "{\"a\":[1,]}", "{\"a\":[}", "[]"}) {
        CAPTURE(wrong);
        CHECK_FALSE(read_json(wrong).has_value());
    }
}
