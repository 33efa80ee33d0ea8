// SPDX-License-Identifier: Apache-2.0
//! The first half of sampling on a device: penalties and biases, the check of the logits, and the few candidates among
//! which a cut can lie. Like sampler/candidates.hpp it sorts nothing: it looks at tiles of the row, and at their best.
#pragma once

#include <bit>
#include <cfloat>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "sluice/core/types.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/tuning.hpp"
#include "sluice/sampler/logit_bias.hpp"
#include "sluice/sampler/token_counts.hpp"
#include "sluice/sampler/weight.hpp"

namespace sluice::cuda {

//! A logit and its token as one number. Numbers ascend as ranks do: higher logits first, of equal ones the lower id.
using RankKey = std::uint64_t;
inline constexpr RankKey last_rank = ~RankKey{0};
inline constexpr std::uint32_t no_token = ~std::uint32_t{0};

SLUICE_HD inline RankKey rank_key(float logit, std::uint32_t id) {
    const auto bits = std::bit_cast<std::uint32_t>(logit + 0.0F);  // -0 is 0
    const std::uint32_t descending = bits >> 31 != 0 ? bits : ~bits ^ 0x80000000U;
    return RankKey{descending} << 32 | id;
}
SLUICE_HD inline float logit_of(RankKey key) {
    const auto descending = static_cast<std::uint32_t>(key >> 32);
    return std::bit_cast<float>(descending >> 31 != 0 ? descending : ~(descending ^ 0x80000000U));
}
SLUICE_HD inline std::uint32_t id_of(RankKey key) { return static_cast<std::uint32_t>(key); }

//! What sampling works in, for a row of `vocab` logits.
struct SamplerWorkspace {
    static constexpr std::size_t tile_size = tuning::logits_tile;  //!< logits that a block of threads looks at

    std::size_t vocab;
    RankKey* best;        //!< [tiles]: of each tile
    std::uint32_t* bad;   //!< [tiles]: the lowest token with a logit that is NaN or +inf, or no_token
    std::uint64_t* mass;  //!< [tiles]: the sum of the weights that are left
    RankKey* candidates;  //!< [vocab]: those that NarrowLogits keeps, in any order
    std::uint32_t* candidate_count;
    RankKey* cut;  //!< the last candidate that stays

    SLUICE_HD std::size_t tiles() const { return div_up(vocab, tile_size); }
};

//! The depth of a logit in units of the temperature, as Candidates::depth.
struct Depth {
    float highest, inverse_temperature;
    SLUICE_HD float operator()(float logit) const { return (highest - logit) * inverse_temperature; }
};

//! The best of all tiles, in all threads of a block.
template <ThreadContext T>
SLUICE_HD RankKey best_of(T& t, unsigned threads, const SamplerWorkspace& w) {
    RankKey best = last_rank;
    for (std::size_t i = t.thread(); i < w.tiles(); i += threads) best = w.best[i] < best ? w.best[i] : best;
    return t.least(best);
}

//! RepetitionPenalty, then PresenceFrequencyPenalty, for distinct tokens. A thread is a token. The tokens come as
//! arguments of the kernel: nothing is copied, so nothing waits.
struct Penalize {
    static constexpr unsigned threads = tuning::row_threads, most = 256;  //!< a launch takes 4 KiB of arguments

    float* logits;
    float repetition, presence, frequency;
    unsigned count;
    TokenCounts::Entry entries[most];

    Dim grid() const { return {grid_size(count, threads)}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const unsigned i = t.block().x * threads + t.thread();
        if (i >= count) return;
        float& x = logits[entries[i].token];
        x = x > 0.0F ? x / repetition : x * repetition;
        x = x - ::fmaf(frequency, static_cast<float>(entries[i].count), presence);
    }
};

//! LogitBias. A thread is a bias; the first one of a token adds all of them, in order.
struct AddBiases {
    static constexpr unsigned threads = tuning::row_threads, most = 256;  //!< a launch takes 4 KiB of arguments

