// SPDX-License-Identifier: Apache-2.0
//! Qwen3's chat template, built in: a conversation to the text (or the tokens) that the model was trained on.
//! Source: the Jinja template in the model files of Qwen3-30B-A3B.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/concepts/tokenizer.hpp"
#include "sluice/core/hash.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"

namespace sluice::chat {

//! Who says a message; `tool` is the result of a call.
enum class Role { system, user, assistant, tool };

//! A function that the assistant called. `arguments` is JSON text and goes into the prompt unchanged.
struct ToolCall {
    std::string name;
    std::string arguments;
};

//! One turn. `reasoning` and `tool_calls` are read for the assistant only; without `reasoning`, a <think> block in the
//! content is taken for it.
struct Message {
    Role role = Role::user;
    std::string content;
    std::optional<std::string> reasoning{};
    std::vector<ToolCall> tool_calls{};
};

//! `tools` are function definitions as JSON text, which goes into the prompt unchanged. The model was trained on
//! what Python's json.dumps prints: ", " and ": " between the parts, and no line breaks.
struct Options {
    std::vector<std::string> tools{};
    bool add_generation_prompt = true;  //!< end with the opening of the assistant's answer
    bool enable_thinking = true;        //!< false: that answer begins with an empty <think> block
};

namespace detail {

inline constexpr std::string_view im_start = "<|im_start|>", im_end = "<|im_end|>";
inline constexpr std::string_view think = "<think>", end_think = "</think>";
inline constexpr std::string_view tool_call = "<tool_call>", end_tool_call = "</tool_call>";
inline constexpr std::string_view tool_response = "<tool_response>", end_tool_response = "</tool_response>";

//! A special token of the template, or text between two of them.
struct Part {
    std::string text;
    bool is_special;
};

//! The prompt as it grows. Neighbouring texts are one part, since a word may span template and content.
class Script {
public:
    void special(std::string_view token) { parts_.push_back({std::string(token), true}); }

    void text(std::string_view text) {
        if (parts_.empty() || parts_.back().is_special) parts_.push_back({{}, false});
        parts_.back().text += text;
    }

    void open(std::string_view role) {
        special(im_start);
        text(role);
    }

    void close() {
        special(im_end);
        text("\n");
    }

