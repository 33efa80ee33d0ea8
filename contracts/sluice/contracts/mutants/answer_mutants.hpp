// SPDX-License-Identifier: Apache-2.0
//! Log-probabilities and splits of answers that are wrong in one way each.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/contracts/answer_laws.hpp"
#include "sluice/contracts/mutant.hpp"
#include "sluice/core/generation.hpp"
#include "sluice/core/types.hpp"
#include "sluice/sampler/logprobs.hpp"
#include "sluice/text/tool_calls.hpp"

namespace sluice::contracts {

namespace mutants {

//! Ends what it was told after each piece.
struct SplitByPiece : chat::ToolCallSplit {
    void push(std::string_view text, std::string& content, std::vector<chat::ToolCall>& calls) {
        ToolCallSplit::push(text, content, calls);
        ToolCallSplit::finish(content);
    }
};

//! Loses what was held back at the end.
struct SplitLosingItsRest : chat::ToolCallSplit {
    static void finish(std::string&) {}
};

struct SplitOfOneCall : chat::ToolCallSplit {
    void push(std::string_view text, std::string& content, std::vector<chat::ToolCall>& calls) {
        ToolCallSplit::push(text, content, calls);
        calls.resize(std::min<std::size_t>(calls.size(), 1));
    }
};

}  // namespace mutants

inline std::vector<Mutant> logprobs_mutants() {
    using Out = std::vector<TokenLogprob>;
    using Logits = std::span<const float>;
    const auto without_sum = [](Logits logits, Token sampled, std::size_t top, Out& out) {
        compute_logprobs(logits, sampled, top, out);
        const float highest = *std::max_element(logits.begin(), logits.end());
        for (TokenLogprob& one : out) one.logprob = logits[static_cast<std::size_t>(one.id)] - highest;
    };
    const auto best_first = [](Logits logits, Token, std::size_t top, Out& out) {
        const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
        compute_logprobs(logits, static_cast<Token>(best), top, out);
    };
    const auto by_id = [](Logits logits, Token sampled, std::size_t top, Out& out) {
        compute_logprobs(logits, sampled, top, out);
        std::sort(out.begin() + 1, out.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    };
    const auto softmax = "logprobs.are_log_softmax";
    return {
        {"forgets the sum of the softmax", softmax, logprobs_law_list(without_sum)},
        {"tells of the best token as the sampled one", softmax, logprobs_law_list(best_first)},
        {"tells the best tokens by their numbers", "logprobs.best_in_order", logprobs_law_list(by_id)},
    };
}

inline std::vector<Mutant> tool_calls_mutants() {
    using namespace mutants;
    return {
        {"takes each piece for a whole answer", "tool_calls.cut_changes_nothing", tool_calls_law_list<SplitByPiece>()},
        {"loses what it held back at the end", "tool_calls.no_call_no_change",
         tool_calls_law_list<SplitLosingItsRest>()},
        {"tells of the first call alone", "tool_calls.every_call_is_told", tool_calls_law_list<SplitOfOneCall>()},
    };
}

}  // namespace sluice::contracts
