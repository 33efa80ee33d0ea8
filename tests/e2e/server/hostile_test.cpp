// SPDX-License-Identifier: Apache-2.0
//! Requests that no client should send. Every one gets a 4xx, and the server goes on.
#include <algorithm>
#include <array>
#include <cstddef>
#include <doctest/doctest.h>
#include <string>
#include <utility>
#include <vector>

#include "server.hpp"

using namespace sluice::test;

namespace {

const Json chat = {{"messages", {{{"role", "user"}, {"content", "Hi"}}}}, {"max_tokens", 1}};

//! The error object of a refusal.
Json error_of(const httplib::Response& response) {
    INFO(response.status << ": " << response.body);
    CHECK(response.status >= 400);
    CHECK(response.status < 500);
    const Json error = Json::parse(response.body).at("error");
    CHECK(error.at("type") == "invalid_request_error");
    CHECK(error.at("code") == response.status);
    CHECK_FALSE(error.at("message").get<std::string>().empty());
    return error;
}

}  // namespace

TEST_CASE("serve: a field of the wrong type or range is a 400 that names it") {
    const Server server;
    const std::vector<std::string> values = {"true", "-1",        "0.5",  "1e300", "\"text\"",
                                             "[1]",  "{\"a\":1}", "[[]]", "\"\""};
    // The fields, and which of the values they take.
    const std::vector<std::pair<std::string, std::vector<std::string>>> fields = {
        {"messages", {}},
        {"temperature", {"0.5"}},
        {"top_p", {"0.5", "-1"}},
        {"top_k", {}},
        {"min_p", {"0.5"}},
        {"seed", {"-1"}},
        {"max_tokens", {}},
        {"max_completion_tokens", {}},
        {"stop", {"\"text\""}},
        {"presence_penalty", {"0.5", "-1"}},
        {"frequency_penalty", {"0.5", "-1"}},
        {"repeat_penalty", {"0.5"}},
        {"repetition_penalty", {"0.5"}},
        {"repeat_last_n", {"-1"}},
        {"logit_bias", {}},
        {"logprobs", {"true"}},
        {"top_logprobs", {}},
        {"n", {}},
        {"tools", {}},
        {"tool_choice", {}},
        {"parallel_tool_calls", {"true"}},
        {"response_format", {}},
        {"chat_template_kwargs", {}},
        {"ignore_eos", {"true"}},
        {"stream", {"true"}},
        {"stream_options", {}},
        {"model", {"\"text\"", "\"\""}},
        {"user", {"\"text\"", "\"\""}},
        {"no_such_field", {}},
    };
    for (const auto& [field, allowed] : fields) {
        for (const std::string& value : values) {
            Json body = chat;
            body[field] = Json::parse(value);
            const httplib::Response response = server.post("/v1/chat/completions", body.dump());
            INFO(body.dump() << ": " << response.body);
            if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) {
                CHECK(response.status == 200);
                continue;
            }
            const std::string param = error_of(response).at("param");
            CHECK((param.starts_with(field) || (field == "repeat_penalty" && param == "repetition_penalty")));
        }
    }
    for (const std::string& value : values) {  // another type than a chat's
        const Json body = {{"prompt", "Hi"}, {"max_tokens", 1}, {"logprobs", Json::parse(value)}};
        CHECK(error_of(server.post("/v1/completions", body.dump())).at("param") == "logprobs");
    }
}

TEST_CASE("serve: messages of every wrong shape are refused") {
    const Server server;
    for (const char* messages :
         {"[]", "[1]", "[{}]", R"([{"role":"user"}])", R"([{"content":"Hi"}])", R"([{"role":"king","content":"Hi"}])",
          R"([{"role":1,"content":"Hi"}])", R"([{"role":"user","content":1}])", R"([{"role":"user","content":[1]}])",
          R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}])",
          R"([{"role":"user","content":"Hi","more":1}])", R"([{"role":"assistant","content":null}])",
          R"([{"role":"assistant","tool_calls":[]}])", R"([{"role":"assistant","tool_calls":[{}]}])",
          R"([{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"["}}]}])",
          R"([{"role":"user","content":"Hi","tool_calls":[]}])"}) {
        INFO(messages);
        const Json error =
            error_of(server.post("/v1/chat/completions", R"({"messages":)" + std::string(messages) + "}"));
        CHECK(error.at("param").get<std::string>().starts_with("messages"));
    }
}

