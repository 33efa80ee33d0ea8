// SPDX-License-Identifier: Apache-2.0
#include "sluice/server/openai.hpp"

#include <doctest/doctest.h>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sluice/server/json.hpp"

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

}  // namespace

TEST_CASE("openai: every parameter of a request arrives") {
    const CompletionRequest r = chat_of(R"(, "temperature": 0.5, "top_p": 0.25, "top_k": 7, "min_p": 0.125,
        "presence_penalty": -1, "frequency_penalty": 1.5, "repeat_penalty": 1.25, "repeat_last_n": -1,
        "logit_bias": {"12": -100, "3": 0.5}, "max_tokens": 9, "stop": ["a", "b"], "seed": -4, "ignore_eos": true,
        "stream": true, "stream_options": {"include_usage": true}, "model": "any", "user": "me", "n": 1,
        "logprobs": false, "response_format": {"type": "text"}, "chat_template_kwargs": {"enable_thinking": false})");
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
    }
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
    CHECK(openai::parse_completion(R"({"prompt": [1, "2"]})").status().message() == "prompt: is not an integer");
    CHECK(openai::parse_completion(R"({"prompt": [3000000000]})").status().message() == "prompt: is not an integer");
}

TEST_CASE("openai: errors name the field and say what is wrong") {
    CHECK(chat_error(R"(, "temperature": "hot")") == "temperature: is not a number");
    CHECK(chat_error(R"(, "temperature": -1)") ==
          "temperature: -1 is negative or not finite; give 0 (greedy) or a positive number");
    CHECK(chat_error(R"(, "max_tokens": 1.5)") == "max_tokens: is not an integer from 0");
    CHECK(chat_error(R"(, "seed": 18446744073709551615)") == "seed: is not an integer");
    CHECK(chat_error(R"(, "stream": 1)") == "stream: is not true or false");
    CHECK(chat_error(R"(, "stop": [""])") == "stop: has an empty string; give text, or leave it out");
    CHECK(chat_error(R"(, "n": 2)") == "n: only 1 is supported here; leave it out");
    CHECK(chat_error(R"(, "response_format": {"type": "json_object"})") ==
          "response_format.type: only \"text\" is supported here; leave it out");
    CHECK(chat_error(R"(, "stream_options": {"include_usage": true})") ==
          "stream_options: is for stream: true only; leave it out");
    CHECK(chat_error(R"(, "stream": true, "stream_options": {"x": 1})") ==
          "stream_options.x: 'x' is not a field that is supported here; leave it out");
    CHECK(chat_error(R"(, "tools": [])") == "tools: 'tools' is not a field that is supported here; leave it out");
}

TEST_CASE("openai: an answer as one object") {
    const GenerationResult result{
        FinishReason::max_tokens, {.prompt_tokens = 5, .completion_tokens = 3, .cached_tokens = 2}, {}};
    const Json chat = Json::parse(openai::answer_json({"id", "m", 17, true}, "<think>\nHm.\n</think>\n\nYes", result));
    CHECK(chat.at("object") == "chat.completion");
    CHECK(chat.at("choices").at(0).at("message") ==
          Json{{"role", "assistant"}, {"content", "Yes"}, {"reasoning_content", "Hm."}});
    CHECK(chat.at("choices").at(0).at("finish_reason") == "length");
    CHECK(chat.at("usage").at("total_tokens") == 8);
    const Json plain = Json::parse(openai::answer_json({"id", "m", 17, false}, "<think>\"", result));
    CHECK(plain.at("object") == "text_completion");
    CHECK(plain.at("choices").at(0).at("text") == "<think>\"");
}
