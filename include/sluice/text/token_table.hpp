// SPDX-License-Identifier: Apache-2.0
//! The bytes of every token, and a hash table from bytes back to the token.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/core/hash.hpp"
#include "sluice/core/types.hpp"

namespace sluice {

//! Byte strings numbered from 0, end to end in one block.
class TokenBytes {
public:
    //! Adds the bytes of the next token.
    void append(std::string_view piece) {
        bytes_ += piece;
        ends_.push_back(bytes_.size());
    }

    std::size_t size() const { return ends_.size(); }  //!< tokens

    //! The token's bytes; empty for an id outside the vocabulary.
    std::string_view operator[](Token token) const {
        const auto i = static_cast<std::size_t>(token);
        if (token < 0 || i >= ends_.size()) return {};
        const std::size_t start = i == 0 ? 0 : ends_[i - 1];
        return std::string_view(bytes_).substr(start, ends_[i] - start);
    }

private:
    std::string bytes_;
    std::vector<std::size_t> ends_;
};

//! Finds tokens by their bytes, which stay in a TokenBytes: every call must be given the same one.
class TokenIndex {
public:
    //! For at most `capacity` tokens.
    explicit TokenIndex(std::size_t capacity = 0) : slots_(std::bit_ceil(2 * capacity + 1)) {}

    //! False, and nothing done, if a token with the same bytes is there already.
    bool insert(const TokenBytes& pieces, Token token) {
        const std::string_view piece = pieces[token];
        const std::uint64_t hash = hash_of(std::span(piece.data(), piece.size()));
        Slot& slot = slots_[probe(pieces, piece, hash)];
        if (slot.token != none) return false;
        slot = {static_cast<std::uint32_t>(hash >> 32U), token};
        return true;
    }

    //! The token with exactly these bytes, if there is one.
    std::optional<Token> find(const TokenBytes& pieces, std::string_view piece) const {
        const Slot& slot = slots_[probe(pieces, piece, hash_of(std::span(piece.data(), piece.size())))];
        if (slot.token == none) return std::nullopt;
        return slot.token;
    }

private:
    static constexpr Token none = -1;
    struct Slot {
        std::uint32_t hash_high = 0;
        Token token = none;
    };

    //! The slot that holds `piece`, or the free one where it belongs: at least half of the slots are free.
    std::size_t probe(const TokenBytes& pieces, std::string_view piece, std::uint64_t hash) const {
        const std::size_t mask = slots_.size() - 1;
        for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
            const Slot& slot = slots_[at];
            if (slot.token == none) return at;
            if (slot.hash_high == static_cast<std::uint32_t>(hash >> 32U) && pieces[slot.token] == piece) return at;
        }
    }

    std::vector<Slot> slots_;
};

}  // namespace sluice
