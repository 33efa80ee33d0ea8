// SPDX-License-Identifier: Apache-2.0
#include "sluice/server/openai.hpp"

#include <cstddef>
#include <doctest/doctest.h>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sluice/server/json.hpp"
#include "sluice/server/openai_answer.hpp"

using namespace sluice;
using namespace sluice::server;
using openai::CompletionRequest;

namespace {

CompletionRequest chat_of(const std::string& more) {
    auto request = openai::parse_chat(R"({"messages": [{"role": "user", "content": "Hi"}])" + more + "}");
    REQUIRE_MESSAGE(request.ok(), request.status().message());
    return std::move(*request);
}

std::string chat_error(const std::string& more) {
    const auto request = openai::parse_chat(R"({"messages": [{"role": "user", "content": "Hi"}])" + more + "}");
    REQUIRE_FALSE(request.ok());
    return request.status().message();
}

std::string completion_error(const std::string& more) {
    const auto request = openai::parse_completion(R"({"prompt": "Hi")" + more + "}");
    REQUIRE_FALSE(request.ok());
    return request.status().message();
}

//! The error of a chat in which an assistant's message has these fields too.
std::string assistant_error(const std::string& more) {
    const auto request = openai::parse_chat(R"({"messages": [{"role": "assistant")" + more + "}]}");
    REQUIRE_FALSE(request.ok());
    return request.status().message();
}

const std::string look_tool = R"({"type": "function", "function": {"name": "look", "description": "Looks.",
    "parameters": {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}}})";

//! What a sink is told of a text, all at once.
openai::Choice choice_of(const sse::Head& head, std::string_view text, FinishReason reason, std::size_t index = 0,
                         std::span<const TokenLogprob> logprobs = {}) {
    openai::Choice choice(head, index);
    choice.on_token({.text = text, .logprobs = logprobs});
    choice.on_finish({reason, {.prompt_tokens = 5, .completion_tokens = 3, .cached_tokens = 2}, {}});
    return choice;
}

Json answer_of(const sse::Head& head, std::vector<openai::Choice> choices) {
    return Json::parse(openai::answer_json(head, choices));
}

}  // namespace

TEST_CASE("openai: every parameter of a request arrives") {
    const CompletionRequest r = chat_of(R"(, "temperature": 0.5, "top_p": 0.25, "top_k": 7, "min_p": 0.125,
        "presence_penalty": -1, "frequency_penalty": 1.5, "repeat_penalty": 1.25, "repeat_last_n": -1,
        "logit_bias": {"12": -100, "3": 0.5}, "max_tokens": 9, "stop": ["a", "b"], "seed": -4, "ignore_eos": true,
        "stream": true, "stream_options": {"include_usage": true}, "model": "any", "user": "me", "n": 8,
        "logprobs": true, "top_logprobs": 20, "response_format": {"type": "text"}, "chat_template_kwargs": {"enable_thinking": false})");
    CHECK(r.sampling.temperature == 0.5F);
    CHECK(r.sampling.top_p == 0.25F);
    CHECK(r.sampling.top_k == 7);
    CHECK(r.sampling.min_p == 0.125F);
    CHECK(r.sampling.presence_penalty == -1.0F);
    CHECK(r.sampling.frequency_penalty == 1.5F);
    CHECK(r.sampling.repetition_penalty == 1.25F);
    CHECK(r.sampling.repeat_last_n == -1);
    REQUIRE(r.sampling.logit_bias.size() == 2);
    CHECK(r.sampling.logit_bias[0].token == 12);
    CHECK(r.sampling.logit_bias[0].bias == -100.0F);
    CHECK(r.generate.max_tokens == 9);
    CHECK(r.generate.stop == std::vector<std::string>{"a", "b"});
    CHECK(r.generate.ignore_stop_tokens);
    CHECK(r.seed == -4);
    CHECK(r.stream);
    CHECK(r.include_usage);
    CHECK(r.choices == 8);
    CHECK(r.top_logprobs == 20);
    CHECK_FALSE(std::get<openai::Conversation>(r.prompt).options.enable_thinking);
    CHECK(chat_of(R"(, "max_completion_tokens": 3)").generate.max_tokens == 3);
    CHECK(chat_of(R"(, "repetition_penalty": 1.5)").sampling.repetition_penalty == 1.5F);
    CHECK(chat_of(R"(, "stop": "x")").generate.stop == std::vector<std::string>{"x"});
}

