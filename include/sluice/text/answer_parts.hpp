// SPDX-License-Identifier: Apache-2.0
//! An answer's text, taken apart as chat APIs hand it over: reasoning, content, and calls of functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sluice/text/chat_template.hpp"
#include "sluice/text/reasoning.hpp"
#include "sluice/text/tool_calls.hpp"

namespace sluice {

//! What an answer holds, or a piece of a streamed one adds.
struct AnswerParts {
    std::string reasoning{}, content{};
    std::vector<chat::ToolCall> tool_calls{};

    bool empty() const { return reasoning.empty() && content.empty() && tool_calls.empty(); }
};

//! Splits a streamed answer, however it is cut.
class AnswerSplit {
public:
    //! `has_reasoning`: a <think> block that the answer begins with is reasoning. `has_tools`: <tool_call> blocks
    //! after that are calls. Everything else is content.
    AnswerSplit(bool has_reasoning, bool has_tools) : has_reasoning_(has_reasoning), has_tools_(has_tools) {}

    //! Appends to `parts` what is decided by now.
    void push(std::string_view text, AnswerParts& parts) {
        std::string content;
        has_reasoning_ ? reasoning_.push(text, parts.reasoning, content) : void(content = text);
        push_content(content, parts);
    }

    //! Ends the answer: appends what was held back. Ready for another one then.
    void finish(AnswerParts& parts) {
        std::string content;
        reasoning_.finish(parts.reasoning, content);
        push_content(content, parts);
        calls_.finish(parts.content);
    }

private:
    void push_content(std::string_view content, AnswerParts& parts) {
        has_tools_ ? calls_.push(content, parts.content, parts.tool_calls) : void(parts.content += content);
    }

    bool has_reasoning_, has_tools_;
    ReasoningSplit reasoning_;
    chat::ToolCallSplit calls_;
};

}  // namespace sluice
