// SPDX-License-Identifier: Apache-2.0
#include "sluice/sink/sse.hpp"

#include <algorithm>
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

sse::Head head_of(bool is_chat) { return {.id = "id-1", .model = "my \"model\"", .created = 17, .is_chat = is_chat}; }

auto stream_to(Client& client, sse::Head head) {
    return SseStream(std::move(head), [&client](std::string_view event) { return client(event); });
}
using Stream = decltype(stream_to(std::declval<Client&>(), {}));

json choice_of(const std::string& event) { return json::parse(event).at("choices").at(0); }

const GenerationResult ended{
    FinishReason::stop_token, {.prompt_tokens = 5, .completion_tokens = 3, .cached_tokens = 2}, {}};

}  // namespace

static_assert(StreamSink<SseSink<Stream>>);

TEST_CASE("sse: a chat is a role, an event a token, the end, the usage and [DONE]") {
    Client client;
    sse::Head head = head_of(true);
    head.include_usage = true;
    head.seed = 99;
    auto stream = stream_to(client, head);
    SseSink sink(stream);
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
        CHECK(chunk.at("seed") == 99);
        CHECK(chunk.at("object") == "chat.completion.chunk");
    }
    const auto choice = [&](std::size_t i) { return choice_of(client.data[i]); };
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
    auto stream = stream_to(client, head_of(false));
    SseSink sink(stream);
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
    auto stream = stream_to(client, head_of(true));
    SseSink sink(stream);
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
    auto empty = stream_to(none, head_of(true));
    SseSink(empty).on_finish(ended);
    REQUIRE(none.data.size() == 3);
    CHECK(json::parse(none.data[0]).at("choices").at(0).at("delta").at("role") == "assistant");
    auto stream = stream_to(held, head_of(true));
    SseSink sink(stream);
    sink.on_token({0, 4, "<thin", false});
    sink.on_finish(ended);
    REQUIRE(held.data.size() == 5);
    CHECK(json::parse(held.data[2]).at("choices").at(0).at("delta").at("content") == "<thin");
}

TEST_CASE("sse: an error ends the stream without [DONE]") {
    Client client;
    auto stream = stream_to(client, head_of(true));
    SseSink sink(stream);
    sink.on_token({0, 4, "Hi", false});
    sink.on_error(Status(Errc::numeric, "logits[3]", "is NaN"));
    const json error = json::parse(client.data.back()).at("error");
    CHECK(error == json{{"message", "logits[3]: is NaN"}, {"type", "server_error"}, {"code", 500}, {"param", nullptr}});
}

TEST_CASE("sse: a client that is gone stops the answer, and nothing more is written") {
    for (std::size_t room = 0; room < 4; ++room) {
        Client client{room};
        auto stream = stream_to(client, head_of(true));
        SseSink sink(stream);
        Flow flow = Flow::go_on;
        for (std::size_t i = 0; i < 5; ++i) {
            flow = sink.on_token({i, 4, "a", false});
            CHECK((flow == Flow::stop) == (i + 2 > room));
        }
        sink.on_finish(ended);
        CHECK(client.data.size() == room);
    }
}

TEST_CASE("sse: calls of functions are whole deltas, and never content") {
    const std::string answer =
        "<think>\nHm\n</think>\n\nLet me look.\n<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"\\\"\"}}\n"
        "</tool_call>\n<tool_call>\n{\"name\": \"listen\", \"arguments\": {}}\n</tool_call>";
    for (const bool has_tools : {true, false}) {
        Client client;
        sse::Head head = head_of(true);
        head.has_tools = has_tools;
        auto stream = stream_to(client, head);
        SseSink sink(stream);
        for (std::size_t i = 0; i < answer.size(); ++i) {
            sink.on_token({i, 4, std::string_view(answer).substr(i, 1), false});
        }
        sink.on_finish(ended);
        std::string content;
        json calls = json::array();
        for (std::size_t i = 0; i + 1 < client.data.size(); ++i) {
            const json delta = choice_of(client.data[i]).at("delta");
            content += delta.value("content", "");
            if (delta.contains("tool_calls")) calls.push_back(delta.at("tool_calls").at(0));
        }
        const json finish = choice_of(client.data.end()[-2]).at("finish_reason");
        if (!has_tools) {
            CHECK(content == answer.substr(answer.find("Let")));
            CHECK(finish == "stop");
            continue;
        }
        CHECK(content == "Let me look.");
        CHECK(finish == "tool_calls");
        REQUIRE(calls.size() == 2);
        CHECK(calls[0] == json::parse(R"({"index": 0, "id": "call-id-1-0-0", "type": "function",
                              "function": {"name": "look", "arguments": "{\"at\": \"\\\"\"}"}})"));
        CHECK(calls[1].at("index") == 1);
        CHECK(calls[1].at("id") == "call-id-1-0-1");
        CHECK(calls[1].at("function") == json{{"name", "listen"}, {"arguments", "{}"}});
    }
}

