// SPDX-License-Identifier: Apache-2.0
//! Tokenizers that are wrong in one way each.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/contracts/mutant.hpp"
#include "sluice/contracts/small_vocabulary.hpp"
#include "sluice/contracts/text_oracles.hpp"
#include "sluice/contracts/tokenizer_laws.hpp"
#include "sluice/core/types.hpp"
#include "sluice/text/bpe_tokenizer.hpp"
#include "sluice/text/pretokenizer.hpp"

namespace sluice::contracts {

namespace mutants {

using Encoded = Expected<std::vector<Token>>;

struct TokenizerTrimming : BpeTokenizer {
    Encoded encode(std::string_view text, SpecialTokens special) const {
        while (text.starts_with(' ')) text.remove_prefix(1);
        return BpeTokenizer::encode(text, special);
    }
};
struct TokenizerMendingText : BpeTokenizer {
    Encoded encode(std::string_view text, SpecialTokens special) const {
        return BpeTokenizer::encode(oracle::repaired(text), special);
    }
};
//! Gives each token's bytes as if they were a text: half a character becomes U+FFFD.
class TokenizerMendingPieces : public BpeTokenizer {
public:
    explicit TokenizerMendingPieces(BpeTokenizer tokenizer) : BpeTokenizer(std::move(tokenizer)) {
        for (std::size_t i = 0; i < vocab_size(); ++i) {
            pieces_.push_back(oracle::repaired(BpeTokenizer::piece(static_cast<Token>(i))));
        }
    }
    std::string_view piece(Token token) const {
        const auto i = static_cast<std::size_t>(token);
        return token >= 0 && i < pieces_.size() ? std::string_view(pieces_[i]) : std::string_view();
    }

private:
    std::vector<std::string> pieces_;
};
struct TokenizerNumberingSpecialsAnew : BpeTokenizer {
    Encoded encode(std::string_view text, SpecialTokens special) const {
        auto tokens = BpeTokenizer::encode(text, special);
        for (Token& token : *tokens) token += is_control(token) ? static_cast<Token>(vocab_size()) : 0;
        return tokens;
    }
};
struct TokenizerParsingAlways : BpeTokenizer {
    Encoded encode(std::string_view text, SpecialTokens) const {
        return BpeTokenizer::encode(text, SpecialTokens::parse);
    }
};
struct TokenizerParsingNever : BpeTokenizer {
    Encoded encode(std::string_view text, SpecialTokens) const {
        return BpeTokenizer::encode(text, SpecialTokens::as_text);
    }
};
struct TokenizerBeginningTexts : BpeTokenizer {
    Encoded encode(std::string_view text, SpecialTokens special) const {
        auto tokens = BpeTokenizer::encode(text, special);
        if (special == SpecialTokens::parse) tokens->insert(tokens->begin(), *find_special("<|im_start|>"));
        return tokens;
    }
};
//! Leaves every third text unmerged.
struct TokenizerOfMoods : BpeTokenizer {
    Encoded encode(std::string_view text, SpecialTokens special) const {
        if (++*texts % 3 != 0 || special == SpecialTokens::parse) return BpeTokenizer::encode(text, special);
        std::vector<Token> tokens;
        for (const char byte : text) {
            const auto one = BpeTokenizer::encode({&byte, 1}, special);
            tokens.insert(tokens.end(), one->begin(), one->end());
        }
        return tokens;
    }
    std::shared_ptr<int> texts = std::make_shared<int>(0);
};
struct TokenizerWrappingIds : BpeTokenizer {
    std::string_view piece(Token token) const {
        const auto size = static_cast<Token>(vocab_size());
        return BpeTokenizer::piece(((token % size) + size) % size);
    }
};
struct TokenizerWithOneMore : BpeTokenizer {
    std::string_view piece(Token token) const {
        return BpeTokenizer::piece(token - (token == static_cast<Token>(vocab_size()) ? 1 : 0));
    }
};

//! Whether a pair with a rule of this rank is merged before one to its left with a rule of that rank.
using MergesBefore = bool (*)(std::size_t rank, std::size_t best);
using WordEnd = std::size_t (*)(std::string_view text, std::size_t at);

//! Byte-pair encoding the plain way, of words and by an order that may be wrong ones.
class PlainBpe {
public:
    PlainBpe(const BpeVocabulary& vocabulary, WordEnd word_end, MergesBefore before)
        : word_end_(word_end), before_(before) {
        for (const std::string_view token : vocabulary.tokens) {
            pieces_.push_back(*byte_alphabet::to_bytes(token));
            ids_.emplace(pieces_.back(), static_cast<Token>(ids_.size()));
        }
        for (const std::string_view rule : vocabulary.merges) {
            const std::size_t space = rule.find(' ');
            ranks_.emplace(std::pair(*byte_alphabet::to_bytes(rule.substr(0, space)),
                                     *byte_alphabet::to_bytes(rule.substr(space + 1))),
                           ranks_.size());
        }
    }
    Encoded encode(std::string_view text, SpecialTokens) const {
        std::vector<Token> tokens;
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = word_end_(text, at);
            Parts parts;
            for (const char byte : text.substr(at, end - at)) parts.emplace_back(1, byte);
            for (std::size_t i = next_pair(parts); i != parts.size(); i = next_pair(parts)) {
                parts[i] += parts[i + 1];
                parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i) + 1);
            }
            for (const std::string& part : parts) tokens.push_back(ids_.at(part));
            at = end;
        }
        return tokens;
    }
    std::string_view piece(Token token) const { return pieces_.at(static_cast<std::size_t>(token)); }

    void forget_rules_behind(char byte) {
        std::erase_if(ranks_, [byte](const auto& rule) { return rule.first.first.ends_with(byte); });
    }

