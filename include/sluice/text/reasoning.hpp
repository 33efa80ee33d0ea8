// SPDX-License-Identifier: Apache-2.0
//! Tells what a model thinks from what it answers: the text of a <think> block that an answer begins with.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace sluice {

//! Splits a streamed answer, however it is cut. Only a block at the very beginning counts; its tags and the line breaks
//! on their inner and outer sides belong to neither text. A block that is never closed is reasoning to its end.
class ReasoningSplit {
public:
    //! Appends to `reasoning` and `content` what is decided by now.
    void push(std::string_view text, std::string& reasoning, std::string& content) {
        for (const char c : text) push(c, reasoning, content);
    }

    //! Ends the answer: appends what was held back. Ready for another one then.
    void finish(std::string& reasoning, std::string& content) {
        if (at_ == At::start) content += held_;
        if (at_ == At::reasoning) reasoning += std::string_view(held_).substr(0, held_.find_last_not_of('\n') + 1);
        *this = ReasoningSplit();
    }

private:
    static constexpr std::string_view open = "<think>", close = "</think>";

    void push(char c, std::string& reasoning, std::string& content) {
        if (at_ == At::content) {
            if (c == '\n' && skip_line_breaks_) return;
            skip_line_breaks_ = false;
            content += c;
            return;
        }
        held_ += c;
        if (at_ == At::start) {
            if (held_ == open) {
                enter(At::reasoning);
            } else if (!open.starts_with(held_)) {
                content += held_;
                enter(At::content);
                skip_line_breaks_ = false;
            }
            return;
        }
        if (skip_line_breaks_ && held_ == "\n") return held_.clear();
        skip_line_breaks_ = false;
        if (held_.ends_with(close)) return enter(At::content);
        const std::size_t kept = undecided();
        reasoning += std::string_view(held_).substr(0, held_.size() - kept);
        held_.erase(0, held_.size() - kept);
    }

    //! Bytes at the end of the reasoning that may turn out to be line breaks before the tag, or the tag.
    std::size_t undecided() const {
        for (std::size_t tag = std::min(held_.size(), close.size() - 1);; --tag) {
            const std::string_view text = std::string_view(held_).substr(0, held_.size() - tag);
            if (!close.starts_with(std::string_view(held_).substr(text.size()))) continue;
            return held_.size() - (text.find_last_not_of('\n') + 1);
        }
    }

    enum class At { start, reasoning, content };
    void enter(At at) {
        at_ = at;
        held_.clear();
        skip_line_breaks_ = true;
    }

    At at_ = At::start;
    bool skip_line_breaks_ = false;
    std::string held_;  // not decided yet
};

}  // namespace sluice
