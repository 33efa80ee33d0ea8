// SPDX-License-Identifier: Apache-2.0
//! Tells the calls of functions from the text around them: <tool_call> blocks, as Hermes and Qwen write them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/core/json_scan.hpp"
#include "sluice/text/chat_template.hpp"

namespace sluice::chat {

//! Whether a function may have this name: 1 to 64 letters, digits, '_', '-' and '.', which need no escape in JSON.
inline bool is_function_name(std::string_view name) {
    constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    return !name.empty() && name.size() <= 64 && name.find_first_not_of(allowed) == name.npos;
}

//! Whether a text is a JSON object and nothing else.
inline bool is_json_object(std::string_view text) {
    JsonScan scan(text);
    const auto value = scan.value();
    return value && value->starts_with('{') && scan.end();
}

//! {"name": function, "arguments": object} in either order, and no other member; nothing if `json` is something else.
inline std::optional<ToolCall> read_tool_call(std::string_view json) {
    JsonScan scan(json);
    std::optional<std::string_view> name, arguments;
    const bool is_object = scan.object([&](std::string_view member) {
        if (member == "name" && !name) return (name = scan.string()).has_value();
        if (member == "arguments" && !arguments) return (arguments = scan.value()).has_value();
        return false;
    });
    if (!is_object || !scan.end() || !name || !arguments) return std::nullopt;
    if (!is_function_name(*name) || !arguments->starts_with('{')) return std::nullopt;
    return ToolCall{std::string(*name), std::string(*arguments)};
}

//! Splits a streamed answer, however it is cut. The line breaks next to a block belong to it. A block that is no call,
//! or never closed, is content, unchanged.
class ToolCallSplit {
public:
    //! Appends to `content` and `calls` what is decided by now.
    void push(std::string_view text, std::string& content, std::vector<ToolCall>& calls) {
        for (const char c : text) push(c, content, calls);
    }

    //! Ends the answer: appends what was held back. Ready for another one then.
    void finish(std::string& content) {
        give_back(content);
        *this = ToolCallSplit();
    }

private:
    static constexpr std::string_view open = detail::tool_call, close = detail::end_tool_call;

    void push(char c, std::string& content, std::vector<ToolCall>& calls) {
        held_ += c;
        const std::string_view block = detail::strip_front(held_);
        if (in_block_) {
            if (!block.ends_with(close)) return;
            const std::string_view body = block.substr(open.size(), block.size() - open.size() - close.size());
            if (auto call = read_tool_call(body)) {
                calls.push_back(std::move(*call));
                held_.clear();
                after_call_ = true;
            }
            give_back(content);
        } else if (block == open) {
            in_block_ = true;
        } else if (!open.starts_with(block)) {  // and so for certain no block, but its last byte may begin one
            held_.pop_back();
            give_back(content);
            held_ = c;
            if (c != '\n' && c != open.front()) give_back(content);
        }
    }

    void give_back(std::string& content) {
        content += after_call_ ? detail::strip_front(held_) : std::string_view(held_);
        after_call_ = after_call_ && held_.find_first_not_of('\n') == held_.npos;
        held_.clear();
        in_block_ = false;
    }

    bool in_block_ = false;    // held_ has the whole opening tag
    bool after_call_ = false;  // nothing but line breaks since the last call
    std::string held_;         // line breaks, then what may be a block
};

}  // namespace sluice::chat
