// SPDX-License-Identifier: Apache-2.0
//! The Tokenizer slot: text to tokens and back.
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"

namespace sluice {

//! Whether "<|im_start|>" in a text is that special token, or thirteen characters. User text is `as_text`.
enum class SpecialTokens { as_text, parse };

//! What is done to text before it is cut into words. llama.cpp does nothing; Hugging Face's tokenizer of Qwen
//! normalizes to NFC. They differ on decomposed text alone ("e" + U+0301).
enum class Normalization { none, nfc };

//! encode: UTF-8 text to tokens, nothing added (invalid bytes are encoded as bytes, never an error of their own).
//! piece: a view into the tokenizer of the bytes of one token, which need not be whole code points; empty for an id
//! that is not in the vocabulary. is_control: the token marks structure (<|im_end|>) and is not shown as text.
//! find_special: the id of a special token by its text.
//!
//! A model's tokenizer is loaded by `static Expected<T> from_gguf(const gguf::File&, Normalization)`.
template <class T>
concept Tokenizer = std::movable<T> && requires(const T& tokenizer, std::string_view text, Token token) {
    { tokenizer.encode(text, SpecialTokens::parse) } -> std::same_as<Expected<std::vector<Token>>>;
    { tokenizer.piece(token) } -> std::same_as<std::string_view>;
    { tokenizer.is_control(token) } -> std::convertible_to<bool>;
    { tokenizer.find_special(text) } -> std::same_as<std::optional<Token>>;
    { tokenizer.vocab_size() } -> std::convertible_to<std::size_t>;
};

}  // namespace sluice
