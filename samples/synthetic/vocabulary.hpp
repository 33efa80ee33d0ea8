// SPDX-License-Identifier: Apache-2.0
//! Vocabularies for models without one: the bytes alone, or a copy of another file's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/core/status.hpp"
#include "sluice/core/utf8.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/io/gguf_writer.hpp"
#include "sluice/text/bpe_tokenizer.hpp"
#include "sluice/text/byte_alphabet.hpp"

namespace sluice::synthetic {

inline constexpr std::array<std::string_view, 3> special_tokens = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
inline constexpr std::size_t least_vocabulary = 256 + special_tokens.size();

//! Adds the keys of a vocabulary of `size` >= least_vocabulary tokens: one for each byte, Qwen's specials, unused ones.
inline void add_byte_vocabulary(gguf::Layout& layout, std::size_t size) {
    std::vector<std::string> tokens;
    std::vector<std::int32_t> types;
    const auto add = [&](std::string token, TokenType type) {
        tokens.push_back(std::move(token));
        types.push_back(static_cast<std::int32_t>(type));
    };
    for (std::uint32_t byte = 0, unprintable = 0x100; byte < 0x100; ++byte) {
        std::string character;
        utf8::append(character, byte_alphabet::is_printable(byte) ? byte : unprintable++);
        add(std::move(character), TokenType::normal);
    }
    for (const std::string_view token : special_tokens) add(std::string(token), TokenType::control);
    while (tokens.size() < size) add("[PAD" + std::to_string(tokens.size()) + "]", TokenType::unused);

    const std::uint32_t end_of_text = 256, im_end = 258;
    layout.set("tokenizer.ggml.model", "gpt2")
        .set("tokenizer.ggml.pre", "qwen2")
        .set("tokenizer.ggml.tokens", tokens)
        .set("tokenizer.ggml.token_type", types)
        .set("tokenizer.ggml.merges", std::vector<std::string>())
        .set("tokenizer.ggml.eos_token_id", im_end)
        .set("tokenizer.ggml.padding_token_id", end_of_text)
        .set("tokenizer.ggml.bos_token_id", end_of_text)
        .set("tokenizer.ggml.add_bos_token", false);
}

//! Adds all keys of a file that are about text.
inline void copy_vocabulary(gguf::Layout& layout, const gguf::File& file) {
    for (const auto& [key, value] : file.metadata()) {
        if (key.substr(0, key.find('.')) == "tokenizer") layout.set(key, value);
    }
}

}  // namespace sluice::synthetic
