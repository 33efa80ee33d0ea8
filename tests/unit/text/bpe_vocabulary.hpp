// SPDX-License-Identifier: Apache-2.0
//! A small vocabulary for tests: the 256 bytes (token i is byte i), then the results of the merges, then the specials.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/text/bpe_tokenizer.hpp"

namespace sluice::test {

//! A byte in GPT-2's alphabet.
inline std::string letter_of(std::uint32_t byte) {
    std::uint32_t code = byte;
    if (!byte_alphabet::is_printable(byte)) {
        code = 0x100;
        for (std::uint32_t other = 0; other < byte; ++other) code += byte_alphabet::is_printable(other) ? 0 : 1;
    }
    std::string text;
    utf8::append(text, code);
    return text;
}

struct SmallVocabulary {
    std::vector<std::string> tokens;
    std::vector<std::int32_t> types;
    std::vector<std::string> merges;

    explicit SmallVocabulary(std::vector<std::string> rules = {}, const std::vector<std::string>& specials = {})
        : merges(std::move(rules)) {
        for (std::uint32_t byte = 0; byte < 256; ++byte) add(letter_of(byte), TokenType::normal);
        for (std::string token : merges) {
            token.erase(token.find(' '), 1);
            add(token, TokenType::normal);
        }
        for (const std::string& special : specials) add(special, TokenType::control);
    }

    void add(std::string text, TokenType type) {
        tokens.push_back(std::move(text));
        types.push_back(static_cast<std::int32_t>(type));
    }

    Expected<BpeTokenizer> create(Normalization normalization = {}) const {
        const std::vector<std::string_view> token_views(tokens.begin(), tokens.end());
        const std::vector<std::string_view> merge_views(merges.begin(), merges.end());
        return BpeTokenizer::create({token_views, types, merge_views}, normalization);
    }
};

}  // namespace sluice::test