private:
    using Parts = std::vector<std::string>;

    //! The pair to merge next; parts.size() if there is none.
    std::size_t next_pair(const Parts& parts) const {
        std::size_t best = parts.size(), best_rank = 0;
        for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
            const auto rank = ranks_.find({parts[i], parts[i + 1]});
            if (rank == ranks_.end() || (best != parts.size() && !before_(rank->second, best_rank))) continue;
            best = i;
            best_rank = rank->second;
        }
        return best;
    }

    WordEnd word_end_;
    MergesBefore before_;
    std::vector<std::string> pieces_;
    std::map<std::string, Token> ids_;
    std::map<std::pair<std::string, std::string>, std::size_t> ranks_;
};

inline bool leftmost(std::size_t, std::size_t) { return false; }
inline bool rightmost_of_lowest(std::size_t rank, std::size_t best) { return rank <= best; }
inline bool highest_rank(std::size_t rank, std::size_t best) { return rank > best; }
inline bool lowest_rank(std::size_t rank, std::size_t best) { return rank < best; }
inline std::size_t end_of_text(std::string_view text, std::size_t) { return text.size(); }

template <MergesBefore before, WordEnd word_end = qwen2_word_end>
struct BpeBy : PlainBpe {
    static Expected<BpeBy> create(const BpeVocabulary& vocabulary, Normalization) {
        return BpeBy{PlainBpe(vocabulary, word_end, before)};
    }
};
//! Cuts every character into its bytes.
struct SplitsCharacters : PlainBpe {
    static Expected<SplitsCharacters> create(const BpeVocabulary& vocabulary, Normalization) {
        SplitsCharacters made{PlainBpe(vocabulary, qwen2_word_end, lowest_rank)};
        made.forget_rules_behind('\xC3');
        return made;
    }
};

// ---- words ----

//! Numbers of several digits.
struct WordsOfWholeNumbers {
    static std::size_t word_end(std::string_view text, std::size_t at) {
        std::size_t end = qwen2_word_end(text, at);
        while (text[at] == '1' && end < text.size() && text[end] == '1') ++end;
        return end;
    }
};
//! Leaves no space to the word after it.
struct WordsWithoutSpace {
    static std::size_t word_end(std::string_view text, std::size_t at) {
        std::size_t end = qwen2_word_end(text, at);
        if (text[at] == ' ' && text[end - 1] != ' ') return at + 1;
        return end;
    }
};
//! Knows contractions in lower case only.
struct WordsOfLowerCase {
    static std::size_t word_end(std::string_view text, std::size_t at) {
        const std::size_t end = qwen2_word_end(text, at);
        const bool upper =
            std::any_of(text.begin() + static_cast<std::ptrdiff_t>(at), text.begin() + static_cast<std::ptrdiff_t>(end),
                        [](char c) { return std::isupper(static_cast<unsigned char>(c)) != 0; });
        return text[at] == '\'' && upper ? at + 1 : end;
    }
};
struct WordsThatEndInCharacters {
    static std::size_t word_end(std::string_view text, std::size_t at) {
        return text[at] == '\xF0' ? at + 1 : qwen2_word_end(text, at);
    }
};
struct WordsStuckAtWrongBytes {
    static std::size_t word_end(std::string_view text, std::size_t at) {
        return text[at] == '\xFF' ? at : qwen2_word_end(text, at);
    }
};
struct WordsThatLookBack {
    static std::size_t word_end(std::string_view text, std::size_t at) {
        const bool in_number = at > 0 && text[at - 1] == '7';
        return in_number ? at + oracle::character_length(text.substr(at)) : qwen2_word_end(text, at);
    }
};

}  // namespace mutants

