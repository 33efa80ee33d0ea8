// SPDX-License-Identifier: Apache-2.0
//! OpenAI's API as data: the answer to stream: false. What is streamed is in sink/sse.hpp.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "sluice/core/generation.hpp"
#include "sluice/server/json.hpp"
#include "sluice/sink/logprobs_json.hpp"
#include "sluice/sink/sse.hpp"
#include "sluice/text/answer_parts.hpp"

namespace sluice::server::openai {

//! A StreamSink that collects one choice of an answer.
class Choice {
public:
    Choice(const sse::Head& head, std::size_t index)
        : head_(head), index_(index), split_(head.is_chat, head.has_tools), logprobs_(head.is_chat) {}

    Flow on_token(const TokenEvent& event) {
        split_.push(event.text, parts_);
        logprobs_.add(event);
        return Flow::go_on;
    }
    void on_finish(const GenerationResult& result) {
        split_.finish(parts_);
        result_ = result;
    }

    const Usage& usage() const { return result_.usage; }

    //! After the end: an item of `choices`. The log-probabilities, which may be many, are written as they are.
    std::string text() {
        Json json = {{"index", index_}};
        if (head_.is_chat) {
            json["message"] = message();
        } else {
            json["text"] = parts_.content;
        }
        json["finish_reason"] = sse::finish_name(result_.finish_reason, !parts_.tool_calls.empty());
        std::string text = json_text(json);
        text.back() = ',';
        return text += "\"logprobs\":" + logprobs_.take() + '}';
    }

private:
    Json message() const {
        Json message = {{"role", "assistant"}, {"content", parts_.content}};
        if (!parts_.reasoning.empty()) message["reasoning_content"] = parts_.reasoning;
        for (const chat::ToolCall& call : parts_.tool_calls) {
            Json& calls = message["tool_calls"];
            calls.push_back({{"id", sse::tool_call_id(head_, index_, calls.size())},
                             {"type", "function"},
                             {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
        }
        if (parts_.content.empty() && message.contains("tool_calls")) message["content"] = nullptr;
        return message;
    }

    sse::Head head_;
    std::size_t index_;
    AnswerSplit split_;
    LogprobsJson logprobs_;
    AnswerParts parts_;
    GenerationResult result_;
};

//! The answer as one object, once all its choices, at least one, have ended.
inline std::string answer_json(const sse::Head& head, std::span<Choice> choices) {
    std::string text = json_text({{"id", head.id},
                                  {"object", head.is_chat ? "chat.completion" : "text_completion"},
                                  {"created", head.created},
                                  {"model", head.model},
                                  {"seed", static_cast<std::int64_t>(head.seed)}});
    text.back() = ',';
    text += "\"choices\":[";
    Usage usage;
    for (Choice& choice : choices) {
        text += choice.text() + ',';
        usage.add_choice(choice.usage());
    }
    text.back() = ']';
    text += ",\"usage\":";
    sse::append_usage(text, usage);
    return text += '}';
}

}  // namespace sluice::server::openai
