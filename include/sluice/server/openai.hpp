// SPDX-License-Identifier: Apache-2.0
//! OpenAI's API as data: what a request's JSON asks for. Its counterpart is openai_answer.hpp.
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
#include "sluice/core/to_text.hpp"
#include "sluice/core/types.hpp"
#include "sluice/pipeline/answer.hpp"
#include "sluice/sampler/standard.hpp"
#include "sluice/server/json.hpp"
#include "sluice/server/openai_tools.hpp"
#include "sluice/text/chat_template.hpp"

namespace sluice::server::openai {

//! Messages and how they become a prompt; a text; or a prompt's own tokens.
struct Conversation {
    std::vector<chat::Message> messages;
    chat::Options options;
};
using Prompt = std::variant<Conversation, std::string, std::vector<Token>>;

inline constexpr std::size_t max_choices = 8, max_top_logprobs = 20;

//! A checked request for a completion.
struct CompletionRequest {
    Prompt prompt;
    SamplingParams sampling{.temperature = 1.0F};
    GenerateOptions generate{};
    std::optional<std::int64_t> seed{};  //!< none: a fresh one
    std::size_t choices = 1;             //!< answers to the same prompt
    //! How many of the likeliest tokens come with each token and its log-probability; none: without all that.
    std::optional<std::size_t> top_logprobs{};
    bool stream = false;
    bool include_usage = false;  //!< a last chunk of a stream with the usage