//! The tokenizer that the mutants are made of.
inline BpeTokenizer small_tokenizer() {
    const SmallVocabulary vocabulary({{"t", "h"}, {"th", "e"}, {"F", "o"}, {" ", "f"}, {"\xC3", "\xA9"}},
                                     {"<|im_start|>", "<|im_end|>"});
    return *vocabulary.create<BpeTokenizer>();
}

template <Tokenizer T>
Mutant tokenizer_mutant(std::string_view name, std::string_view law) {
    return {std::string(name), law, tokenizer_law_list<T>(std::make_shared<const T>(T{small_tokenizer()}))};
}

inline std::vector<Mutant> tokenizer_mutants() {
    using namespace mutants;
    return {
        tokenizer_mutant<TokenizerTrimming>("trims a text", "tokenizer.round_trip"),
        tokenizer_mutant<TokenizerMendingPieces>("mends the pieces of a split character", "tokenizer.round_trip"),
        tokenizer_mutant<TokenizerMendingText>("mends bytes that are no text", "tokenizer.any_bytes"),
        tokenizer_mutant<TokenizerNumberingSpecialsAnew>("numbers special tokens behind the vocabulary",
                                                         "tokenizer.ids_in_range"),
        tokenizer_mutant<TokenizerParsingAlways>("parses special tokens always",
                                                 "tokenizer.specials_are_text_unless_asked"),
        tokenizer_mutant<TokenizerParsingNever>("parses special tokens never", "tokenizer.specials_when_asked"),
        tokenizer_mutant<TokenizerBeginningTexts>("begins every text with a token", "tokenizer.adds_nothing"),
        tokenizer_mutant<TokenizerOfMoods>("leaves every third text unmerged", "tokenizer.deterministic"),
        tokenizer_mutant<TokenizerWrappingIds>("wraps foreign ids around", "tokenizer.foreign_ids"),
        tokenizer_mutant<TokenizerWithOneMore>("has bytes for the id one past the end", "tokenizer.foreign_ids"),
    };
}

inline std::vector<Mutant> bpe_mutants() {
    using namespace mutants;
    const auto plain = "bpe.equals_plain_merging";
    return {
        {"merges from left to right, whatever the rank", plain, bpe_law_list<BpeBy<leftmost>>()},
        {"merges the rightmost of equal pairs", plain, bpe_law_list<BpeBy<rightmost_of_lowest>>()},
        {"merges by the last rule first", plain, bpe_law_list<BpeBy<highest_rank>>()},
        {"splits a character into its bytes", plain, bpe_law_list<SplitsCharacters>()},
        {"merges across words", "bpe.never_crosses_words", bpe_law_list<BpeBy<lowest_rank, end_of_text>>()},
    };
}

inline std::vector<Mutant> pretokenizer_mutants() {
    using namespace mutants;
    const auto pattern = "pretokenizer.equals_pattern";
    return {
        {"takes several digits for a word", pattern, pretokenizer_law_list(WordsOfWholeNumbers::word_end)},
        {"cuts the space off a word", pattern, pretokenizer_law_list(WordsWithoutSpace::word_end)},
        {"knows contractions in lower case only", pattern, pretokenizer_law_list(WordsOfLowerCase::word_end)},
        {"ends a word in a character", pattern, pretokenizer_law_list(WordsThatEndInCharacters::word_end)},
        {"is stuck at wrong bytes", "pretokenizer.covers_any_bytes",
         pretokenizer_law_list(WordsStuckAtWrongBytes::word_end)},
        {"looks back", "pretokenizer.looks_ahead_only", pretokenizer_law_list(WordsThatLookBack::word_end)},
    };
}

}  // namespace sluice::contracts
