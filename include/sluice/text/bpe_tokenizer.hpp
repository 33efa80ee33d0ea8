// SPDX-License-Identifier: Apache-2.0
//! Qwen's tokenizer: byte-level byte-pair encoding over a vocabulary with special tokens.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/concepts/tokenizer.hpp"
#include "sluice/core/quote.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/text/bpe_merges.hpp"
#include "sluice/text/byte_alphabet.hpp"
#include "sluice/text/nfc.hpp"
#include "sluice/text/pretokenizer.hpp"
#include "sluice/text/token_table.hpp"

namespace sluice {

//! A token's part in the vocabulary, by its number in GGUF's tokenizer.ggml.token_type.
enum class TokenType : std::int32_t {
    normal = 1,        //!< made by merging bytes
    unknown = 2,       //!< special: stands for text outside the vocabulary
    control = 3,       //!< special: marks structure (<|im_end|>) and is not text
    user_defined = 4,  //!< special: marks structure that is shown as text (<think>)
    unused = 5,        //!< a padded slot; it has no bytes
};

//! A vocabulary as files keep it. The views need to live only as long as the call they are passed to.
struct BpeVocabulary {
    std::span<const std::string_view> tokens;  //!< by id; normal ones in GPT-2's byte alphabet, others as they read
    std::span<const std::int32_t> types;       //!< by id; TokenType
    std::span<const std::string_view> merges;  //!< "left right", most urgent first, in the byte alphabet
};

//! Models the concept Tokenizer. Immutable, so one can serve many threads. `encode` gives exactly the tokens of
//! llama.cpp or, with Normalization::nfc, of Hugging Face; bytes that are not UTF-8 are encoded one by one. It takes
//! O(n log n) time for any text, and linear time for text of short words.
//!
//! All special tokens (control, user_defined, unknown) are parsed when asked for and are plain text when not.
class BpeTokenizer {
public:
    //! The one in a file: its keys tokenizer.ggml.*. Refuses tokenizers other than Qwen's, and all that create()
    //! refuses.
    static Expected<BpeTokenizer> from_gguf(const gguf::File& file, Normalization normalization = Normalization::none) {
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
        auto tokenizer = create({tokens, types, merges}, normalization);
        if (!tokenizer.ok()) return tokenizer.status().within(file.name());
        return tokenizer;
    }

    //! Refuses, naming the token or the merge: counts that do not match, unknown types, tokens with the same bytes or
    //! none, normal tokens outside the byte alphabet, a byte without a token, merges whose parts or result are no
    //! normal tokens, and repeated merges.
    static Expected<BpeTokenizer> create(const BpeVocabulary& vocabulary, Normalization normalization = {}) {
        BpeTokenizer tokenizer(normalization);
        TokenIndex index(vocabulary.tokens.size());
        SLUICE_TRY(tokenizer.add_tokens(vocabulary, index));
        SLUICE_TRY(tokenizer.add_byte_tokens(index));
        SLUICE_TRY(tokenizer.add_merges(vocabulary.merges, index));
        tokenizer.index_words();
        return tokenizer;
    }

    //! Text to tokens, nothing added. The only error is a text of 4 GiB or more.
    Expected<std::vector<Token>> encode(std::string_view text, SpecialTokens special) const {
        if (text.size() >= std::numeric_limits<std::uint32_t>::max()) {
            return Status(Errc::invalid_argument, "tokenizer", "the text has " + std::to_string(text.size()) + " bytes",
                          "encode it in parts of less than 4 GiB");
        }
        std::vector<Token> out;
        out.reserve(text.size() / 4 + 1);
        BpeMerger merger(merges_);
        while (!text.empty()) {
            const Special next = special == SpecialTokens::parse ? next_special(text) : Special{text.size(), 0, -1};
            encode_plain(text.substr(0, next.at), merger, out);
            if (next.length > 0) out.push_back(next.token);
            text.remove_prefix(next.at + next.length);
        }
        return out;
    }

