// SPDX-License-Identifier: Apache-2.0
//! Server-sent events (WHATWG HTML) with OpenAI's chunks as their data: an answer as its API streams it.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/core/generation.hpp"
#include "sluice/core/json_text.hpp"
#include "sluice/core/status.hpp"
#include "sluice/text/reasoning.hpp"

namespace sluice::sse {

inline constexpr std::string_view done = "data: [DONE]\n\n";
inline constexpr std::string_view keep_alive = ": still working\n\n";  //!< a comment, which clients skip

//! {"error":{"message":...,"type":...,"code":...,"param":...}}; `param` is the field of the request, or empty.
inline std::string error_json(std::string_view message, std::string_view type, int code, std::string_view param = {}) {
    std::string json = "{\"error\":{\"message\":";
    append_json_string(json, message);
    json += ",\"type\":";
    append_json_string(json, type);
    json += ",\"code\":";
    append_json_number(json, code);
    json += ",\"param\":";
    param.empty() ? void(json += "null") : append_json_string(json, param);
    return json += "}}";
}

//! Appends {"prompt_tokens":...,"completion_tokens":...,"total_tokens":...,"prompt_tokens_details":{...}}.
inline void append_usage(std::string& json, const Usage& usage) {
    const auto number = [&](std::string_view before, std::size_t value) {
        json += before;
        append_json_number(json, value);
    };
    number("{\"prompt_tokens\":", usage.prompt_tokens);
    number(",\"completion_tokens\":", usage.completion_tokens);
    number(",\"total_tokens\":", usage.total_tokens());
    number(",\"prompt_tokens_details\":{\"cached_tokens\":", usage.cached_tokens);
    json += "}}";
}

//! What all chunks of an answer have in common.
struct Head {
    std::string id;
    std::string model;
    std::int64_t created = 0;  //!< Unix seconds
    bool is_chat = true;       //!< chat.completion.chunk, or else text_completion
};

//! The events of one answer as text, each complete with its empty line.
class Events {
public:
    explicit Events(const Head& head) : is_chat_(head.is_chat) {
        start_ = "data: {\"id\":";
        append_json_string(start_, head.id);
        start_ += head.is_chat ? ",\"object\":\"chat.completion.chunk\",\"created\":"
                               : ",\"object\":\"text_completion\",\"created\":";
        append_json_number(start_, head.created);
        start_ += ",\"model\":";
        append_json_string(start_, head.model);
    }

    //! The first one of a chat.
    std::string role() const { return choice("\"delta\":{\"role\":\"assistant\",\"content\":\"\"}", "null"); }

    std::string text(std::string_view text) const { return delta(is_chat_ ? "content" : "text", text); }
    std::string reasoning(std::string_view text) const { return delta("reasoning_content", text); }

    std::string finish(FinishReason reason) const {
        const std::string quoted = '"' + std::string(openai_name(reason)) + '"';
        return choice(is_chat_ ? "\"delta\":{}" : "\"text\":\"\"", quoted);
    }

    std::string usage(const Usage& usage) const {
        std::string event = start_ + ",\"choices\":[],\"usage\":";
        append_usage(event, usage);
        return event += "}\n\n";
    }

    static std::string error(const Status& error) {
        return "data: " + error_json(error.message(), "server_error", 500) + "\n\n";
    }

private:
    std::string delta(std::string_view name, std::string_view text) const {
        std::string field = '"' + std::string(name) + "\":";
        append_json_string(field, text);
        return choice(is_chat_ ? "\"delta\":{" + field + "}" : field, "null");
    }

    std::string choice(std::string_view content, std::string_view finish_reason) const {
        std::string event = start_ + ",\"choices\":[{\"index\":0,";
        event += content;
        event += ",\"logprobs\":null,\"finish_reason\":";
        event += finish_reason;
        return event += "}]}\n\n";
    }

    bool is_chat_;
    std::string start_;  // of every chunk, up to its choices
};

}  // namespace sluice::sse

namespace sluice {

//! A StreamSink that writes an answer as server-sent events: one a token, but for a stop token without text. In a chat
//! the role comes first, and a leading <think> block is `reasoning_content`. At the end come the finish reason, the
//! usage if asked for, and [DONE]; after an error, an error event alone. `write(text)` hands an event to the client;
//! false says that the client is gone, and ends the generation.
template <std::predicate<std::string_view> Write>
class SseSink {
public:
    SseSink(const sse::Head& head, bool include_usage, Write write)
        : events_(head), is_chat_(head.is_chat), include_usage_(include_usage), write_(std::move(write)) {}

    Flow on_token(const TokenEvent& event) {
        begin();
        if (event.is_stop && event.text.empty()) return flow();
        std::string reasoning, content;
        if (is_chat_) {
            split_.push(event.text, reasoning, content);
        } else {
            content = event.text;
        }
        send(reasoning, content);
        return flow();
    }

    void on_finish(const GenerationResult& result) {
        begin();
        std::string reasoning, content;
        split_.finish(reasoning, content);
        if (!reasoning.empty() || !content.empty()) send(reasoning, content);
        write(events_.finish(result.finish_reason));
        if (include_usage_) write(events_.usage(result.usage));
        write(sse::done);
    }

    void on_error(const Status& error) { write(sse::Events::error(error)); }

private:
    void begin() {
        if (is_chat_ && !begun_) write(events_.role());
        begun_ = true;
    }

    //! An event even if both are empty: its token is part of a character, or of a tag.
    void send(std::string_view reasoning, std::string_view content) {
        if (!reasoning.empty()) write(events_.reasoning(reasoning));
        if (!content.empty() || reasoning.empty()) write(events_.text(content));
    }

    void write(std::string_view event) { open_ = open_ && write_(event); }
    Flow flow() const { return open_ ? Flow::go_on : Flow::stop; }

    sse::Events events_;
    bool is_chat_, include_usage_;
    Write write_;
    ReasoningSplit split_;
    bool begun_ = false;  // the role is written
    bool open_ = true;    // the client is there
};

}  // namespace sluice