TEST_CASE("serve: what a chat cannot have is refused by name") {
    const Server server;
    for (const auto& [field, value, param] : std::vector<std::array<std::string, 3>>{
             {"tool_choice", "\"required\"", "tool_choice"},
             {"tool_choice", R"({"type":"function","function":{"name":"f"}})", "tool_choice"},
             {"tools", R"([{"type":"function","function":{"name":"f","strict":true}}])", "tools[0].function.strict"},
             {"tools", R"([{"type":"retrieval"}])", "tools[0].type"},
             {"response_format", R"({"type":"json_object"})", "response_format.type"},
             {"response_format", R"({"type":"json_schema","json_schema":{"name":"x"}})", "response_format.type"},
             {"n", "9", "n"},
             {"top_logprobs", "3", "top_logprobs"},
         }) {
        Json body = chat;
        body[field] = Json::parse(value);
        INFO(body.dump());
        CHECK(error_of(server.post("/v1/chat/completions", body.dump())).at("param") == param);
    }
}

TEST_CASE("serve: every type of JSON in every nested field, and at the small endpoints") {
    const Server server;
    // What stands for $ in a body, by name; each place lists those that it takes. The others are a 400 for `param`.
    const std::vector<std::pair<std::string, std::string>> values = {
        {"null", "null"}, {"true", "true"},     {"false", "false"},      {"int", "1"},      {"negative", "-1"},
        {"real", "0.5"},  {"huge", "1e300"},    {"text", "\"text\""},    {"empty", "\"\""}, {"list", "[1]"},
        {"none", "[]"},   {"texts", "[\"a\"]"}, {"object", "{\"a\":1}"}, {"nothing", "{}"},
    };
    struct Place {
        std::string path, body, param, takes;  // `takes`: names between spaces
    };
    const std::string chat_of = R"({"max_tokens":1,"messages":)";
    const std::string ask = chat_of + R"([{"role":"user","content":"Hi"}],)";
    const auto message = [&](const std::string& fields) { return chat_of + "[{" + fields + "}]}"; };
    const auto call = [&](const std::string& fields) {
        return message(R"("role":"assistant","content":"x","tool_calls":[{)" + fields + "}]");
    };
    const std::vector<Place> places = {
        {chats, chat_of + "$}", "messages", ""},
        {chats, chat_of + "[$]}", "messages[0]", ""},
        {chats, message(R"("role":$,"content":"Hi")"), "messages[0].role", ""},
        {chats, message(R"("role":"user","content":$)"), "messages[0].content", "text empty none"},
        {chats, message(R"("role":"user","content":[$])"), "messages[0].content[0]", ""},
        {chats, message(R"("role":"user","content":[{"type":"text","text":"a"},{"type":$,"text":"a"}])"),
         "messages[0].content[1].type", "text"},
        {chats, message(R"("role":"user","content":[{"type":"text","text":$}])"), "messages[0].content[0].text",
         "text empty"},
        {chats, message(R"("role":"user","content":"Hi","name":$)"), "messages[0].name", "null text empty"},
        {chats, message(R"("role":"assistant","content":"Hi","reasoning_content":$)"), "messages[0].reasoning_content",
         "null text empty"},
        {chats, message(R"("role":"tool","content":"Hi","tool_call_id":$)"), "messages[0].tool_call_id",
         "null text empty"},
        {chats, message(R"("role":"assistant","content":"Hi","tool_calls":$)"), "messages[0].tool_calls", "null none"},
        {chats, call(R"("id":$,"function":{"name":"f","arguments":"{}"})"), "messages[0].tool_calls[0].id",
         "null text empty"},
        {chats, call(R"("type":$,"function":{"name":"f","arguments":"{}"})"), "messages[0].tool_calls[0].type", "null"},
        {chats, call(R"("function":$)"), "messages[0].tool_calls[0].function", ""},
        {chats, call(R"("function":{"name":$,"arguments":"{}"})"), "messages[0].tool_calls[0].function.name", "text"},
        {chats, call(R"("function":{"name":"f","arguments":$})"), "messages[0].tool_calls[0].function.arguments", ""},
        {chats, ask + R"("tools":[$]})", "tools[0]", ""},
        {chats, ask + R"("tools":[{"type":$,"function":{"name":"f"}}]})", "tools[0].type", "null"},
        {chats, ask + R"("tools":[{"function":$}]})", "tools[0].function", ""},
        {chats, ask + R"("tools":[{"function":{"name":$}}]})", "tools[0].function.name", "text"},
        {chats, ask + R"("tools":[{"function":{"name":"f","description":$}}]})", "tools[0].function.description",
         "null text empty"},
        {chats, ask + R"("tools":[{"function":{"name":"f","parameters":$}}]})", "tools[0].function.parameters",
         "null object nothing"},
        {chats, ask + R"("tools":[{"function":{"name":"f","strict":$}}]})", "tools[0].function.strict", "null false"},
        {chats, ask + R"("stream":true,"stream_options":$})", "stream_options", "null nothing"},
        {chats, ask + R"("stream":true,"stream_options":{"include_usage":$}})", "stream_options.include_usage",
         "null true false"},
        {chats, ask + R"("response_format":{"type":$}})", "response_format.type", "null text"},
        {chats, ask + R"("chat_template_kwargs":{"enable_thinking":$}})", "chat_template_kwargs.enable_thinking",
         "null true false"},
        {chats, ask + R"("logit_bias":{"5":$}})", "logit_bias.5", "int negative real"},
        {chats, ask + R"("stop":["x",$]})", "stop[1]", "text"},
        {chats, ask + R"("logprobs":true,"top_logprobs":$})", "top_logprobs", "null int"},
        {completions, R"({"max_tokens":1,"prompt":$})", "prompt", "text list"},
        {completions, R"({"max_tokens":1,"prompt":[5,$]})", "prompt", "int"},
        {"/tokenize", R"({"content":$})", "content", "text empty"},
        {"/tokenize", R"({"content":"x","parse_special":$})", "parse_special", "null true false"},
        {"/tokenize", R"({"content":"x","more":$})", "more", ""},
        {"/detokenize", R"({"tokens":$})", "tokens", "list none"},
        {"/detokenize", R"({"tokens":[5,$]})", "tokens[1]", "int"},
        {"/detokenize", R"({"tokens":[5],"more":$})", "more", ""},
        {"/apply-template", R"({"messages":$})", "messages", ""},
        {"/apply-template", R"({"messages":[{"role":"user","content":$}]})", "messages[0].content", "text empty none"},
        {"/apply-template",
         R"({"messages":[{"role":"user","content":"x"}],"chat_template_kwargs":{"enable_thinking":$}})",
         "chat_template_kwargs.enable_thinking", "null true false"},
        {"/apply-template", R"({"messages":[{"role":"user","content":"x"}],"temperature":$})", "temperature", ""},
    };
    for (const Place& place : places) {
        for (const auto& [name, value] : values) {
            std::string body = place.body;
            body.replace(body.find('$'), 1, value);
            const httplib::Response response = server.post(place.path, body);
            INFO(place.path << ' ' << body << ": " << response.body);
            if ((' ' + place.takes + ' ').find(' ' + name + ' ') != std::string::npos) {
                CHECK(response.status == 200);
                continue;
            }
            CHECK(response.status == 400);
            CHECK(error_of(response).at("param").get<std::string>().starts_with(place.param));
        }
    }
}