    bool is_chat() const { return std::holds_alternative<Conversation>(prompt); }
    bool has_tools() const { return is_chat() && !std::get<Conversation>(prompt).options.tools.empty(); }
};

namespace detail {

inline Status read_sampling(Fields& fields, SamplingParams& sampling) {
    SLUICE_TRY(fields.read("temperature", sampling.temperature));
    SLUICE_TRY(fields.read("top_p", sampling.top_p));
    SLUICE_TRY(fields.read("top_k", sampling.top_k));
    SLUICE_TRY(fields.read("min_p", sampling.min_p));
    SLUICE_TRY(fields.read("presence_penalty", sampling.presence_penalty));
    SLUICE_TRY(fields.read("frequency_penalty", sampling.frequency_penalty));
    SLUICE_TRY(fields.read_either("repeat_penalty", "repetition_penalty", sampling.repetition_penalty));
    SLUICE_TRY(fields.read("repeat_last_n", sampling.repeat_last_n));
    if (const Json* biases = fields.find("logit_bias")) {
        if (!biases->is_object()) return bad_field("logit_bias", "is not an object");
        for (const auto& [id, bias] : biases->items()) {
            const auto token = json_as<Token>(Json::parse(id, nullptr, false), "logit_bias");
            if (!token.ok() || to_text(*token) != id) return bad_field("logit_bias", quote(id) + " is not a token id");
            SLUICE_ASSIGN(const float value, json_as<float>(bias, "logit_bias." + id));
            sampling.logit_bias.push_back({*token, value});
        }
    }
    const auto sampler = make_standard_sampler(sampling);
    return sampler.ok() ? Status() : sampler.status();
}

inline Status read_range(Fields& fields, const std::string& name, std::size_t least, std::size_t most,
                         std::size_t& to) {
    SLUICE_TRY(fields.read(name, to));
    if (to >= least && to <= most) return {};
    return bad_field(name, to_text(to) + " is out of range", "give " + to_text(least) + " to " + to_text(most));
}

inline constexpr std::size_t max_stop = 16;  // each is looked for in every token's text

inline Status read_stop(Fields& fields, std::vector<std::string>& stop) {
    const Json* json = fields.find("stop");
    if (json == nullptr) return {};
    for (const Json& item : json->is_array() ? *json : Json::array({*json})) {
        const std::string path = json->is_array() ? item_path("stop", stop.size()) : "stop";
        SLUICE_ASSIGN(std::string text, json_as<std::string>(item, path));
        if (text.empty()) return bad_field(path, "is an empty string", "give text, or leave it out");
        stop.push_back(std::move(text));
    }
    if (stop.size() > max_stop) {
        return bad_field("stop", "has more than " + to_text(max_stop) + " texts", "give the first that will come");
    }
    return {};
}

//! What chats and plain completions have in common.
inline Status read_common(Fields& fields, CompletionRequest& request) {
    SLUICE_TRY(read_sampling(fields, request.sampling));
    SLUICE_TRY(read_stop(fields, request.generate.stop));
    SLUICE_TRY(fields.read_either("max_tokens", "max_completion_tokens", request.generate.max_tokens));
    SLUICE_TRY(fields.read("seed", request.seed));
    SLUICE_TRY(fields.read("ignore_eos", request.generate.ignore_stop_tokens));
    SLUICE_TRY(fields.read("stream", request.stream));
    if (const Json* json = fields.find("stream_options")) {
        SLUICE_ASSIGN(Fields options, Fields::of(*json, "stream_options"));
        SLUICE_TRY(options.read("include_usage", request.include_usage));
        SLUICE_TRY(options.refuse_others());
        if (!request.stream) return bad_field("stream_options", "is for stream: true only", "leave it out");
    }
    SLUICE_TRY(read_range(fields, "n", 1, max_choices, request.choices));
    std::string ignored;  // a server has one model, and does not tell users apart
    SLUICE_TRY(fields.read("model", ignored));
    return fields.read("user", ignored);
}

//! A string, or a list of text parts.
inline Expected<std::string> content_text(const Json& content, const std::string& path) {
    if (!content.is_array()) return json_as<std::string>(content, path);
    std::string text;
    std::size_t index = 0;
    for (const Json& json : content) {
        SLUICE_ASSIGN(Fields part, Fields::of(json, item_path(path, index++)));
        std::string type, part_text;
        SLUICE_TRY(part.require("type", type));
        if (type != "text") return bad_field(part.path("type"), "only \"text\" is supported here", "give text");
        SLUICE_TRY(part.require("text", part_text));
        SLUICE_TRY(part.refuse_others());
        text += part_text;
    }
    return text;
}

inline Status read_chat_logprobs(Fields& fields, CompletionRequest& request) {
    bool wanted = false;
    SLUICE_TRY(fields.read("logprobs", wanted));
    if (!wanted && fields.find("top_logprobs") != nullptr) {
        return bad_field("top_logprobs", "is for logprobs: true only", "leave it out");
    }
    if (!wanted) return {};
    return read_range(fields, "top_logprobs", 0, max_top_logprobs, request.top_logprobs.emplace(0));
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
        SLUICE_ASSIGN(message.tool_calls, read_tool_calls(fields));
    } else if (role == "tool") {
        message.role = chat::Role::tool;
        SLUICE_TRY(fields.read("tool_call_id", ignored));  // the template goes by the order
    } else {
        return bad_field(fields.path("role"), quote(role) + " is none of system, developer, user, assistant and tool");
    }
    if (const Json* content = fields.find("content")) {
        SLUICE_ASSIGN(message.content, content_text(*content, fields.path("content")));
    } else if (message.tool_calls.empty()) {
        return bad_field(fields.path("content"), "is missing");
    }
    SLUICE_TRY(fields.read("name", ignored));
    SLUICE_TRY(fields.refuse_others());
    return message;
}

}  // namespace detail

//! The messages, the tools and the template's options of an object such as a chat request, for which `fields` is.
inline Expected<Conversation> read_conversation(Fields& fields) {
    const Json* messages = fields.find("messages");
    if (messages == nullptr) return bad_field("messages", "is missing");
    if (!messages->is_array() || messages->empty()) return bad_field("messages", "is not a list of messages");
    Conversation conversation;
    for (const Json& json : *messages) {
        const std::string path = item_path("messages", conversation.messages.size());
        SLUICE_ASSIGN(chat::Message message, detail::read_message(json, path));
        conversation.messages.push_back(std::move(message));
    }
    SLUICE_ASSIGN(conversation.options.tools, read_tools(fields));
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
        SLUICE_ASSIGN(const Token token, json_as<Token>(id, item_path(name, tokens.size())));
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
    SLUICE_TRY(detail::read_chat_logprobs(fields, request));
    if (const Json* format = fields.find("response_format")) {
        SLUICE_ASSIGN(Fields kind, Fields::of(*format, "response_format"));
        SLUICE_TRY(kind.only<std::string>("type", "text"));
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
    if (fields.find("logprobs") != nullptr) {
        SLUICE_TRY(detail::read_range(fields, "logprobs", 0, max_top_logprobs, request.top_logprobs.emplace(0)));
    }
    SLUICE_TRY(fields.refuse_others());
    return request;
}

}  // namespace sluice::server::openai
