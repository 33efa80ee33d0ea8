// SPDX-License-Identifier: Apache-2.0
//! Byte-pair merging: the merge rules in a hash table, and the O(n log n) way to apply them to a word.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "sluice/core/types.hpp"

namespace sluice {

//! Merge rules (left, right) -> result. A rule's rank is the order in which it was added; lower ranks go first.
class BpeMerges {
public:
    static constexpr std::uint32_t no_rank = std::numeric_limits<std::uint32_t>::max();  //!< of a pair without a rule

    //! For at most `capacity` rules.
    explicit BpeMerges(std::size_t capacity = 0) : slots_(std::bit_ceil(2 * capacity + 1)) {
        results_.reserve(capacity);
    }

    //! False, and nothing done, if there is a rule for this pair already.
    bool add(Token left, Token right, Token result) {
        Slot& slot = slots_[probe(pair_of(left, right))];
        if (slot.rank != no_rank) return false;
        slot = {pair_of(left, right), static_cast<std::uint32_t>(results_.size())};
        results_.push_back(result);
        return true;
    }

    //! The rank of the rule for a pair, or no_rank.
    std::uint32_t rank_of(Token left, Token right) const { return slots_[probe(pair_of(left, right))].rank; }

    //! What the rule of that rank makes; not for no_rank.
    Token result_of(std::uint32_t rank) const { return results_[rank]; }

private:
    struct Slot {
        std::uint64_t pair = 0;
        std::uint32_t rank = no_rank;
    };

    static constexpr std::uint64_t pair_of(Token left, Token right) {
        return std::uint64_t{static_cast<std::uint32_t>(left)} << 32U | static_cast<std::uint32_t>(right);
    }

    //! The pair's slot, or the free one where it belongs: at least half of the slots are free.
    std::size_t probe(std::uint64_t pair) const {
        const std::size_t mask = slots_.size() - 1;
        const std::uint64_t mixed = pair * 0x9E3779B97F4A7C15U;  // 2^64 / golden ratio; its high bits are well mixed
        for (std::size_t at = (mixed ^ mixed >> 32U) & mask;; at = (at + 1) & mask) {
            if (slots_[at].rank == no_rank || slots_[at].pair == pair) return at;
        }
    }

    std::vector<Slot> slots_;
    std::vector<Token> results_;
};

//! Applies merge rules to words, one after the other, in memory that it keeps. Not for use by several threads at once.
class BpeMerger {
public:
    //! The rules must outlive it.
    explicit BpeMerger(const BpeMerges& merges) : merges_(merges) {}

    //! Starting from the token of each byte, merges the lowest-ranked pair, the leftmost of equals, until no rule
    //! applies, and appends what is left to `out`. Needs a word of less than 4 GiB - 1; takes O(n log n) time.
    void merge(std::string_view word, std::span<const Token, 256> byte_tokens, std::vector<Token>& out) {
        symbols_.clear();
        candidates_.clear();
        for (const char byte : word) {
            const auto i = static_cast<std::uint32_t>(symbols_.size());
            symbols_.push_back({byte_tokens[static_cast<unsigned char>(byte)], BpeMerges::no_rank, i - 1, i + 1});
        }
        for (std::uint32_t i = 0; i + 1 < symbols_.size(); ++i) {
            if (set_rank(i)) candidates_.push_back(candidate(i));
        }
        std::make_heap(candidates_.begin(), candidates_.end(), std::greater{});
        while (!candidates_.empty()) {
            std::pop_heap(candidates_.begin(), candidates_.end(), std::greater{});
            const std::uint64_t best = candidates_.back();
            candidates_.pop_back();
            const auto at = static_cast<std::uint32_t>(best);
            if (best == candidate(at)) join(at);  // else one of its two symbols has been merged since
        }
        for (std::uint32_t i = 0; i < symbols_.size(); i = symbols_[i].next) out.push_back(symbols_[i].token);
    }

private:
    //! A part of the word, linked to its neighbours; `rank` is that of the pair it begins.
    struct Symbol {
        Token token;
        std::uint32_t rank;
        std::uint32_t previous;  // wraps to 2^32 - 1 for the first
        std::uint32_t next;
    };

    //! A pair that can be merged, as (rank, position), so that plain order is the order of merging.
    std::uint64_t candidate(std::uint32_t at) const { return std::uint64_t{symbols_[at].rank} << 32U | at; }

    //! True if a rule applies to the pair that begins at `at`.
    bool set_rank(std::uint32_t at) {
        Symbol& left = symbols_[at];
        const bool last = left.next >= symbols_.size();
        left.rank = last ? BpeMerges::no_rank : merges_.rank_of(left.token, symbols_[left.next].token);
        return left.rank != BpeMerges::no_rank;
    }

    void push_candidate(std::uint32_t at) {
        if (!set_rank(at)) return;
        candidates_.push_back(candidate(at));
        std::push_heap(candidates_.begin(), candidates_.end(), std::greater{});
    }

    void join(std::uint32_t at) {
        Symbol& left = symbols_[at];
        Symbol& right = symbols_[left.next];
        left.token = merges_.result_of(left.rank);
        left.next = right.next;
        right.rank = BpeMerges::no_rank;
        if (left.next < symbols_.size()) symbols_[left.next].previous = at;
        push_candidate(at);
        if (left.previous < at) push_candidate(left.previous);
    }

    const BpeMerges& merges_;
    std::vector<Symbol> symbols_;
    std::vector<std::uint64_t> candidates_;  // a heap, lowest first
};

}  // namespace sluice
