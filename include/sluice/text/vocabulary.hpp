// SPDX-License-Identifier: Apache-2.0
//! Everything a GGUF file says about text: its tokenizer, stop tokens and chat template.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/concepts/tokenizer.hpp"
#include "sluice/core/quote.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/text/stop_tokens.hpp"

namespace sluice {

//! What a file says about text.
template <Tokenizer T>
struct Vocabulary {
    T tokenizer;
    std::vector<Token> stop_tokens;  //!< sorted
    std::optional<Token> bos;        //!< goes before every prompt, where the file asks for it
    std::string chat_template;       //!< Jinja; empty if the file has none
};

//! Reads the keys tokenizer.ggml.* and tokenizer.chat_template; errors name the file and the key.
template <Tokenizer T>
Expected<Vocabulary<T>> read_vocabulary(const gguf::File& file, Normalization normalization = {}) {
    static_assert(std::same_as<decltype(T::from_gguf(file, normalization)), Expected<T>>,
                  "a Tokenizer needs static Expected<T> from_gguf(const gguf::File&, Normalization); "
                  "see docs/add_a_component.md#tokenizer");
    SLUICE_ASSIGN(T tokenizer, T::from_gguf(file, normalization));
    const auto token_at = [&](std::string_view key) -> Expected<std::optional<Token>> {
        if (file.find(key) == nullptr) return std::optional<Token>();
        SLUICE_ASSIGN(const Token token, file.get<Token>(key));
        if (token >= 0 && static_cast<std::size_t>(token) < tokenizer.vocab_size()) return std::optional(token);
        return Status(Errc::corrupt, file.name() + ": key " + quote(key),
                      "is " + std::to_string(token) + ", but the vocabulary has " +
                          std::to_string(tokenizer.vocab_size()) + " tokens",
                      "convert the model again");
    };
    SLUICE_ASSIGN(const auto eos, token_at("tokenizer.ggml.eos_token_id"));
    SLUICE_ASSIGN(const auto eot, token_at("tokenizer.ggml.eot_token_id"));
    SLUICE_ASSIGN(const auto bos, token_at("tokenizer.ggml.bos_token_id"));
    SLUICE_ASSIGN(const bool add_bos, file.get_or<bool>("tokenizer.ggml.add_bos_token", false));
    if (add_bos && !bos) {
        return Status(Errc::corrupt, file.name() + ": key 'tokenizer.ggml.add_bos_token'",
                      "is true, but there is no bos_token_id", "convert the model again");
    }
    SLUICE_ASSIGN(std::string jinja, file.get_or<std::string>("tokenizer.chat_template", {}));

    std::vector<Token> stops = stop_tokens(tokenizer, eos, eot);
    return Vocabulary<T>{std::move(tokenizer), std::move(stops), add_bos ? bos : std::nullopt, std::move(jinja)};
}

}  // namespace sluice