TEST_CASE("sse: an answer that was cut short keeps its reason, and a half call is content") {
    Client client;
    sse::Head head = head_of(true);
    head.has_tools = true;
    auto stream = stream_to(client, head);
    SseSink sink(stream);
    sink.on_token({0, 4, "<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>\n<tool_call>\n{", false});
    sink.on_finish({FinishReason::max_tokens, {}, {}});
    REQUIRE(client.data.size() == 5);
    CHECK(choice_of(client.data[1]).at("delta").at("tool_calls").size() == 1);
    CHECK(choice_of(client.data[2]).at("delta").at("content") == "<tool_call>\n{");
    CHECK(choice_of(client.data[3]).at("finish_reason") == "length");
}

TEST_CASE("sse: choices have their numbers, and end together") {
    Client client;
    sse::Head head = head_of(true);
    head.choices = 3;
    head.include_usage = true;
    auto stream = stream_to(client, head);
    std::vector<SseSink<Stream>> sinks;
    for (std::size_t i = 0; i < 3; ++i) sinks.emplace_back(stream, i);
    for (const std::size_t i : {1U, 0U, 2U, 1U}) {
        sinks[i].on_token({0, 4, "a", false});
        CHECK(choice_of(client.data.back()).at("index") == i);
    }
    for (const std::size_t i : {2U, 0U, 1U}) {
        CHECK(client.data.back() != "[DONE]");
        sinks[i].on_finish(ended);
    }
    REQUIRE(client.data.size() == 3 + 4 + 3 + 2);
    CHECK(json::parse(client.data.end()[-2]).at("usage").at("prompt_tokens") == 5);
    CHECK(json::parse(client.data.end()[-2]).at("usage").at("completion_tokens") == 9);
    CHECK(client.data.back() == "[DONE]");
}

TEST_CASE("sse: a choice that fails ends the stream for all") {
    Client client;
    sse::Head head = head_of(true);
    head.choices = 2;
    auto stream = stream_to(client, head);
    SseSink first(stream, 0), second(stream, 1);
    first.on_error(Status(Errc::numeric, "logits[3]", "is NaN"));
    CHECK(second.on_token({0, 4, "a", false}) == Flow::stop);
    second.on_finish(ended);
    CHECK(client.data.size() == 1);
}

TEST_CASE("sse: log-probabilities come with their token's event, and once") {
    const std::vector<TokenLogprob> logprobs = {{7, -0.5F, "a"}, {8, -0.25F, "b"}};
    for (const bool is_chat : {true, false}) {
        Client client;
        auto stream = stream_to(client, head_of(is_chat));
        SseSink sink(stream);
        sink.on_token({.index = 0, .id = 7, .text = "<think>x</think>a", .logprobs = logprobs});
        sink.on_token({.index = 1, .id = 9, .text = "b"});
        sink.on_token({.index = 2, .id = 7, .text = "held back", .is_stop = true, .logprobs = logprobs});
        sink.on_finish(ended);
        std::vector<json> found;
        for (std::size_t i = 0; i + 1 < client.data.size(); ++i) {
            found.push_back(choice_of(client.data[i]).at("logprobs"));
        }
        const auto is_null = [](const json& value) { return value.is_null(); };
        CHECK(std::count_if(found.begin(), found.end(), is_null) == static_cast<std::ptrdiff_t>(found.size()) - 1);
        CHECK_FALSE(found[is_chat ? 1 : 0].is_null());
    }
}

TEST_CASE("sse: error objects name the field where there is one") {
    CHECK(json::parse(sse::error_json("no \"x\"", "invalid_request_error", 400, "top_p")) ==
          json{{"error",
                {{"message", "no \"x\""}, {"type", "invalid_request_error"}, {"code", 400}, {"param", "top_p"}}}});
}
