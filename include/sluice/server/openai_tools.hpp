// SPDX-License-Identifier: Apache-2.0
//! The functions that a chat request offers to the model, and the calls of them in its messages.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sluice/core/status.hpp"
#include "sluice/server/json.hpp"
#include "sluice/text/chat_template.hpp"
#include "sluice/text/tool_calls.hpp"

namespace sluice::server::openai {

namespace detail {

//! {"type": "function", "function": {...}}: the inner object, of which `json` is the outer one.
inline Expected<Fields> read_function(Fields& outer) {
    SLUICE_TRY(outer.only<std::string>("type", "function"));
    const Json* function = outer.find("function");
    if (function == nullptr) return bad_field(outer.path("function"), "is missing");
    return Fields::of(*function, outer.path("function"));
}

inline Status read_function_name(Fields& function, std::string& name) {
    SLUICE_TRY(function.require("name", name));
    if (chat::is_function_name(name)) return {};
    return bad_field(function.path("name"), quote(name) + " is no function's name",
                     "give 1 to 64 letters, digits, '_', '-' and '.'");
}

//! One of `tools`, as the template shows it to the model.
inline Expected<std::string> read_tool(const Json& json, const std::string& path) {
    SLUICE_ASSIGN(Fields tool, Fields::of(json, path));
    SLUICE_ASSIGN(Fields function, read_function(tool));
    std::string name, description;
    bool strict = false;
    SLUICE_TRY(read_function_name(function, name));
    SLUICE_TRY(function.read("description", description));
    SLUICE_TRY(function.read("strict", strict));
    if (strict) return bad_field(function.path("strict"), "arguments are not held to the schema here", "leave it out");
    if (const Json* parameters = function.find("parameters")) {
        SLUICE_TRY(Fields::of(*parameters, function.path("parameters")));
    }
    SLUICE_TRY(function.refuse_others());
    SLUICE_TRY(tool.refuse_others());
    return spaced_json_text(json);
}

//! The items of a list that may be absent, each read by `read(item, path)`.
template <class T>
Expected<std::vector<T>> read_list(Fields& fields, const std::string& name,
                                   Expected<T> (*read)(const Json&, const std::string&)) {
    std::vector<T> items;
    const Json* list = fields.find(name);
    if (list == nullptr) return items;
    if (!list->is_array()) return bad_field(fields.path(name), "is not a list");
    for (const Json& json : *list) {
        SLUICE_ASSIGN(T item, read(json, item_path(fields.path(name), items.size())));
        items.push_back(std::move(item));
    }
    return items;
}

inline Expected<chat::ToolCall> read_tool_call(const Json& json, const std::string& path) {
    SLUICE_ASSIGN(Fields call, Fields::of(json, path));
    SLUICE_ASSIGN(Fields function, read_function(call));
    std::string ignored;  // the template goes by the order
    SLUICE_TRY(call.read("id", ignored));
    chat::ToolCall result;
    SLUICE_TRY(read_function_name(function, result.name));
    SLUICE_TRY(function.require("arguments", result.arguments));
    if (!chat::is_json_object(result.arguments)) {
        return bad_field(function.path("arguments"), "is not the text of a JSON object");
    }
    SLUICE_TRY(function.refuse_others());
    SLUICE_TRY(call.refuse_others());
    return result;
}

//! The calls that an assistant's message has made.
inline Expected<std::vector<chat::ToolCall>> read_tool_calls(Fields& message) {
    return read_list<chat::ToolCall>(message, "tool_calls", read_tool_call);
}

}  // namespace detail

//! The tools that the model may use, for the template: none of them where tool_choice is "none".
inline Expected<std::vector<std::string>> read_tools(Fields& fields) {
    SLUICE_ASSIGN(std::vector<std::string> tools, detail::read_list<std::string>(fields, "tools", detail::read_tool));
    SLUICE_TRY(fields.only("parallel_tool_calls", true));
    const Json* choice = fields.find("tool_choice");
    if (choice == nullptr || *choice == "auto") return tools;
    if (*choice == "none") return std::vector<std::string>();
    return bad_field("tool_choice", "only \"auto\" and \"none\" are supported here", "leave it out");
}

}  // namespace sluice::server::openai
