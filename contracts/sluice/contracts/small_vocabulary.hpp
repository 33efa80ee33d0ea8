// SPDX-License-Identifier: Apache-2.0
//! A small vocabulary for byte-pair encoding: the 256 bytes (token i is byte i), then what the merges make, then
//! special tokens.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/contracts/case.hpp"
#include "sluice/core/utf8.hpp"
#include "sluice/text/bpe_tokenizer.hpp"
#include "sluice/text/byte_alphabet.hpp"

namespace sluice::contracts {

//! Bytes in GPT-2's alphabet.
inline std::string in_byte_alphabet(std::string_view bytes) {
    std::string text;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        char32_t code = byte;
        if (!byte_alphabet::is_printable(byte)) {
            code = 0x100;
            for (std::uint32_t other = 0; other < byte; ++other) code += byte_alphabet::is_printable(other) ? 0 : 1;
        }
        utf8::append(text, code);
    }
    return text;
}

class SmallVocabulary {
public:
    using Merge = std::pair<std::string, std::string>;

    explicit SmallVocabulary(std::vector<Merge> merges, const std::vector<std::string>& specials = {})
        : merges_(std::move(merges)) {
        for (int byte = 0; byte < 256; ++byte)
            add(in_byte_alphabet(std::string(1, static_cast<char>(byte))), TokenType::normal);
        for (const auto& [left, right] : merges_) {
            rules_.push_back(in_byte_alphabet(left) + " " + in_byte_alphabet(right));
            add(in_byte_alphabet(left + right), TokenType::normal);
        }
        for (const std::string& special : specials) add(special, TokenType::control);
    }

    //! Merges over a few letters and over a character of two bytes, each of parts that there are, in any order.
    static SmallVocabulary drawn(Case& c) {
        std::vector<std::string> parts = {"a", "b", "c", "\xC3", "\xA9"};
        std::vector<Merge> merges;
        for (int left = c.integer(0, 14); left > 0; --left) {
            const Merge merge = {c.pick(std::span<const std::string>(parts)),
                                 c.pick(std::span<const std::string>(parts))};
            const std::string made = merge.first + merge.second;
            if (std::find(parts.begin(), parts.end(), made) != parts.end()) continue;
            parts.push_back(made);
            merges.push_back(merge);
        }
        std::vector<Merge> shuffled;
        for (const std::size_t i : c.shuffled(merges.size())) shuffled.push_back(merges[i]);
        SmallVocabulary vocabulary(std::move(shuffled));
        c.given("merges", vocabulary.rules_);
        return vocabulary;
    }

    const std::vector<Merge>& merges() const { return merges_; }

    //! T::create() of it.
    template <class T>
    Expected<T> create() const {
        const std::vector<std::string_view> tokens(tokens_.begin(), tokens_.end()), rules(rules_.begin(), rules_.end());
        return T::create({tokens, types_, rules}, Normalization::none);
    }

private:
    void add(std::string text, TokenType type) {
        tokens_.push_back(std::move(text));
        types_.push_back(static_cast<std::int32_t>(type));
    }

    std::vector<Merge> merges_;
    std::vector<std::string> tokens_, rules_;
    std::vector<std::int32_t> types_;
};

}  // namespace sluice::contracts