TEST_CASE("openai: absent and null fields have the API's defaults") {
    for (const char* more : {"", R"(, "temperature": null, "stop": null, "seed": null, "stream_options": null)"}) {
        const CompletionRequest r = chat_of(more);
        CHECK(r.is_chat());
        CHECK(r.sampling.temperature == 1.0F);
        CHECK(r.sampling.top_p == 1.0F);
        CHECK(r.generate.max_tokens > 1000000);
        CHECK_FALSE(r.seed.has_value());
        CHECK_FALSE(r.stream);
        CHECK(r.choices == 1);
        CHECK_FALSE(r.top_logprobs.has_value());
        CHECK_FALSE(r.has_tools());
    }
    CHECK(chat_of(R"(, "logprobs": true)").top_logprobs == 0);
    CHECK_FALSE(chat_of(R"(, "logprobs": false)").top_logprobs.has_value());
}

TEST_CASE("openai: messages keep their roles and texts") {
    const auto request = openai::parse_chat(R"({"messages": [
        {"role": "system", "content": "Be kind."}, {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "name": "me"},
        {"role": "assistant", "content": "c", "reasoning_content": "d"},
        {"role": "tool", "content": "e", "tool_call_id": "1"}]})");
    REQUIRE_MESSAGE(request.ok(), request.status().message());
    const auto& messages = std::get<openai::Conversation>(request->prompt).messages;
    REQUIRE(messages.size() == 5);
    using chat::Role;
    const Role roles[] = {Role::system, Role::system, Role::user, Role::assistant, Role::tool};
    const std::string_view contents[] = {"Be kind.", "Be brief.", "ab", "c", "e"};
    for (std::size_t i = 0; i < 5; ++i) {
        CHECK(messages[i].role == roles[i]);
        CHECK(messages[i].content == contents[i]);
    }
    CHECK(messages[3].reasoning == "d");
}

TEST_CASE("openai: a completion's prompt is text or tokens") {
    CHECK(std::get<std::string>(openai::parse_completion(R"({"prompt": "Hi"})")->prompt) == "Hi");
    CHECK(std::get<std::vector<Token>>(openai::parse_completion(R"({"prompt": [1, 2]})")->prompt) ==
          std::vector<Token>{1, 2});
    CHECK(openai::parse_completion("{}").status().message() == "prompt: is missing");
    CHECK(openai::parse_completion(R"({"prompt": [1, "2"]})").status().message() == "prompt[1]: is not an integer");
    CHECK(openai::parse_completion(R"({"prompt": [3000000000]})").status().message() == "prompt[0]: is not an integer");
}