    float* logits;
    unsigned count;
    TokenBias biases[most];

    Dim grid() const { return {grid_size(count, threads)}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const unsigned i = t.block().x * threads + t.thread();
        if (i >= count) return;
        const Token token = biases[i].token;
        for (unsigned before = 0; before < i; ++before) {
            if (biases[before].token == token) return;
        }
        float& x = logits[token];
        for (unsigned b = i; b < count; ++b) {
            if (biases[b].token == token) x = x + biases[b].bias;
        }
    }
};

//! The best and the bad logits of each tile. A block is a tile.
struct SurveyLogits {
    static constexpr unsigned threads = tuning::logits_threads;

    const float* logits;
    SamplerWorkspace w;

    Dim grid() const { return {static_cast<unsigned>(w.tiles())}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const std::size_t tile = t.block().x, first = tile * w.tile_size;
        RankKey best = last_rank;
        std::uint32_t bad = no_token;
        for (std::size_t i = first + t.thread(); i < first + w.tile_size && i < w.vocab; i += threads) {
            const auto id = static_cast<std::uint32_t>(i);
            const RankKey key = rank_key(logits[i], id);
            if (!(logits[i] <= FLT_MAX)) {
                bad = id < bad ? id : bad;
            } else {
                best = key < best ? key : best;
            }
        }
        best = t.least(best);
        bad = t.least(bad);
        if (t.thread() != 0) return;
        w.best[tile] = best;
        w.bad[tile] = bad;
        if (tile == 0) *w.candidate_count = 0;
    }
};

//! Collects the candidates up to the last one that top-k can keep and that has a weight, and some behind. A block is a
//! tile.
struct NarrowLogits {
    static constexpr unsigned threads = tuning::logits_threads;
    static constexpr std::size_t rounds = SamplerWorkspace::tile_size / threads;

    const float* logits;
    float inverse_temperature;
    std::uint32_t top_k;  //!< 0: all
    SamplerWorkspace w;

    Dim grid() const { return {static_cast<unsigned>(w.tiles())}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const std::size_t first = t.block().x * w.tile_size;
        const Depth depth{logit_of(best_of(t, threads, w)), inverse_temperature};
        const RankKey bound =
            top_k == 0 || top_k > w.tiles() || w.tiles() > tuning::most_ranked_tiles ? last_rank : kth_best(t);

        RankKey keys[rounds];
        bool stays[rounds];
        std::uint32_t count = 0;
        SLUICE_UNROLL
        for (std::size_t i = 0; i < rounds; ++i) {
            const std::size_t id = first + i * threads + t.thread();
            const float logit = id < w.vocab ? logits[id] : -std::numeric_limits<float>::infinity();
            keys[i] = rank_key(logit, static_cast<std::uint32_t>(id));
            const float down = depth(logit);  // negative for +inf, which the best is never: SurveyLogits told of it
            stays[i] = keys[i] <= bound && down >= 0.0F && down <= deepest_weight;
            count += stays[i] ? 1U : 0U;
        }
        const BlockSum<std::uint32_t> sum = t.sum(count);
        const std::uint32_t room = t.thread() == 0 ? t.add(*w.candidate_count, sum.total) : no_token;
        std::uint32_t at = t.least(room) + sum.before;
        SLUICE_UNROLL
        for (std::size_t i = 0; i < rounds; ++i) {
            if (stays[i]) w.candidates[at++] = keys[i];
        }
    }

private:
    //! The k-th best of the tiles' bests: at least k candidates rank no later.
    template <class T>
    SLUICE_HD RankKey kth_best(T& t) const {
        RankKey found = last_rank;
        for (std::size_t i = t.thread(); i < w.tiles(); i += threads) {
            std::uint32_t before = 0;
            for (std::size_t j = 0; j < w.tiles(); ++j) before += w.best[j] < w.best[i] ? 1U : 0U;
            if (before + 1 == top_k) found = w.best[i];
        }
        return t.least(found);
    }
};

}  // namespace sluice::cuda
