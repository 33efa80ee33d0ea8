// SPDX-License-Identifier: Apache-2.0
//! The tokens that may still be sampled, and their logits: what the stages of a sampler chain narrow down.
//!
//! The candidates start as the whole row of logits and are compacted in place, always in ascending order of their ids.
//! Nothing sorts or copies the row. One pass over it (scan) checks the numbers and keeps the maximum of each block of
//! 256, which lets later passes skip almost every block.
//!
//! Probabilities are whole numbers: weight = floor(2^40 * e^((logit - max) / temperature)), see sampler/weight.hpp. A
//! token less than 2^-40 times as likely as the best one has weight 0.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cfloat>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "sluice/core/math.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/to_text.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cpu/simd.hpp"
#include "sluice/sampler/weight.hpp"

namespace sluice {

//! A token and its logit.
struct Candidate {
    float logit = 0.0F;
    Token id = 0;
};

//! The order of rank: higher logit first, lower id first among equals. An object, so that algorithms inline it.
inline constexpr auto ranks_before = [](const Candidate& a, const Candidate& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
};

//! The candidates for one token at a time; the memory is kept for the next. Not for several threads at once.
class Candidates {
public:
    static constexpr std::size_t block_size = 256;                            //!< candidates under one maximum
    static constexpr std::size_t max_vocab_size = std::size_t{1} << 23;       //!< so that no sum of weights overflows
    static constexpr float masked = -std::numeric_limits<float>::infinity();  //!< a logit that is never sampled

    //! Starts over with all of `logits` [vocab], at temperature 1. The row is overwritten and must outlive the sampling
    //! of this token. Allocates only when the vocabulary grows. Error: an empty or an absurdly long row.
    Status reset(std::span<float> logits) {
        SLUICE_TRY(check_vocab_size(logits.size()));
        logits_ = logits.data();
        size_ = vocab_size_ = logits.size();
        whole_ = true;
        scanned_ = false;
        inverse_temperature_ = 1.0F;
        if (ids_.size() < vocab_size_) {
            ids_.resize(block_count() * block_size);
            block_max_.reserve(block_count());
            scratch_.reserve(vocab_size_);
        }
        return {};
    }

    std::size_t vocab_size() const { return vocab_size_; }  //!< logits in the row
    std::size_t size() const { return size_; }              //!< candidates that are left
    //! The i-th candidate's token, i < size().
    Token id(std::size_t i) const { return whole_ ? static_cast<Token>(i) : ids_[i]; }
    //! The i-th candidate in ascending order of ids, its logit before the temperature.
    Candidate operator[](std::size_t i) const { return {logits_[i], id(i)}; }

    //! Replaces the logit of token `id` by edit(logit), if it is still a candidate; a logit after Temperature is the
    //! divided one. Error: an id outside the vocabulary.
    template <class Edit>
    Status update(Token id, Edit edit) {
        SLUICE_TRY(check_token(id, vocab_size_));
        std::size_t i = static_cast<std::size_t>(id);
        if (!whole_) {
            const auto end = ids_.begin() + static_cast<std::ptrdiff_t>(size_);
            const auto found = std::lower_bound(ids_.begin(), end, id);
            if (found == end || *found != id) return {};
            i = static_cast<std::size_t>(found - ids_.begin());
        }
        logits_[i] = edit(logits_[i] * inverse_temperature_) / inverse_temperature_;
        scanned_ = false;
        return {};
    }

    //! Divides all logits by `temperature` > 0 (a factor; the row stays untouched, so no two logits become equal).
    void divide_by(float temperature) {
        inverse_temperature_ = std::clamp(inverse_temperature_ / temperature, FLT_MIN, FLT_MAX);
    }
    //! What depth() then multiplies by; 1 for a temperature of 0, at which nothing is divided.
    static float inverse(float temperature) {
        return temperature == 0.0F ? 1.0F : std::clamp(1.0F / temperature, FLT_MIN, FLT_MAX);
    }