TEST_CASE("serve: two names of one thing must agree, and no field may be there twice") {
    const Server server;
    for (const auto& [fields, message] : std::vector<std::pair<std::string, std::string>>{
             {R"("max_tokens":1,"max_completion_tokens":2)",
              "max_completion_tokens: differs from max_tokens, which means the same; give one of the two"},
             {R"("repeat_penalty":1.5,"repetition_penalty":1.25)",
              "repetition_penalty: differs from repeat_penalty, which means the same; give one of the two"},
             {R"("max_tokens":1,"seed":1,"seed":1)", "seed: is there twice in one object"},
             {R"("max_tokens":1,"logit_bias":{"5":1,"5":2})", "5: is there twice in one object"},
             {R"("max_tokens":1,"logit_bias":{"5":1," 5":2})", "logit_bias: ' 5' is not a token id"},
             {R"("max_tokens":1,"max_completion_tokens":1,"repeat_penalty":1.5,"repetition_penalty":1.5)", ""},
             {R"("max_tokens":null,"max_completion_tokens":1)", ""}}) {
        for (const char* asked : {R"("prompt":"Hi",)", R"("messages":[{"role":"user","content":"Hi"}],)"}) {
            const std::string path = asked[1] == 'p' ? completions : chats;
            const httplib::Response response = server.post(path, '{' + std::string(asked) + fields + '}');
            INFO(response.body);
            CHECK(response.status == (message.empty() ? 200 : 400));
            if (!message.empty()) CHECK(error_of(response).at("message") == message);
        }
    }
}

