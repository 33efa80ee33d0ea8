// SPDX-License-Identifier: Apache-2.0
//! The laws of what a server tells of an answer besides its text: log-probabilities, and calls of functions.
#pragma once

#include <cmath>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/contracts/check.hpp"
#include "sluice/contracts/oracles.hpp"
#include "sluice/contracts/text_draws.hpp"
#include "sluice/core/generation.hpp"
#include "sluice/core/types.hpp"
#include "sluice/text/chat_template.hpp"

namespace sluice::contracts {

//! As sluice::compute_logprobs.
using ComputeLogprobs =
    std::function<void(std::span<const float> logits, Token sampled, std::size_t top, std::vector<TokenLogprob>& out)>;

inline std::vector<Law> logprobs_law_list(const ComputeLogprobs& compute) {
    return {
        {"logprobs.are_log_softmax", "First the sampled token, then the best, each with the logarithm of its softmax.",
         [compute](Case& c) {
             const std::vector<float> logits = c.normals(c.integer<std::size_t>(1, 60), c.pick({0.1, 3.0, 100.0}));
             const auto sampled = c.integer<Token>(0, static_cast<Token>(logits.size() - 1));
             const auto top = c.integer<std::size_t>(0, 20);
             c.given("logits", logits);
             std::vector<TokenLogprob> got(3);
             compute(logits, sampled, top, got);
             c.expect(!got.empty() && got.front().id == sampled, "the first is not the sampled token");
             const oracle::Vector truth = oracle::softmax(oracle::to_doubles(logits));
             for (const TokenLogprob& one : got) {
                 c.near("logarithm", one.logprob, std::log(truth.at(static_cast<std::size_t>(one.id))),
                        tolerance::logprob);
             }
         }},
        {"logprobs.best_in_order", "Behind the sampled token come the likeliest, best first, of equal ones the lowest.",
         [compute](Case& c) {
             const std::vector<float> logits = c.logits(c.integer<std::size_t>(1, 60));
             const auto top = c.integer<std::size_t>(0, 20);
             c.given("logits", logits);
             c.given("top", top);
             std::vector<TokenLogprob> got;
             compute(logits, 0, top, got);
             std::vector<Token> ids, expected;
             for (std::size_t i = 1; i < got.size(); ++i) ids.push_back(got[i].id);
             for (const std::size_t i : oracle::largest(oracle::to_doubles(logits), std::min(top, logits.size()))) {
                 expected.push_back(static_cast<Token>(i));
             }
             c.equal("tokens", ids, expected);
         }},
    };
}

namespace detail {

struct SplitAnswer {
    std::string content, calls;
};

//! By a Split with the members of chat::ToolCallSplit; each call as NAME(ARGUMENTS).
template <class Split>
SplitAnswer split_answer(std::span<const std::string> pieces) {
    Split split;
    SplitAnswer answer;
    std::vector<chat::ToolCall> calls;
    for (const std::string& piece : pieces) split.push(piece, answer.content, calls);
    split.finish(answer.content);
    for (const chat::ToolCall& call : calls) answer.calls += call.name + "(" + call.arguments + ")";
    return answer;
}

//! Prose, and what begins like a block, is one, or is none for its JSON. A block's line breaks belong to it.
inline std::string answer_text(Case& c, bool with_calls) {
    std::string drawn;
    for (int left = c.integer(0, 5); left > 0; --left) {
        drawn += text(c, 3);
        drawn += c.pick<std::string_view>({"<", "<tool", "<tool_call>", "</tool_call>", "<tool_call>{}</tool_call>",
                                           "<tool_call>{\"name\":\"f\"}</tool_call>", "\n\n<tool_call>\nwords\n"});
        if (with_calls && c.chance(0.5)) drawn += "\n<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>\n";
    }
    return drawn;
}

}  // namespace detail

//! Of a Split with the members of chat::ToolCallSplit.
template <class Split>
std::vector<Law> tool_calls_law_list() {
    using namespace detail;
    return {
        {"tool_calls.cut_changes_nothing", "Wherever an answer is cut, its content and calls are those of the whole.",
         [](Case& c) {
             const std::string whole = answer_text(c, true);
             const SplitAnswer expected = split_answer<Split>(std::span(&whole, 1));
             const SplitAnswer got = split_answer<Split>(cut(c, whole));
             c.equal("content", got.content, expected.content);
             c.equal("calls", got.calls, expected.calls);
         }},
        {"tool_calls.no_call_no_change", "An answer without a whole call is all content, to the byte.",
         [](Case& c) {
             const std::string whole = answer_text(c, false);
             const SplitAnswer got = split_answer<Split>(cut(c, whole));
             c.equal("content", got.content, whole);
             c.equal("calls", got.calls, "");
         }},
        {"tool_calls.every_call_is_told", "Each whole call is told once, in order, with the arguments as they stand.",
         [](Case& c) {
             std::string whole = c.chance(0.5) ? "I look it up." : "", expected;
             for (int left = c.integer(1, 4); left > 0; --left) {
                 const std::string name = "f" + to_text(left), arguments = "{\"x\": " + to_text(c.integer(0, 99)) + "}";
                 whole += "\n<tool_call>\n{\"name\": \"" + name + "\", \"arguments\": " + arguments + "}\n</tool_call>";
                 expected += name + "(" + arguments + ")";
             }
             c.equal("calls", split_answer<Split>(cut(c, whole)).calls, expected);
         }},
    };
}

inline void logprobs_laws(std::string_view subject, const ComputeLogprobs& compute) {
    check_laws(subject, logprobs_law_list(compute));
}
template <class Split>
void tool_calls_laws(std::string_view subject) {
    check_laws(subject, tool_calls_law_list<Split>());
}

}  // namespace sluice::contracts