    //! Checks the logits and finds the maxima; every stage that compares candidates calls it first, and it does nothing
    //! if nothing changed. -inf is a legal logit (a masked token). Error: NaN, +inf, or nothing but -inf.
    Status scan() {
        if (scanned_) return {};
        const auto zero = V::zero(), lowest = V::set(-FLT_MAX);
        auto poison = zero;  // becomes NaN at the first NaN or +inf: neither survives a product with 0
        block_max_.clear();
        max_ = masked;
        for (std::size_t b = 0; b < block_count(); ++b) {
            Padding padding;
            const float* x = block(b, padding);
            auto highest = V::set(masked);
            for (std::size_t i = 0; i < block_size; i += simd::lanes) {
                const auto v = V::load(x + i);
                highest = V::max(v, highest);
                poison = V::fma(V::max(lowest, v), zero, poison);
            }
            block_max_.push_back(V::max_lane(highest));
            max_ = std::max(max_, block_max_.back());
        }
        if (V::sum(poison) != 0.0F) return first_non_finite_error();
        if (max_ == masked) return nothing_left_error();
        scanned_ = true;
        return {};
    }

    // ---- The errors of sampling, whoever finds them. ----

    static Status check_vocab_size(std::size_t size) {
        if (size > 0 && size <= max_vocab_size) return {};
        return Status(Errc::invalid_argument, "logits", "a row of " + to_text(size) + " logits",
                      "give 1 to " + to_text(max_vocab_size));
    }
    static Status check_token(Token id, std::size_t vocab_size) {
        if (id >= 0 && static_cast<std::size_t>(id) < vocab_size) return {};
        return Status(Errc::invalid_argument, "token " + to_text(id),
                      "is outside the vocabulary of " + to_text(vocab_size),
                      "give ids from 0 to " + to_text(vocab_size - 1));
    }
    //! `logit` is NaN or +inf.
    static Status non_finite_error(Token id, float logit) {
        return Status(Errc::numeric, "logits[" + to_text(id) + "]", logit > FLT_MAX ? "is +inf" : "is NaN",
                      "the model's weights or its computation are broken");
    }
    static Status nothing_left_error() {
        return Status(Errc::numeric, "logits", "no token is left to sample: every logit is -inf",
                      "check the masks and biases");
    }

    // ---- Below: needs a scan() since the last update() or keep. ----

    //! The candidate that ranks first.
    Candidate best() const {
        assert(scanned_);
        const auto b =
            static_cast<std::size_t>(std::find(block_max_.begin(), block_max_.end(), max_) - block_max_.begin());
        return (*this)[static_cast<std::size_t>(std::find(logits_ + b * block_size, logits_ + size_, max_) - logits_)];
    }

    std::size_t block_count() const { return (size_ + block_size - 1) / block_size; }
    //! The highest logit of each block of candidates.
    std::span<const float> block_max() const { return block_max_; }

    //! How far below the best one a logit is, in units of the temperature: -ln(its probability / the best one's).
    float depth(float logit) const {
        assert(scanned_);
        return (max_ - logit) * inverse_temperature_;
    }

    using BlockDepths = std::array<float, block_size>;
    using BlockWeights = std::array<std::uint64_t, block_size>;

    //! The depths of the candidates of block `b`; infinity after the last one.
    void measure(std::size_t b, BlockDepths& depths) const {
        assert(scanned_);
        Padding padding;
        const float* x = block(b, padding);
        const auto highest = V::set(max_), scale = V::set(inverse_temperature_);
        for (std::size_t i = 0; i < block_size; i += simd::lanes) {
            V::store(&depths[i], V::mul(V::sub(highest, V::load(x + i)), scale));
        }
    }

    //! token_weight() of each of the depths.
    static void weigh(const BlockDepths& depths, BlockWeights& weights) {
        std::array<float, block_size> relative;
        const auto unit = V::set(static_cast<float>(unit_weight));
        for (std::size_t i = 0; i < block_size; i += simd::lanes) {
            V::store(&relative[i], V::mul(math::exp<V>(V::sub(V::zero(), V::load(&depths[i]))), unit));
        }
        for (std::size_t i = 0; i < block_size; ++i) {
            weights[i] = static_cast<std::uint64_t>(static_cast<std::int64_t>(relative[i]));
        }
    }

