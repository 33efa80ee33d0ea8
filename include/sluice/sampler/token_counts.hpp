// SPDX-License-Identifier: Apache-2.0
//! The distinct tokens of the last part of a history, with how often each occurs there.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sluice/core/status.hpp"
#include "sluice/core/to_text.hpp"
#include "sluice/core/types.hpp"

namespace sluice {

//! The window of the penalties: the last n tokens of prompt and generated text, all of them for -1, none for 0.
inline std::span<const Token> last_tokens(std::span<const Token> history, std::int32_t n) {
    return n < 0 ? history : history.last(std::min(history.size(), static_cast<std::size_t>(n)));
}

//! Error: n below -1, for the field `repeat_last_n`.
inline Status check_window(std::int32_t n) {
    if (n >= -1) return {};
    return Status(Errc::invalid_argument, "repeat_last_n", to_text(n) + " is below -1",
                  "give a number of tokens, 0 (none) or -1 (the whole history)");
}

//! Counts tokens in time proportional to the window: entries of earlier windows are told by their stamp, not cleared.
//! Allocates only when the vocabulary grows.
class TokenCounts {
public:
    //! A token, and how often it occurs.
    struct Entry {
        Token token = 0;
        std::uint32_t count = 0;
    };

    //! The distinct tokens of `window` in the order of their first occurrence; valid until the next call.
    //! Error: a token outside the vocabulary.
    Expected<std::span<const Entry>> count(std::span<const Token> window, std::size_t vocab_size) {
        if (slots_.size() < vocab_size) {
            slots_.resize(vocab_size);
            entries_.reserve(vocab_size);
        }
        if (++stamp_ == 0) {  // after 2^32 calls an old stamp could look fresh
            std::fill(slots_.begin(), slots_.end(), Slot{});
            stamp_ = 1;
        }
        entries_.clear();
        for (const Token token : window) {
            if (token < 0 || static_cast<std::size_t>(token) >= vocab_size) {
                return Status(Errc::invalid_argument, "history",
                              "token " + to_text(token) + " is outside the vocabulary of " + to_text(vocab_size),
                              "give ids from 0 to " + to_text(vocab_size - 1));
            }
            Slot& slot = slots_[static_cast<std::size_t>(token)];
            if (slot.stamp != stamp_) {
                slot = {stamp_, static_cast<std::uint32_t>(entries_.size())};
                entries_.push_back({token, 0});
            }
            ++entries_[slot.entry].count;
        }
        return std::span<const Entry>(entries_);
    }

private:
    struct Slot {
        std::uint32_t stamp = 0, entry = 0;
    };
    std::vector<Slot> slots_;  // [vocab]
    std::vector<Entry> entries_;
    std::uint32_t stamp_ = 0;
};

}  // namespace sluice
