// SPDX-License-Identifier: Apache-2.0
//! Server-sent events (WHATWG HTML) with OpenAI's chunks as their data: an answer as its API streams it.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/core/generation.hpp"
#include "sluice/core/json_text.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/to_text.hpp"
#include "sluice/sink/logprobs_json.hpp"
#include "sluice/text/answer_parts.hpp"
#include "sluice/text/chat_template.hpp"

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
    std::int64_t created = 0;    //!< Unix seconds
    bool is_chat = true;         //!< chat.completion.chunk, or else text_completion
    bool has_tools = false;      //!< <tool_call> blocks of a chat are calls
    bool include_usage = false;  //!< a last chunk has the usage
    std::size_t choices = 1;     //!< answers to the same prompt
    std::uint64_t seed = 0;      //!< of the first one; each of the others has the next
};

//! "stop", "length", or "tool_calls" where an answer that ended by itself has called functions.
inline std::string_view finish_name(FinishReason reason, bool has_called) {
    const std::string_view name = openai_name(reason);
    return has_called && name == "stop" ? "tool_calls" : name;
}

inline std::string tool_call_id(const Head& head, std::size_t choice, std::size_t call) {
    return "call-" + head.id + '-' + to_text(choice) + '-' + to_text(call);
}

//! The events of one answer as text, each complete with its empty line. `logprobs` is JSON.
class Events {
public:
    explicit Events(Head head) : head_(std::move(head)) {
        start_ = "data: {\"id\":";
        append_json_string(start_, head_.id);
        start_ += head_.is_chat ? ",\"object\":\"chat.completion.chunk\",\"created\":"
                                : ",\"object\":\"text_completion\",\"created\":";
        append_json_number(start_, head_.created);
        start_ += ",\"model\":";
        append_json_string(start_, head_.model);
        start_ += ",\"seed\":";
        append_json_number(start_, static_cast<std::int64_t>(head_.seed));  // as requests state it
    }

    const Head& head() const { return head_; }

    //! The first one of a chat.
    std::string role(std::size_t choice) const {
        return chunk(choice, "\"delta\":{\"role\":\"assistant\",\"content\":\"\"}", "null", "null");
    }

    std::string text(std::size_t choice, std::string_view text, std::string_view logprobs) const {
        return delta(choice, head_.is_chat ? "content" : "text", text, logprobs);
    }
    std::string reasoning(std::size_t choice, std::string_view text, std::string_view logprobs) const {
        return delta(choice, "reasoning_content", text, logprobs);
    }

    //! `call`: its number in the choice.
    std::string tool_call(std::size_t choice, std::size_t call, const chat::ToolCall& function,
                          std::string_view logprobs) const {
        std::string content = "\"delta\":{\"tool_calls\":[{\"index\":" + to_text(call) + ",\"id\":";
        append_json_string(content, tool_call_id(head_, choice, call));
        content += ",\"type\":\"function\",\"function\":{\"name\":";
        append_json_string(content, function.name);
        content += ",\"arguments\":";
        append_json_string(content, function.arguments);
        return chunk(choice, content + "}}]}", logprobs, "null");
    }

    std::string finish(std::size_t choice, std::string_view name) const {
        return chunk(choice, head_.is_chat ? "\"delta\":{}" : "\"text\":\"\"", "null", '"' + std::string(name) + '"');
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
    std::string delta(std::size_t choice, std::string_view name, std::string_view text,
                      std::string_view logprobs) const {
        std::string field = '"' + std::string(name) + "\":";
        append_json_string(field, text);
        return chunk(choice, head_.is_chat ? "\"delta\":{" + field + "}" : field, logprobs, "null");
    }

    std::string chunk(std::size_t choice, std::string_view content, std::string_view logprobs,
                      std::string_view finish_reason) const {
        std::string event = start_ + ",\"choices\":[{\"index\":" + to_text(choice) + ',';
        event.append(content).append(",\"logprobs\":").append(logprobs);
        event.append(",\"finish_reason\":").append(finish_reason);
        return event += "}]}\n\n";
    }

    Head head_;
    std::string start_;  // of every chunk, up to its choices
};

}  // namespace sluice::sse

namespace sluice {

//! Where the events of an answer go: `write(text)` hands one to the client; false says that the client is gone. After
//! the finish reasons of all choices come the usage, if asked for, and [DONE]; after an error, an error event alone.
template <std::predicate<std::string_view> Write>
class SseStream {
public:
    SseStream(sse::Head head, Write write)
        : events_(std::move(head)), write_(std::move(write)), choices_left_(events_.head().choices) {}

    const sse::Events& events() const { return events_; }

    //! Ends the generation once the client is gone.
    Flow write(std::string_view event) {
        open_ = open_ && write_(event);
        return flow();
    }
    Flow flow() const { return open_ ? Flow::go_on : Flow::stop; }

    //! A choice has ended.
    void finish(const Usage& usage) {
        usage_.add_choice(usage);
        if (--choices_left_ > 0) return;
        if (events_.head().include_usage) write(events_.usage(usage_));
        write(sse::done);
    }

    void fail(const Status& error) {
        write(sse::Events::error(error));
        open_ = false;
    }

private:
    sse::Events events_;
    Write write_;
    std::size_t choices_left_;
    Usage usage_;
    bool open_ = true;  // the client is there, and nothing has failed
};

//! A StreamSink that writes one choice of an answer to a stream: an event per token, but for stop tokens without text.
//! In a chat the role comes first, a leading <think> block is `reasoning_content`, and calls of functions are
//! `tool_calls`, each whole in one event.
template <class Stream>
class SseSink {
public:
    //! `stream`: an SseStream, which must outlive the sink.
    explicit SseSink(Stream& stream, std::size_t choice = 0)
        : stream_(&stream), choice_(choice), split_(head().is_chat, head().has_tools), logprobs_(head().is_chat) {}

    Flow on_token(const TokenEvent& event) {
        begin();
        if (event.is_stop && event.text.empty()) return stream_->flow();
        AnswerParts parts;
        split_.push(event.text, parts);
        logprobs_.add(event);
        send(parts);
        return stream_->flow();
    }

    void on_finish(const GenerationResult& result) {
        begin();
        AnswerParts parts;
        split_.finish(parts);
        if (!parts.empty()) send(parts);
        stream_->write(events().finish(choice_, sse::finish_name(result.finish_reason, calls_ > 0)));
        stream_->finish(result.usage);
    }

    void on_error(const Status& error) { stream_->fail(error); }

private:
    const sse::Events& events() const { return stream_->events(); }
    const sse::Head& head() const { return events().head(); }

    void begin() {
        if (head().is_chat && !begun_) stream_->write(events().role(choice_));
        begun_ = true;
    }

    //! An event even if there are no parts: its token is part of a character, of a tag or of a call.
    void send(const AnswerParts& parts) {
        std::string logprobs = logprobs_.take();  // for the first event
        const auto once = [&] { return std::exchange(logprobs, "null"); };
        if (!parts.reasoning.empty()) stream_->write(events().reasoning(choice_, parts.reasoning, once()));
        if (!parts.content.empty() || parts.empty()) stream_->write(events().text(choice_, parts.content, once()));
        for (const chat::ToolCall& call : parts.tool_calls) {
            stream_->write(events().tool_call(choice_, calls_++, call, once()));
        }
    }

    Stream* stream_;
    std::size_t choice_;
    AnswerSplit split_;
    LogprobsJson logprobs_;
    std::size_t calls_ = 0;
    bool begun_ = false;  // the role is written
};

}  // namespace sluice