    //! Tokens to bytes, special tokens as they read; ids outside the vocabulary add nothing.
    std::string decode(std::span<const Token> tokens) const {
        std::string text;
        for (const Token token : tokens) text += piece(token);
        return text;
    }

    //! The bytes of one token, not always whole code points. Empty for unused ids and ids outside the vocabulary.
    std::string_view piece(Token token) const { return pieces_[token]; }

    //! Nothing for ids outside the vocabulary.
    std::optional<TokenType> type(Token token) const {
        if (token < 0 || static_cast<std::size_t>(token) >= types_.size()) return std::nullopt;
        return types_[static_cast<std::size_t>(token)];
    }

    //! Marks structure and is not text.
    bool is_control(Token token) const { return type(token) == TokenType::control; }

    //! The special token that reads exactly `text`.
    std::optional<Token> find_special(std::string_view text) const { return specials_.find(pieces_, text); }

    std::size_t vocab_size() const { return types_.size(); }

private:
    struct Special {
        std::size_t at;      // text.size() if there is none
        std::size_t length;  // 0 if there is none
        Token token;
    };

    explicit BpeTokenizer(Normalization normalization) : normalization_(normalization) {}

    static Status bad(std::string where, std::string what) {
        return Status(Errc::corrupt, std::move(where), std::move(what), "convert the model's tokenizer again");
    }
    static std::string name_of(std::string_view kind, std::size_t number, std::string_view text) {
        return std::string(kind) + " " + std::to_string(number) + " " + quote(text);
    }

    Status add_tokens(const BpeVocabulary& vocabulary, TokenIndex& index) {
        const std::size_t count = vocabulary.tokens.size();
        if (count > static_cast<std::size_t>(std::numeric_limits<Token>::max())) {
            return bad("vocabulary", std::to_string(count) + " tokens are more than a token id can number");
        }
        if (vocabulary.types.size() != count) {
            return bad("vocabulary", std::to_string(count) + " tokens, but " + std::to_string(vocabulary.types.size()) +
                                         " token types");
        }
        std::vector<Token> specials;
        for (std::size_t i = 0; i < count; ++i) {
            const std::string_view text = vocabulary.tokens[i];
            const auto type = static_cast<TokenType>(vocabulary.types[i]);
            if (type < TokenType::normal || type > TokenType::unused) {
                return bad(name_of("token", i, text), "has the unknown type " + std::to_string(vocabulary.types[i]));
            }
            const auto bytes = type == TokenType::normal   ? byte_alphabet::to_bytes(text)
                               : type == TokenType::unused ? std::string()
                                                           : std::string(text);
            if (!bytes) return bad(name_of("token", i, text), "holds a character that stands for no byte");
            types_.push_back(type);
            pieces_.append(*bytes);
            if (type == TokenType::unused) continue;

            const auto token = static_cast<Token>(i);
            if (bytes->empty()) return bad(name_of("token", i, text), "is empty");
            if (!index.insert(pieces_, token)) {
                const Token first = *index.find(pieces_, *bytes);
                return bad(name_of("token", i, text), "is the same as token " + std::to_string(first));
            }
            if (type == TokenType::normal) {
                longest_word_ = std::max(longest_word_, bytes->size());
            } else {
                specials.push_back(token);
            }
        }
        index_specials(specials);
        return {};
    }

    void index_specials(std::span<const Token> specials) {
        specials_ = TokenIndex(specials.size());
        for (const Token token : specials) {
            specials_.insert(pieces_, token);
            special_starts_[static_cast<unsigned char>(piece(token)[0])] = true;
            special_lengths_.push_back(piece(token).size());
        }
        std::sort(special_lengths_.begin(), special_lengths_.end(), std::greater{});
        special_lengths_.erase(std::unique(special_lengths_.begin(), special_lengths_.end()), special_lengths_.end());
    }

    std::optional<Token> find_normal(const TokenIndex& index, std::string_view bytes) const {
        const auto token = index.find(pieces_, bytes);
        return token && type(*token) == TokenType::normal ? token : std::nullopt;
    }

