// SPDX-License-Identifier: Apache-2.0
#include "sluice/sink/sse.hpp"

#include <cstddef>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/concepts/stream_sink.hpp"

using namespace sluice;
using nlohmann::json;

namespace {

//! Collects events, each of which must be whole; breaks off after `room` of them.
struct Client {
    std::size_t room = 1000;
    std::vector<std::string> data{};

    bool operator()(std::string_view event) {
        REQUIRE(event.starts_with("data: "));
        REQUIRE(event.ends_with("\n\n"));
        REQUIRE(event.find('\n') == event.size() - 2);
        if (data.size() == room) return false;
        data.emplace_back(event.substr(6, event.size() - 8));
        return true;
    }
};

auto sink_to(Client& client, bool is_chat, bool include_usage = false) {
    const auto write = [&client](std::string_view event) { return client(event); };
    return SseSink(sse::Head{"id-1", "my \"model\"", 17, is_chat}, include_usage, write);
}

const GenerationResult ended{
    FinishReason::stop_token, {.prompt_tokens = 5, .completion_tokens = 3, .cached_tokens = 2}, {}};

}  // namespace

static_assert(StreamSink<decltype(sink_to(std::declval<Client&>(), true))>);

TEST_CASE("sse: a chat is a role, an event a token, the end, the usage and [DONE]") {
    Client client;
    auto sink = sink_to(client, true, true);
    CHECK(sink.on_token({0, 4, "Hi \"you\"\n", false}) == Flow::go_on);
    CHECK(client.data.size() == 2);  // at once
    CHECK(sink.on_token({1, 5, "", false}) == Flow::go_on);
    CHECK(client.data.size() == 3);
    CHECK(sink.on_token({2, 6, "", true}) == Flow::go_on);
    CHECK(client.data.size() == 3);  // the stop token has no text
    sink.on_finish(ended);
    REQUIRE(client.data.size() == 6);
    for (std::size_t i = 0; i < 5; ++i) {
        const json chunk = json::parse(client.data[i]);
        CHECK(chunk.at("id") == "id-1");
        CHECK(chunk.at("model") == "my \"model\"");
        CHECK(chunk.at("created") == 17);
        CHECK(chunk.at("object") == "chat.completion.chunk");
    }
    const auto choice = [&](std::size_t i) { return json::parse(client.data[i]).at("choices").at(0); };
    CHECK(choice(0).at("delta") == json{{"role", "assistant"}, {"content", ""}});
    CHECK(choice(1).at("delta") == json{{"content", "Hi \"you\"\n"}});
    CHECK(choice(1).at("finish_reason") == nullptr);
    CHECK(choice(2).at("delta") == json{{"content", ""}});
    CHECK(choice(3).at("delta") == json::object());
    CHECK(choice(3).at("finish_reason") == "stop");
    CHECK(json::parse(client.data[4]).at("choices") == json::array());
    CHECK(json::parse(client.data[4]).at("usage") == json{{"prompt_tokens", 5},
                                                          {"completion_tokens", 3},
                                                          {"total_tokens", 8},
                                                          {"prompt_tokens_details", {{"cached_tokens", 2}}}});
    CHECK(client.data[5] == "[DONE]");
}

TEST_CASE("sse: a plain completion has text alone") {
    Client client;
    auto sink = sink_to(client, false);
    sink.on_token({0, 4, "<think>", false});
    sink.on_finish(ended);
    REQUIRE(client.data.size() == 3);
    CHECK(json::parse(client.data[0]).at("object") == "text_completion");
    CHECK(json::parse(client.data[0]).at("choices").at(0).at("text") == "<think>");
    CHECK(json::parse(client.data[1]).at("choices").at(0).at("finish_reason") == "stop");
    CHECK(client.data[2] == "[DONE]");
}

TEST_CASE("sse: a chat's leading <think> block is reasoning_content") {
    Client client;
    auto sink = sink_to(client, true);
    std::size_t index = 0;
    for (const std::string_view text : {"<think>", "\n", "Hm", ".\n", "</think>", "\n\n", "Yes", "."}) {
        sink.on_token({index++, 4, text, false});
        CHECK(client.data.size() == 1 + index);
    }
    sink.on_finish(ended);
    std::string reasoning, content;
    for (std::size_t i = 1; i + 1 < client.data.size(); ++i) {
        const json delta = json::parse(client.data[i]).at("choices").at(0).at("delta");
        reasoning += delta.value("reasoning_content", "");
        content += delta.value("content", "");
    }
    CHECK(reasoning == "Hm.");
    CHECK(content == "Yes.");
}

TEST_CASE("sse: an answer without tokens is whole, and what was held back comes before the end") {
    Client none, held;
    sink_to(none, true).on_finish(ended);
    REQUIRE(none.data.size() == 3);
    CHECK(json::parse(none.data[0]).at("choices").at(0).at("delta").at("role") == "assistant");
    auto sink = sink_to(held, true);
    sink.on_token({0, 4, "<thin", false});
    sink.on_finish(ended);
    REQUIRE(held.data.size() == 5);
    CHECK(json::parse(held.data[2]).at("choices").at(0).at("delta").at("content") == "<thin");
}

TEST_CASE("sse: an error ends the stream without [DONE]") {
    Client client;
    auto sink = sink_to(client, true);
    sink.on_token({0, 4, "Hi", false});
    sink.on_error(Status(Errc::numeric, "logits[3]", "is NaN"));
    const json error = json::parse(client.data.back()).at("error");
    CHECK(error == json{{"message", "logits[3]: is NaN"}, {"type", "server_error"}, {"code", 500}, {"param", nullptr}});
}

TEST_CASE("sse: a client that is gone stops the answer, and nothing more is written") {
    for (std::size_t room = 0; room < 4; ++room) {
        Client client{room};
        auto sink = sink_to(client, true);
        Flow flow = Flow::go_on;
        for (std::size_t i = 0; i < 5; ++i) {
            flow = sink.on_token({i, 4, "a", false});
            CHECK((flow == Flow::stop) == (i + 2 > room));
        }
        sink.on_finish(ended);
        CHECK(client.data.size() == room);
    }
}

TEST_CASE("sse: error objects name the field where there is one") {
    CHECK(json::parse(sse::error_json("no \"x\"", "invalid_request_error", 400, "top_p")) ==
          json{{"error",
                {{"message", "no \"x\""}, {"type", "invalid_request_error"}, {"code", 400}, {"param", "top_p"}}}});
}