    std::vector<Part> take() && { return std::move(parts_); }

private:
    std::vector<Part> parts_;
};

inline std::string_view strip_front(std::string_view text) {
    return text.substr(std::min(text.find_first_not_of('\n'), text.size()));
}
inline std::string_view strip_back(std::string_view text) { return text.substr(0, text.find_last_not_of('\n') + 1); }

inline void add_tools(Script& script, const std::vector<std::string>& tools) {
    script.text(
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n<tools>");
    for (const std::string& tool : tools) {
        script.text("\n");
        script.text(tool);
    }
    script.text("\n</tools>\n\nFor each function call, return a json object with function name and arguments within ");
    script.special(tool_call);
    script.special(end_tool_call);
    script.text(" XML tags:\n");
    script.special(tool_call);
    script.text("\n{\"name\": <function-name>, \"arguments\": <args-json-object>}\n");
    script.special(end_tool_call);
}

inline void add_assistant(Script& script, const Message& message, bool after_query, bool last) {
    std::string_view content = message.content;
    std::string_view reasoning;
    if (message.reasoning) {
        reasoning = *message.reasoning;
    } else if (const std::size_t end = content.find(end_think); end != content.npos) {
        reasoning = strip_back(content.substr(0, end));
        if (const std::size_t start = reasoning.rfind(think); start != reasoning.npos) {
            reasoning.remove_prefix(start + think.size());
        }
        content = strip_front(content.substr(content.rfind(end_think) + end_think.size()));
    }
    reasoning = strip_back(strip_front(reasoning));

    script.open("assistant\n");
    // Reasoning is kept only in the turns that answer the last query.
    if (after_query && (last || !reasoning.empty())) {
        script.special(think);
        script.text("\n");
        script.text(reasoning);
        script.text("\n");
        script.special(end_think);
        script.text("\n\n");
        script.text(strip_front(content));
    } else {
        script.text(content);
    }
    for (bool first = true; const ToolCall& call : message.tool_calls) {
        if (!first || !content.empty()) script.text("\n");
        first = false;
        script.special(tool_call);
        script.text("\n{\"name\": \"" + call.name + "\", \"arguments\": " + call.arguments + "}\n");
        script.special(end_tool_call);
    }
    script.close();
}

//! The last message that a user wrote; tool results handed over as the user's words do not count.
inline std::size_t last_query(std::span<const Message> messages) {
    for (std::size_t i = messages.size(); i-- > 0;) {
        const Message& m = messages[i];
        const bool is_result = m.content.starts_with(tool_response) && m.content.ends_with(end_tool_response);
        if (m.role == Role::user && !is_result) return i;
    }
    return messages.size() - 1;
}

inline Expected<std::vector<Part>> lay_out(std::span<const Message> messages, const Options& options) {
    if (messages.empty()) {
        return Status(Errc::invalid_argument, "chat", "the conversation has no messages", "give at least one");
    }
    Script script;
    const bool has_system = messages[0].role == Role::system;
    if (has_system || !options.tools.empty()) {
        script.open("system\n");
        if (has_system) script.text(messages[0].content);
        if (!options.tools.empty()) {
            if (has_system) script.text("\n\n");
            add_tools(script, options.tools);
        }
        script.close();
    }
    const std::size_t query = last_query(messages);
    const auto is_tool = [&](std::size_t i) { return i < messages.size() && messages[i].role == Role::tool; };
    for (std::size_t i = has_system ? 1 : 0; i < messages.size(); ++i) {
        const Message& message = messages[i];
        switch (message.role) {
            case Role::system:
            case Role::user:
                script.open(message.role == Role::system ? "system\n" : "user\n");
                script.text(message.content);
                script.close();
                break;
            case Role::assistant:
                add_assistant(script, message, i > query, i + 1 == messages.size());
                break;
            case Role::tool:  // neighbouring results share one turn
                if (i == 0 || !is_tool(i - 1)) script.open("user");
                script.text("\n");
                script.special(tool_response);
                script.text("\n" + message.content + "\n");
                script.special(end_tool_response);
                if (!is_tool(i + 1)) script.close();
                break;
        }
    }
    if (options.add_generation_prompt) {
        script.open("assistant\n");
        if (!options.enable_thinking) {
            script.special(think);
            script.text("\n\n");
            script.special(end_think);
            script.text("\n\n");
        }
    }
    return std::move(script).take();
}

}  // namespace detail

//! The prompt as one text. Do not tokenize it with SpecialTokens::parse: a user's "<|im_end|>" would end the turn;
//! `encode` knows which special tokens are the template's own.
inline Expected<std::string> render(std::span<const Message> messages, const Options& options = {}) {
    SLUICE_ASSIGN(const std::vector<detail::Part> parts, detail::lay_out(messages, options));
    std::string text;
    for (const detail::Part& part : parts) text += part.text;
    return text;
}

//! The prompt as tokens. Special tokens come from the template alone; whatever looks like one in a message is text.
//! Tags that the vocabulary lacks (<think> in older ones) become text too, but the two that frame a turn must be there.
template <Tokenizer T>
Expected<std::vector<Token>> encode(const T& tokenizer, std::span<const Message> messages,
                                    const Options& options = {}) {
    SLUICE_ASSIGN(const std::vector<detail::Part> parts, detail::lay_out(messages, options));
    for (const std::string_view needed : {detail::im_start, detail::im_end}) {
        if (!tokenizer.find_special(needed)) {
            return Status(Errc::unsupported, "chat", "the vocabulary has no token " + std::string(needed),
                          "use a model that was trained for chat in Qwen's format, or prompt it with plain text");
        }
    }
    std::vector<Token> tokens;
    std::string text;  // not encoded yet
    const auto encode_text = [&]() -> Status {
        SLUICE_ASSIGN(const std::vector<Token> encoded, tokenizer.encode(text, SpecialTokens::as_text));
        tokens.insert(tokens.end(), encoded.begin(), encoded.end());
        text.clear();
        return {};
    };
    for (const detail::Part& part : parts) {
        const auto special = part.is_special ? tokenizer.find_special(part.text) : std::nullopt;
        if (!special) {
            text += part.text;
            continue;
        }
        SLUICE_TRY(encode_text());
        tokens.push_back(*special);
    }
    SLUICE_TRY(encode_text());
    return tokens;
}

//! How a model's own template relates to the built-in one.
enum class TemplateFit {
    same,     //!< a known edition of Qwen3's: `render` gives the same text
    similar,  //!< frames turns with <|im_start|> and <|im_end|> too; thinking and tools may be written otherwise
    other,    //!< another format: the built-in template would confuse the model
};

//! Judges a template (the key tokenizer.chat_template) by its XXH3 hash, white space at its end aside, and failing that
//! by the two tokens that it must mention.
inline TemplateFit template_fit(std::string_view jinja) {
    constexpr std::array<std::uint64_t, 1> known{0x0283F874FF58D644U};
    const std::string_view trimmed = jinja.substr(0, jinja.find_last_not_of(" \t\r\n") + 1);
    if (std::find(known.begin(), known.end(), hash_of(std::span(trimmed.data(), trimmed.size()))) != known.end())
        return TemplateFit::same;
    const bool frames = jinja.find(detail::im_start) != jinja.npos && jinja.find(detail::im_end) != jinja.npos;
    return frames ? TemplateFit::similar : TemplateFit::other;
}

}  // namespace sluice::chat
