// SPDX-License-Identifier: Apache-2.0
//! Prompt lookup (Saxena, "Prompt lookup decoding", 2023): text that repeats itself is guessed from where it was
//! before, in the prompt or in the answer.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sluice/core/hash.hpp"
#include "sluice/core/types.hpp"

namespace sluice::draft {

//! Proposes what followed the latest occurrence of the last three, two or one tokens, the longest first; and goes on
//! from there as long as the text does the same.
//!
//! Every token is compared with what would have been guessed for it, whether it was proposed or not, so what a guess is
//! worth costs nothing to learn: a proposal is as long as pays by the share of guesses that were right lately, told
//! apart by the length of the match. Text that does not repeat itself gets none.
class PromptLookup {
public:
    static constexpr std::size_t max_tokens = 15;

    explicit PromptLookup(std::size_t context) : latest_(std::bit_ceil(4 * context)) {}

    void restart() {
        std::fill(latest_.begin(), latest_.end(), 0U);
        hits_.fill({});
        seen_ = matched_ = 0;
    }

    //! Constant time for each new token; no allocation.
    std::span<const Token> propose(std::span<const Token> history, std::size_t most) {
        while (seen_ < history.size()) take_in(history.first(++seen_));
        const std::size_t count = worthwhile(std::min(most, max_tokens));
        for (std::size_t i = 0; i < count; ++i) {  // a text with a short period is guessed beyond its end
            const std::size_t at = next_ + i;
            guesses_[i] = at < history.size() ? history[at] : guesses_[at - history.size()];
        }
        return {guesses_.data(), count};
    }

private:
    static constexpr std::size_t longest_gram = 3;
    static constexpr std::size_t longest_match = 8;  // longer ones count as this long

    //! How often a guess was right; old ones count less and less.
    struct HitRate {
        float hits = 1.0F, guesses = 2.0F;

        void add(bool right) {
            hits += right ? 1.0F : 0.0F;
            guesses += 1.0F;
            if (guesses < 32.0F) return;
            hits /= 2.0F;
            guesses /= 2.0F;
        }
        float value() const { return hits / guesses; }
    };

    //! Compares the last token of `text` with its guess, and finds the next one's.
    void take_in(std::span<const Token> text) {
        if (matched_ > 0) {
            const bool right = text[next_] == text.back();
            hits_[matched_ - 1].add(right);
            matched_ = right ? std::min(matched_ + 1, longest_match) : 0;
            ++next_;
        }
        for (std::size_t n = std::min(longest_gram, text.size()); n > 0; --n) {
            const auto gram = text.last(n);
            std::uint32_t& latest = latest_[hash_of(gram) % latest_.size()];
            const bool stands_there =
                latest >= n && latest < text.size() && std::ranges::equal(gram, text.subspan(latest - n, n));
            if (stands_there && matched_ < n) {
                matched_ = n;
                next_ = latest;
            }
            latest = static_cast<std::uint32_t>(text.size());  // whatever else has the same hash is forgotten
        }
    }

    //! The number of guesses that gives the most tokens for what they cost.
    std::size_t worthwhile(std::size_t most) const {
        // Of a further row, where a forward pass of one row costs 1: measured on the story model, one thread of Zen 4,
        // 2 to 12 rows. Two threads pay less.
        constexpr float row_cost = 0.65F;
        if (matched_ == 0) return 0;
        float tokens = 1.0F, cost = 1.0F, chance = 1.0F;  // of a pass with `count` guesses, the last one right
        std::size_t count = 0;
        for (; count < most; ++count) {
            chance *= hits_[std::min(matched_ + count, longest_match) - 1].value();
            if (chance * cost <= row_cost * tokens) break;
            tokens += chance;
            cost += row_cost;
        }
        return count;
    }

    std::vector<std::uint32_t> latest_;  // by the hash of 1 to 3 tokens: where the text went on after them
    std::array<HitRate, longest_match> hits_{};
    std::array<Token, max_tokens> guesses_{};
    std::size_t seen_ = 0;     // tokens taken in
    std::size_t matched_ = 0;  // tokens before next_ that are those at the end of the text; 0: no match
    std::size_t next_ = 0;     // where the next token may have been before
};

}  // namespace sluice::draft