    Status add_byte_tokens(const TokenIndex& index) {
        for (std::size_t byte = 0; byte < byte_tokens_.size(); ++byte) {
            const char text = static_cast<char>(byte);
            const auto token = find_normal(index, {&text, 1});
            if (!token) return bad("vocabulary", "no token stands for byte " + std::to_string(byte));
            byte_tokens_[byte] = *token;
        }
        return {};
    }

    Status add_merges(std::span<const std::string_view> merges, const TokenIndex& index) {
        merges_ = BpeMerges(merges.size());
        for (std::size_t i = 0; i < merges.size(); ++i) {
            const std::string_view rule = merges[i];
            const std::size_t space = rule.find(' ');
            const auto left = byte_alphabet::to_bytes(rule.substr(0, space));
            const auto right = byte_alphabet::to_bytes(space == rule.npos ? "" : rule.substr(space + 1));
            if (!left || !right || left->empty() || right->empty()) {
                return bad(name_of("merge", i, rule), "is not two tokens with a space between them");
            }
            std::array<Token, 3> tokens{};
            for (std::size_t k = 0; const std::string& bytes : {*left, *right, *left + *right}) {
                constexpr std::array roles{"left part", "right part", "result"};
                const auto token = find_normal(index, bytes);
                if (!token) {
                    return bad(name_of("merge", i, rule), std::string("its ") + roles[k] + " is not in the vocabulary");
                }
                tokens[k++] = *token;
            }
            if (!merges_.add(tokens[0], tokens[1], tokens[2])) return bad(name_of("merge", i, rule), "appears twice");
        }
        return {};
    }

    //! A word that is itself a token needs no merging, provided that merging would indeed end in that token.
    void index_words() {
        words_ = TokenIndex(vocab_size());
        BpeMerger merger(merges_);
        std::vector<Token> merged;
        for (std::size_t i = 0; i < vocab_size(); ++i) {
            const auto token = static_cast<Token>(i);
            if (types_[i] != TokenType::normal) continue;
            merged.clear();
            merger.merge(piece(token), byte_tokens_, merged);
            if (merged.size() == 1 && merged[0] == token) words_.insert(pieces_, token);
        }
    }

    //! The leftmost special token in the text, the longest of those that start there.
    Special next_special(std::string_view text) const {
        for (std::size_t at = 0; at < text.size(); ++at) {
            if (!special_starts_[static_cast<unsigned char>(text[at])]) continue;
            for (const std::size_t length : special_lengths_) {
                if (length > text.size() - at) continue;
                if (const auto token = find_special(text.substr(at, length))) return {at, length, *token};
            }
        }
        return {text.size(), 0, -1};
    }

    void encode_plain(std::string_view text, BpeMerger& merger, std::vector<Token>& out) const {
        if (normalization_ == Normalization::nfc) {
            encode_words(nfc(text), merger, out);
        } else {
            encode_words(text, merger, out);
        }
    }

    void encode_words(std::string_view text, BpeMerger& merger, std::vector<Token>& out) const {
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = qwen2_word_end(text, at);
            const std::string_view word = text.substr(at, end - at);
            at = end;
            const auto whole = word.size() <= longest_word_ ? words_.find(pieces_, word) : std::nullopt;
            if (whole) {
                out.push_back(*whole);
            } else {
                merger.merge(word, byte_tokens_, out);
            }
        }
    }

    Normalization normalization_;
    TokenBytes pieces_;
    std::vector<TokenType> types_;
    BpeMerges merges_;
    std::array<Token, 256> byte_tokens_{};
    TokenIndex words_;  // normal tokens that merging makes
    std::size_t longest_word_ = 0;
    TokenIndex specials_;
    std::array<bool, 256> special_starts_{};    // by first byte
    std::vector<std::size_t> special_lengths_;  // distinct, longest first
};

static_assert(Tokenizer<BpeTokenizer>);

}  // namespace sluice