TEST_CASE("openai: errors name the field and say what is wrong") {
    CHECK(chat_error(R"(, "temperature": "hot")") == "temperature: is not a number");
    CHECK(chat_error(R"(, "temperature": -1)") ==
          "temperature: -1 is negative or not finite; give 0 (greedy) or a positive number");
    CHECK(chat_error(R"(, "max_tokens": 1.5)") == "max_tokens: is not an integer from 0");
    CHECK(chat_error(R"(, "seed": 18446744073709551615)") == "seed: is not an integer");
    CHECK(chat_error(R"(, "stream": 1)") == "stream: is not true or false");
    CHECK(chat_error(R"(, "stop": [""])") == "stop[0]: is an empty string; give text, or leave it out");
    CHECK(chat_error(R"(, "stop": "")") == "stop: is an empty string; give text, or leave it out");
    CHECK(chat_error(R"(, "stop": )" + Json(std::vector<std::string>(17, "x")).dump()) ==
          "stop: has more than 16 texts; give the first that will come");
    CHECK(chat_error(R"(, "n": 9)") == "n: 9 is out of range; give 1 to 8");
    CHECK(chat_error(R"(, "n": 0)") == "n: 0 is out of range; give 1 to 8");
    CHECK(chat_error(R"(, "logprobs": true, "top_logprobs": 21)") == "top_logprobs: 21 is out of range; give 0 to 20");
    CHECK(chat_error(R"(, "top_logprobs": 1)") == "top_logprobs: is for logprobs: true only; leave it out");
    CHECK(chat_error(R"(, "logprobs": 1)") == "logprobs: is not true or false");
    CHECK(completion_error(R"(, "logprobs": 21)") == "logprobs: 21 is out of range; give 0 to 20");
    CHECK(completion_error(R"(, "logprobs": true)") == "logprobs: is not an integer from 0");
    for (const char* format : {R"({"type": "json_object"})", R"({"type": "json_schema", "json_schema": {}})"}) {
        CHECK(chat_error(R"(, "response_format": )" + std::string(format)) ==
              "response_format.type: only \"text\" is supported here; leave it out");
    }
    CHECK(chat_error(R"(, "stream_options": {"include_usage": true})") ==
          "stream_options: is for stream: true only; leave it out");
    CHECK(chat_error(R"(, "stream": true, "stream_options": {"x": 1})") ==
          "stream_options.x: 'x' is not a field that is supported here; leave it out");
    CHECK(completion_error(R"(, "tools": [])") == "tools: 'tools' is not a field that is supported here; leave it out");
}

TEST_CASE("openai: tools are shown to the model as Python would write them") {
    const std::string tools = R"(, "parallel_tool_calls": true, "tools": [)" + look_tool + "]";
    for (const char* choice : {"", R"(, "tool_choice": "auto")", R"(, "tool_choice": null)"}) {
        const CompletionRequest r = chat_of(tools + choice);
        CHECK(r.has_tools());
        CHECK(std::get<openai::Conversation>(r.prompt).options.tools ==
              std::vector<std::string>{
                  R"({"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": )"
                  R"({"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}}})"});
    }
    CHECK_FALSE(chat_of(tools + R"(, "tool_choice": "none")").has_tools());
    CHECK_FALSE(chat_of(R"(, "tools": [])").has_tools());
}

TEST_CASE("openai: what tools cannot be is refused by name") {
    const auto function_error = [](const std::string& function) {
        return chat_error(R"(, "tools": [{"type": "function", "function": )" + function + "}]");
    };
    CHECK(function_error("1") == "tools[0].function: is not an object");
    CHECK(function_error("{}") == "tools[0].function.name: is missing");
    CHECK(function_error(R"({"name": "a b"})") ==
          "tools[0].function.name: 'a b' is no function's name; give 1 to 64 letters, digits, '_', '-' and '.'");
    CHECK(function_error(R"({"name": "f", "parameters": []})") == "tools[0].function.parameters: is not an object");
    CHECK(function_error(R"({"name": "f", "strict": true})") ==
          "tools[0].function.strict: arguments are not held to the schema here; leave it out");
    CHECK(chat_error(R"(, "tools": {})") == "tools: is not a list");
    CHECK(chat_error(R"(, "tools": [{"type": "web_search"}])") ==
          "tools[0].type: only \"function\" is supported here; leave it out");
    CHECK(chat_error(R"(, "tools": [{"type": "function"}])") == "tools[0].function: is missing");
    for (const char* choice : {"\"required\"", R"({"type": "function", "function": {"name": "look"}})", "1"}) {
        CHECK(chat_error(R"(, "tool_choice": )" + std::string(choice)) ==
              "tool_choice: only \"auto\" and \"none\" are supported here; leave it out");
    }
    CHECK(chat_error(R"(, "parallel_tool_calls": false)") ==
          "parallel_tool_calls: only true is supported here; leave it out");
}

