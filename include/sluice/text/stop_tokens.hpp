// SPDX-License-Identifier: Apache-2.0
//! The tokens that end an answer.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "sluice/concepts/tokenizer.hpp"
#include "sluice/core/types.hpp"

namespace sluice {

//! The file's end-of-sequence and end-of-turn tokens, and <|im_end|> and <|endoftext|> where the vocabulary has them:
//! Qwen3 uses either to end an answer, and files are known to name only one. Sorted, each once.
template <Tokenizer T>
std::vector<Token> stop_tokens(const T& tokenizer, std::optional<Token> eos, std::optional<Token> eot) {
    std::vector<Token> stops;
    for (const auto& token :
         {eos, eot, tokenizer.find_special("<|im_end|>"), tokenizer.find_special("<|endoftext|>")}) {
        if (token) stops.push_back(*token);
    }
    std::sort(stops.begin(), stops.end());
    stops.erase(std::unique(stops.begin(), stops.end()), stops.end());
    return stops;
}

}  // namespace sluice
