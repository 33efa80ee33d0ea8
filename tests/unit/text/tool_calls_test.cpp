// SPDX-License-Identifier: Apache-2.0
#include "sluice/text/tool_calls.hpp"

#include <algorithm>
#include <cstddef>
#include <doctest/doctest.h>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/text/answer_parts.hpp"

using namespace sluice;

namespace {

const std::string look =
    "<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"</tool> <tool_call>\"}}\n</tool_call>";
const std::string listen = "<tool_call>{\"arguments\":{},\"name\":\"listen\"}</tool_call>";
const std::string broken = "<tool_call>\n{\"name\": \"look\"}\n</tool_call>";

//! "content|name(arguments)|name(arguments)".
std::string shown(const std::string& content, const std::vector<chat::ToolCall>& calls) {
    std::string text = content;
    for (const chat::ToolCall& call : calls) text += '|' + call.name + '(' + call.arguments + ')';
    return text;
}

}  // namespace

TEST_CASE("tool_calls: are told from the content, wherever the text is cut") {
    const std::string called = "|look({\"at\": \"</tool> <tool_call>\"})";
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"", ""},
        {"Hello\n\n", "Hello\n\n"},
        {"a <b> <tool <tool_ca <<tool_\n", "a <b> <tool <tool_ca <<tool_\n"},
        {look, called},
        {"\n" + look + "\n", called},
        {"Let me see.\n" + look, "Let me see." + called},
        {look + "\n" + listen, called + "|listen({})"},
        {look + listen + "\n\n" + look, called + "|listen({})" + called},
        {look + "\n\nDone.\n", "Done.\n" + called},
        {look + "\n<tool", "<tool" + called},
        {"<" + look, "<" + called},
        {"<tool_call" + look, "<tool_call" + called},
        {"\n\n<\n" + look, "\n\n<" + called},
        // What is no call is given back as it stands.
        {broken, broken},
        {"Hm.\n" + broken + "\n\nSo.", "Hm.\n" + broken + "\n\nSo."},
        {broken + "\n" + look, broken + called},
        {"<tool_call>\n{\"name\": \"look\", \"argum", "<tool_call>\n{\"name\": \"look\", \"argum"},
        {"\n\n<tool_call>", "\n\n<tool_call>"},
        {"<tool_call>" + look, "<tool_call>" + look},
        {"</tool_call>", "</tool_call>"},
        {"<tool_call></tool_call>", "<tool_call></tool_call>"},
        {look.substr(0, look.size() - 1), look.substr(0, look.size() - 1)},
    };
    chat::ToolCallSplit split;  // used again for the next text
    const auto check = [&](const auto& text_and_shown, const std::vector<std::size_t>& cuts) {
        const auto& [text, expected] = text_and_shown;
        std::string content;
        std::vector<chat::ToolCall> calls;
        for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
            split.push(std::string_view(text).substr(cuts[i], cuts[i + 1] - cuts[i]), content, calls);
        }
        split.finish(content);
        CHECK(shown(content, calls) == expected);
    };
    for (const auto& one : cases) {
        const std::size_t size = one.first.size();
        for (std::size_t cut = 0; cut <= size; ++cut) check(one, {0, cut, size});
        for (std::size_t step = 1; step <= 3; ++step) {
            std::vector<std::size_t> cuts;
            for (std::size_t at = 0; at < size; at += step) cuts.push_back(at);
            cuts.push_back(size);
            check(one, cuts);
        }
    }
}

TEST_CASE("tool_calls: without a call, every byte comes back") {
    const std::vector<std::string> pieces = {"\n", "<", "<tool_call>", "</tool_call>", "<tool_", "call>", "{}", "a"};
    std::mt19937 random(1);
    chat::ToolCallSplit split;
    for (int i = 0; i < 3000; ++i) {
        std::string text, content;
        std::vector<chat::ToolCall> calls;
        for (auto count = random() % 12; count > 0; --count) {
            const std::string& piece = pieces[random() % pieces.size()];
            text += piece;
            split.push(piece, content, calls);
            REQUIRE(text.starts_with(content));
        }
        split.finish(content);
        CHECK(content == text);
        CHECK(calls.empty());
    }
}

TEST_CASE("tool_calls: what is decided is not held back") {
    chat::ToolCallSplit split;
    std::string content;
    std::vector<chat::ToolCall> calls;
    split.push("I see.\n<", content, calls);
    CHECK(content == "I see.");
    split.push("b> ", content, calls);
    CHECK(content == "I see.\n<b> ");
    split.push(look.substr(0, look.size() - 1), content, calls);
    CHECK(calls.empty());
    split.push(">", content, calls);
    CHECK(calls.size() == 1);
    CHECK(content == "I see.\n<b> ");
}

TEST_CASE("tool_calls: a call is a name and an object of arguments, and nothing else") {
    const auto reads = [](std::string_view json) { return chat::read_tool_call(json).has_value(); };
    CHECK(chat::read_tool_call(R"( {"name": "a.b-c_9", "arguments": {"x": [1.50, "é"]}} )")->arguments ==
          R"({"x": [1.50, "é"]})");
    for (const char* json :
         {"", "{}", "[]", R"({"name": "f"})", R"({"arguments": {}})", R"({"name": "f", "arguments": []})",
          R"({"name": "f", "arguments": "{}"})", R"({"name": 1, "arguments": {}})", R"({"name": "", "arguments": {}})",
          R"({"name": "a b", "arguments": {}})", R"({"name": "f", "arguments": {}, "id": 1})",
          R"({"name": "f", "name": "g", "arguments": {}})", R"({"name": "f", "arguments": {}} x)",
          R"({"name": "f", "arguments": {)", R"({"name": "f\u0041", "arguments": {}})"}) {
        CHECK_MESSAGE(!reads(json), json);
    }
    CHECK(chat::is_function_name(std::string(64, 'a')));
    CHECK_FALSE(chat::is_function_name(std::string(65, 'a')));
    CHECK(chat::is_json_object(" {} "));
    for (const char* text : {"", "[]", "{} {}", "{", "1"}) CHECK_FALSE(chat::is_json_object(text));
}

TEST_CASE("answer_parts: reasoning, content and calls, each only where it is looked for") {
    const std::string thought = "<think>\n" + listen + "\n</think>\n\n", answer = thought + "Hm.\n" + look;
    for (const bool has_reasoning : {false, true}) {
        for (const bool has_tools : {false, true}) {
            for (std::size_t step : {std::size_t{1}, answer.size()}) {
                AnswerSplit split(has_reasoning, has_tools);
                AnswerParts parts;
                CHECK(parts.empty());
                for (std::size_t at = 0; at < answer.size(); at += step) split.push(answer.substr(at, step), parts);
                split.finish(parts);
                CHECK(parts.reasoning == (has_reasoning ? listen : ""));
                CHECK(parts.tool_calls.size() == (has_tools ? (has_reasoning ? 1 : 2) : 0));
                if (has_reasoning) CHECK(parts.content == (has_tools ? "Hm." : "Hm.\n" + look));
                if (!has_reasoning && !has_tools) CHECK(parts.content == answer);
            }
        }
    }
}