TEST_CASE("openai: an assistant's message may have calls instead of content") {
    const auto request = openai::parse_chat(R"({"messages": [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{\"at\": 1}"}}]},
        {"role": "tool", "content": "Blue.", "tool_call_id": "1"}]})");
    REQUIRE_MESSAGE(request.ok(), request.status().message());
    const auto& messages = std::get<openai::Conversation>(request->prompt).messages;
    CHECK(messages[1].content == "");
    REQUIRE(messages[1].tool_calls.size() == 1);
    CHECK(messages[1].tool_calls[0].name == "look");
    CHECK(messages[1].tool_calls[0].arguments == R"({"at": 1})");

    CHECK(assistant_error("") == "messages[0].content: is missing");
    CHECK(assistant_error(R"(, "tool_calls": [])") == "messages[0].content: is missing");
    CHECK(assistant_error(R"(, "tool_calls": 1)") == "messages[0].tool_calls: is not a list");
    const auto call_error = [](const std::string& function) {
        return assistant_error(R"(, "tool_calls": [{"type": "function", "function": )" + function + "}]");
    };
    for (const char* arguments : {"", "1", "{", "{} {}"}) {
        CHECK(call_error(R"({"name": "f", "arguments": ")" + std::string(arguments) + "\"}") ==
              "messages[0].tool_calls[0].function.arguments: is not the text of a JSON object");
    }
    CHECK(call_error(R"({"name": "f", "arguments": {}})") ==
          "messages[0].tool_calls[0].function.arguments: is not a string");
    CHECK(call_error(R"({"name": "\"}, {", "arguments": "{}"})")
              .starts_with("messages[0].tool_calls[0].function.name: "));
    CHECK(openai::parse_chat(R"({"messages": [{"role": "user", "content": "a", "tool_calls": []}]})")
              .status()
              .message() == "messages[0].tool_calls: 'tool_calls' is not a field that is supported here; leave it out");
}

TEST_CASE("openai: an answer as one object") {
    const sse::Head head{.id = "id", .model = "m", .created = 17, .seed = 4};
    const Json chat = answer_of(head, {choice_of(head, "<think>\nHm.\n</think>\n\nYes", FinishReason::max_tokens)});
    CHECK(chat.at("object") == "chat.completion");
    CHECK(chat.at("seed") == 4);
    CHECK(chat.at("choices").at(0).at("message") ==
          Json{{"role", "assistant"}, {"content", "Yes"}, {"reasoning_content", "Hm."}});
    CHECK(chat.at("choices").at(0).at("finish_reason") == "length");
    CHECK(chat.at("choices").at(0).at("logprobs").is_null());
    CHECK(chat.at("usage").at("total_tokens") == 8);
    const sse::Head plain_head{.id = "id", .model = "m", .is_chat = false};
    const Json plain = answer_of(plain_head, {choice_of(plain_head, "<think>\"", FinishReason::stop_token)});
    CHECK(plain.at("object") == "text_completion");
    CHECK(plain.at("choices").at(0).at("text") == "<think>\"");
}

TEST_CASE("openai: an answer's calls, choices and log-probabilities") {
    const sse::Head head{.id = "id", .model = "m", .has_tools = true, .choices = 2};
    const std::string call = "<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": 1}}\n</tool_call>";
    const std::vector<TokenLogprob> logprobs = {{3, -0.5F, "x"}};
    const Json answer = answer_of(head, {choice_of(head, call + call, FinishReason::stop_token),
                                         choice_of(head, "Hm." + call, FinishReason::max_tokens, 1, logprobs)});
    const Json& first = answer.at("choices").at(0);
    CHECK(first.at("message").at("content").is_null());
    CHECK(first.at("finish_reason") == "tool_calls");
    REQUIRE(first.at("message").at("tool_calls").size() == 2);
    CHECK(first.at("message").at("tool_calls").at(1) == Json::parse(R"({"id": "call-id-0-1", "type": "function",
                          "function": {"name": "look", "arguments": "{\"at\": 1}"}})"));
    const Json& second = answer.at("choices").at(1);
    CHECK(second.at("index") == 1);
    CHECK(second.at("message").at("content") == "Hm.");
    CHECK(second.at("message").at("tool_calls").at(0).at("id") == "call-id-1-0");
    CHECK(second.at("finish_reason") == "length");
    CHECK(second.at("logprobs").at("content").at(0).at("token") == "x");
    CHECK(answer.at("usage").at("prompt_tokens") == 5);
    CHECK(answer.at("usage").at("completion_tokens") == 6);
}