    // ---- Narrowing: keeps some candidates, drops the others and all masked ones. Those by rank or depth need a
    // scan(), as above: without one, NaN would be dropped unnoticed. ----

    //! Keeps the candidates for which keep(candidate) is true. Scans first, if nothing has since the last change: a NaN
    //! that is dropped would never be noticed. Errors: those of scan(); all candidates are then left.
    template <class Keep>
    Status keep_if(Keep keep) {
        SLUICE_TRY(scan());
        keep_in_blocks([](std::size_t) { return true; }, keep);
        return {};
    }

    //! Keeps `last` and those that rank before it.
    void keep_through(Candidate last) {
        assert(scanned_);
        keep_in_blocks(
            [&](std::size_t b) { return block_max_[b] >= last.logit; },
            [&](Candidate c) { return (c.logit > last.logit) | ((c.logit == last.logit) & (c.id <= last.id)); });
    }

    //! Keeps the candidates no deeper than `deepest`.
    void keep_within(float deepest) {
        assert(scanned_);
        keep_in_blocks([&](std::size_t b) { return depth(block_max_[b]) <= deepest; },
                       [&](Candidate c) { return depth(c.logit) <= deepest; });
    }

    //! Room for a stage to order candidates in; capacity vocab_size().
    std::vector<Candidate>& scratch() { return scratch_; }

private:
    using V = simd::Native;
    using Padding = std::array<float, block_size>;

    //! Block b, padded with masked logits if it is the last and not full.
    const float* block(std::size_t b, Padding& padding) const {
        const float* first = logits_ + b * block_size;
        const std::size_t count = std::min(block_size, size_ - b * block_size);
        if (count == block_size) return first;
        std::fill(std::copy_n(first, count, padding.begin()), padding.end(), masked);
        return padding.data();
    }

    //! Moves the candidates that stay to the front, of those blocks that may hold any.
    template <class MayHold, class Keep>
    void keep_in_blocks(MayHold may_hold, Keep keep) {
        if (whole_) {
            compact([](std::size_t i) { return static_cast<Token>(i); }, may_hold, keep);
        } else {
            compact([ids = ids_.data()](std::size_t i) { return ids[i]; }, may_hold, keep);
        }
        whole_ = scanned_ = false;
    }
    template <class IdOf, class MayHold, class Keep>
    void compact(IdOf id_of, MayHold may_hold, Keep keep) {
        float* const logits = logits_;
        Token* const ids = ids_.data();
        std::size_t kept = 0;
        for (std::size_t b = 0; b < block_count(); ++b) {
            if (!may_hold(b)) continue;
            Padding padding;
            const float* x = block(b, padding);
            const std::size_t first = b * block_size, count = std::min(block_size, size_ - first);
            std::array<std::uint32_t, block_size> stays;
            for (std::size_t i = 0; i < block_size; ++i) {  // of a fixed length: g++ vectorizes no other at -O2
                const Candidate candidate{x[i], id_of(first + i)};
                stays[i] =
                    static_cast<std::uint32_t>(candidate.logit > masked) & static_cast<std::uint32_t>(keep(candidate));
            }
            for (std::size_t i = 0; i < count; ++i) {  // without a branch: who stays is often a coin flip
                logits[kept] = logits[first + i];
                ids[kept] = id_of(first + i);
                kept += stays[i];
            }
        }
        size_ = kept;
    }

    Status first_non_finite_error() const {
        const auto bad = std::find_if_not(logits_, logits_ + size_, [](float x) { return x <= FLT_MAX; });
        return non_finite_error(id(static_cast<std::size_t>(bad - logits_)), *bad);
    }

    float* logits_ = nullptr;  // the caller's row; its first size_ values are the candidates' logits
    std::vector<Token> ids_;   // their ids, once something was dropped
    std::size_t size_ = 0, vocab_size_ = 0;
    bool whole_ = true;  // nothing was dropped yet: the i-th candidate is token i
    float inverse_temperature_ = 1.0F;
    bool scanned_ = false;
    float max_ = masked;
    std::vector<float> block_max_;
    std::vector<Candidate> scratch_;
};

}  // namespace sluice
