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
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/text/bpe_tokenizer.hpp"
#include "sluice/text/stop_tokens.hpp"

namespace sluice {

//! The byte-pair encoder in a file. Refuses tokenizers other than Qwen's, and all that BpeTokenizer::create refuses.
inline Expected<BpeTokenizer> bpe_tokenizer(const gguf::File& file, Normalization normalization = {}) {
    const auto require = [&](std::string_view key, std::string_view supported) -> Status {
        SLUICE_ASSIGN(const auto found, file.get<std::string_view>(key));
        if (found == supported) return {};
        return Status(Errc::unsupported, file.name() + ": key " + quote(key),
                      "is " + quote(found) + "; only " + quote(supported) + " is supported",
                      "use a Qwen3-MoE model, converted by a current converter");
    };
    SLUICE_TRY(require("tokenizer.ggml.model", "gpt2"));
    SLUICE_TRY(require("tokenizer.ggml.pre", "qwen2"));
    SLUICE_ASSIGN(const auto tokens, file.get<std::vector<std::string_view>>("tokenizer.ggml.tokens"));
    SLUICE_ASSIGN(const auto types, file.get<std::vector<std::int32_t>>("tokenizer.ggml.token_type"));
    SLUICE_ASSIGN(const auto merges, file.get<std::vector<std::string_view>>("tokenizer.ggml.merges"));
    auto tokenizer = BpeTokenizer::create({tokens, types, merges}, normalization);
    if (!tokenizer.ok()) return tokenizer.status().within(file.name());
    return tokenizer;
}

//! Builds a T from a file: by T::from_gguf(file) where it has one.
template <Tokenizer T>
Expected<T> tokenizer_from_gguf(const gguf::File& file, Normalization normalization) {
    if constexpr (requires { T::from_gguf(file); }) {
        return T::from_gguf(file);
    } else {
        static_assert(std::same_as<T, BpeTokenizer>,
                      "a Tokenizer of your own needs static Expected<T> from_gguf(const gguf::File&)");
        return bpe_tokenizer(file, normalization);
    }
}

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
    SLUICE_ASSIGN(T tokenizer, tokenizer_from_gguf<T>(file, normalization));
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
