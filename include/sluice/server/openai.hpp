// SPDX-License-Identifier: Apache-2.0
//! OpenAI's API as data: what a request's JSON asks for, and the JSON of an answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "sluice/core/generation.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/pipeline/answer.hpp"
#include "sluice/sampler/standard.hpp"
#include "sluice/server/json.hpp"
#include "sluice/sink/sse.hpp"
#include "sluice/text/chat_template.hpp"

namespace sluice::server::openai {

//! Messages and how they become a prompt; a text; or a prompt's own tokens.
struct Conversation {
    std::vector<chat::Message> messages;
    chat::Options options;
};
using Prompt = std::variant<Conversation, std::string, std::vector<Token>>;

//! A checked request for a completion.
struct CompletionRequest {
    Prompt prompt;
    SamplingParams sampling{.temperature = 1.0F};
    GenerateOptions generate{};
    std::optional<std::int64_t> seed{};  //!< none: a fresh one
    bool stream = false;
    bool include_usage = false;  //!< a last chunk of a stream with the usage

    bool is_chat() const { return std::holds_alternative<Conversation>(prompt); }
};

namespace detail {

//! What there is one way to do.
template <class T>
Status only(Fields& fields, const std::string& name, T supported) {
    T value = supported;
    SLUICE_TRY(fields.read(name, value));
    if (value == supported) return {};
    return bad_field(fields.path(name), "only " + Json(supported).dump() + " is supported here", "leave it out");
}

inline Status read_sampling(Fields& fields, SamplingParams& sampling) {
    SLUICE_TRY(fields.read("temperature", sampling.temperature));
    SLUICE_TRY(fields.read("top_p", sampling.top_p));
    SLUICE_TRY(fields.read("top_k", sampling.top_k));
    SLUICE_TRY(fields.read("min_p", sampling.min_p));
    SLUICE_TRY(fields.read("presence_penalty", sampling.presence_penalty));
    SLUICE_TRY(fields.read("frequency_penalty", sampling.frequency_penalty));
    SLUICE_TRY(fields.read("repeat_penalty", sampling.repetition_penalty));
    SLUICE_TRY(fields.read("repetition_penalty", sampling.repetition_penalty));
    SLUICE_TRY(fields.read("repeat_last_n", sampling.repeat_last_n));
    if (const Json* biases = fields.find("logit_bias")) {
        if (!biases->is_object()) return bad_field("logit_bias", "is not an object");
        for (const auto& [id, bias] : biases->items()) {
            const auto token = json_as<Token>(Json::parse(id, nullptr, false), "logit_bias");
            if (!token.ok()) return bad_field("logit_bias", quote(id) + " is not a token id");
            SLUICE_ASSIGN(const float value, json_as<float>(bias, "logit_bias"));
            sampling.logit_bias.push_back({*token, value});
        }
    }
    const auto sampler = make_standard_sampler(sampling);
    return sampler.ok() ? Status() : sampler.status();
}

inline Status read_stop(Fields& fields, std::vector<std::string>& stop) {
    const Json* json = fields.find("stop");
    if (json == nullptr) return {};
    for (const Json& item : json->is_array() ? *json : Json::array({*json})) {
        SLUICE_ASSIGN(std::string text, json_as<std::string>(item, "stop"));
        if (text.empty()) return bad_field("stop", "has an empty string", "give text, or leave it out");
        stop.push_back(std::move(text));
    }
    return {};
}

//! What chats and plain completions have in common.
inline Status read_common(Fields& fields, CompletionRequest& request) {
    SLUICE_TRY(read_sampling(fields, request.sampling));
    SLUICE_TRY(read_stop(fields, request.generate.stop));
    SLUICE_TRY(fields.read("max_tokens", request.generate.max_tokens));
    SLUICE_TRY(fields.read("seed", request.seed));
    SLUICE_TRY(fields.read("ignore_eos", request.generate.ignore_stop_tokens));
    SLUICE_TRY(fields.read("stream", request.stream));
    if (const Json* json = fields.find("stream_options")) {
        SLUICE_ASSIGN(Fields options, Fields::of(*json, "stream_options"));
        SLUICE_TRY(options.read("include_usage", request.include_usage));
        SLUICE_TRY(options.refuse_others());
        if (!request.stream) return bad_field("stream_options", "is for stream: true only", "leave it out");
    }
    SLUICE_TRY(only<std::int64_t>(fields, "n", 1));
    std::string ignored;  // a server has one model, and does not tell users apart
    SLUICE_TRY(fields.read("model", ignored));
    return fields.read("user", ignored);
}

//! A string, or a list of text parts.
inline Expected<std::string> content_text(const Json& content, const std::string& path) {
    if (!content.is_array()) return json_as<std::string>(content, path);
    std::string text;
    for (const Json& json : content) {
        SLUICE_ASSIGN(Fields part, Fields::of(json, path));
        std::string type, part_text;
        SLUICE_TRY(part.require("type", type));
        if (type != "text") return bad_field(path, "has a part that is not text", "give text");
        SLUICE_TRY(part.require("text", part_text));
        SLUICE_TRY(part.refuse_others());
        text += part_text;
    }
    return text;
}

inline Expected<chat::Message> read_message(const Json& json, const std::string& path) {
    SLUICE_ASSIGN(Fields fields, Fields::of(json, path));
    chat::Message message;
    std::string role, ignored;
    SLUICE_TRY(fields.require("role", role));
    if (role == "system" || role == "developer") {
        message.role = chat::Role::system;
    } else if (role == "user") {
        message.role = chat::Role::user;
    } else if (role == "assistant") {
        message.role = chat::Role::assistant;
        SLUICE_TRY(fields.read("reasoning_content", message.reasoning));
    } else if (role == "tool") {
        message.role = chat::Role::tool;
        SLUICE_TRY(fields.read("tool_call_id", ignored));  // the template goes by the order
    } else {
        return bad_field(fields.path("role"), quote(role) + " is none of system, developer, user, assistant and tool");
    }
    const Json* content = fields.find("content");
    if (content == nullptr) return bad_field(fields.path("content"), "is missing");
    SLUICE_ASSIGN(message.content, content_text(*content, fields.path("content")));
    SLUICE_TRY(fields.read("name", ignored));
    SLUICE_TRY(fields.refuse_others());
    return message;
}

}  // namespace detail

//! The messages and the template's options of an object such as a chat request, for which `fields` is.
inline Expected<Conversation> read_conversation(Fields& fields) {
    const Json* messages = fields.find("messages");
    if (messages == nullptr) return bad_field("messages", "is missing");
    if (!messages->is_array() || messages->empty()) return bad_field("messages", "is not a list of messages");
    Conversation conversation;
    for (const Json& json : *messages) {
        const std::string path = "messages[" + std::to_string(conversation.messages.size()) + "]";
        SLUICE_ASSIGN(chat::Message message, detail::read_message(json, path));
        conversation.messages.push_back(std::move(message));
    }
    if (const Json* json = fields.find("chat_template_kwargs")) {
        SLUICE_ASSIGN(Fields kwargs, Fields::of(*json, "chat_template_kwargs"));
        SLUICE_TRY(kwargs.read("enable_thinking", conversation.options.enable_thinking));
        SLUICE_TRY(kwargs.refuse_others());
    }
    return conversation;
}

//! A list of token ids that must be there.
inline Expected<std::vector<Token>> read_tokens(Fields& fields, const std::string& name) {
    const Json* ids = fields.find(name);
    if (ids == nullptr) return bad_field(name, "is missing");
    if (!ids->is_array()) return bad_field(name, "is not a list of token ids");
    std::vector<Token> tokens;
    for (const Json& id : *ids) {
        SLUICE_ASSIGN(const Token token, json_as<Token>(id, name));
        tokens.push_back(token);
    }
    return tokens;
}

//! The body of POST /v1/chat/completions.
inline Expected<CompletionRequest> parse_chat(std::string_view body) {
    SLUICE_ASSIGN(const Json json, parse_object(body));
    SLUICE_ASSIGN(Fields fields, Fields::of(json));
    CompletionRequest request;
    SLUICE_ASSIGN(request.prompt, read_conversation(fields));
    SLUICE_TRY(detail::read_common(fields, request));
    SLUICE_TRY(fields.read("max_completion_tokens", request.generate.max_tokens));
    SLUICE_TRY(detail::only(fields, "logprobs", false));
    if (const Json* format = fields.find("response_format")) {
        SLUICE_ASSIGN(Fields kind, Fields::of(*format, "response_format"));
        SLUICE_TRY(detail::only<std::string>(kind, "type", "text"));
        SLUICE_TRY(kind.refuse_others());
    }
    SLUICE_TRY(fields.refuse_others());
    return request;
}

//! The body of POST /v1/completions. `prompt` is a string or a list of token ids.
inline Expected<CompletionRequest> parse_completion(std::string_view body) {
    SLUICE_ASSIGN(const Json json, parse_object(body));
    SLUICE_ASSIGN(Fields fields, Fields::of(json));
    CompletionRequest request;
    const Json* prompt = fields.find("prompt");
    if (prompt == nullptr) return bad_field("prompt", "is missing");
    if (prompt->is_array()) {
        SLUICE_ASSIGN(request.prompt, read_tokens(fields, "prompt"));
    } else {
        SLUICE_ASSIGN(request.prompt, json_as<std::string>(*prompt, "prompt"));
    }
    SLUICE_TRY(detail::read_common(fields, request));
    SLUICE_TRY(fields.refuse_others());
    return request;
}

//! The answer to stream: false, as one object; `text` is all of the answer.
inline std::string answer_json(const sse::Head& head, std::string_view text, const GenerationResult& result) {
    Json choice = {{"index", 0}};
    if (head.is_chat) {
        std::string reasoning, content;
        ReasoningSplit split;
        split.push(text, reasoning, content);
        split.finish(reasoning, content);
        choice["message"] = {{"role", "assistant"}, {"content", content}};
        if (!reasoning.empty()) choice["message"]["reasoning_content"] = reasoning;
    } else {
        choice["text"] = text;
    }
    choice["logprobs"] = nullptr;
    choice["finish_reason"] = openai_name(result.finish_reason);
    std::string usage;
    sse::append_usage(usage, result.usage);
    return json_text({{"id", head.id},
                      {"object", head.is_chat ? "chat.completion" : "text_completion"},
                      {"created", head.created},
                      {"model", head.model},
                      {"choices", Json::array({choice})},
                      {"usage", Json::parse(usage)}});
}

}  // namespace sluice::server::openai