TEST_CASE("serve: what is not JSON, nests deep, is long or is not UTF-8 is refused") {
    const Server server;
    std::string deep(3000, '[');
    for (const std::string& body :
         {std::string(), std::string("nonsense"), std::string("[]"), std::string("{"), std::string("{\"prompt\":NaN}"),
          deep, "{\"prompt\":" + deep + std::string(3000, ']') + "}", std::string("{\"prompt\":\"\xFF\"}"),
          std::string("{\"prompt\":\"\0\"}", 13), std::string(100000, '{')}) {
        error_of(server.post("/v1/completions", body));
        error_of(server.post("/tokenize", body));
    }
    const httplib::Response too_long = server.post("/v1/completions", std::string(9 << 20, ' '));
    CHECK(too_long.status == 413);
    error_of(too_long);
    const auto in_chunks = server.client().Post(
        "/tokenize",
        [](std::size_t offset, httplib::DataSink& out) {
            const std::string piece(1 << 20, ' ');
            if (offset < std::size_t{9} << 20) return out.write(piece.data(), piece.size());
            out.done();
            return true;
        },
        "application/json");
    REQUIRE(in_chunks);
    CHECK(in_chunks->status == 413);
    std::string wide = "{\"prompt\":\"x\"";  // each member would be looked for among those before it
    for (int i = 0; i < 200000; ++i) wide += ",\"" + std::to_string(i) + "\":0";
    CHECK(error_of(server.post("/v1/completions", wide + "}")).at("message") == "the body has more than 16384 members");
    CHECK(server.client().Post("/v1/completions", {{"Content-Encoding", "gzip"}}, "x", "text/json")->status == 415);
    CHECK(server.client().Get("/v1/completions")->status == 404);
    for (const char* type :
         {"application/x-www-form-urlencoded", "multipart/form-data; boundary=x"}) {  // is read as JSON
        const std::string text = Json{{"content", std::string(20000, 'a')}}.dump();
        CHECK(server.client().Post("/tokenize", text, type)->status == 200);
    }
    CHECK(server.post_json("/v1/completions", {{"prompt", "Once"}, {"max_tokens", 1}}).contains("usage"));
}

TEST_CASE("serve: a prompt that does not fit is a 400 with both numbers") {
    const Server server({"-c", "32"});
    const httplib::Response response = server.post("/v1/completions", Json{{"prompt", std::vector<int>(40, 5)}}.dump());
    const Json error = error_of(response);
    CHECK(error.at("param") == "prompt");
    CHECK(error.at("message") ==
          "prompt: has 40 tokens, but the context of 32 has room for 31; shorten it or load with a larger context");
    error_of(server.post("/v1/completions", R"({"prompt": []})"));
    error_of(server.post("/v1/completions", R"({"prompt": [-1]})"));
    error_of(server.post("/v1/completions", R"({"prompt": [2048]})"));
    error_of(server.post("/v1/completions", R"({"prompt": "x", "logit_bias": {"2048": 1}})"));
    error_of(server.post("/v1/completions", R"({"prompt": "x", "logit_bias": {"x": 1}})"));
}
