// SPDX-License-Identifier: Apache-2.0
//! The second half of sampling on a device: one token of those that are left, each with its probability.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "sluice/core/random.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cuda/candidates.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/tuning.hpp"
#include "sluice/sampler/weight.hpp"

namespace sluice::cuda {

//! Which candidates are left, and what they weigh.
struct Survivors {
    Depth depth;
    RankKey cut;    //!< the last one in rank
    float deepest;  //!< min-p: the depth of the last one

    //! 0 for who is out, and for what is not a number.
    SLUICE_HD std::uint64_t weight(float logit, std::size_t id) const {
        const float down = depth(logit);
        const bool stays = down >= 0.0F && down <= deepest && rank_key(logit, static_cast<std::uint32_t>(id)) <= cut;
        return stays ? token_weight(down) : 0;
    }
};

//! What is drawn from, and how.
struct Draw {
    const float* logits;
    float inverse_temperature;
    bool greedy;    //!< take the best
    bool has_cut;   //!< FindCut came before
    float deepest;  //!< min-p: the depth of the last one that stays; infinity: all
    SamplerWorkspace w;

    template <class T>
    SLUICE_HD Survivors survivors(T& t, unsigned threads) const {
        return {{logit_of(best_of(t, threads, w)), inverse_temperature}, has_cut ? *w.cut : last_rank, deepest};
    }
};

//! The mass of each tile. A block is a tile.
struct WeighTiles {
    static constexpr unsigned threads = tuning::logits_threads;

    Draw draw;

    Dim grid() const { return {static_cast<unsigned>(draw.w.tiles())}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const std::size_t tile = t.block().x, first = tile * SamplerWorkspace::tile_size;
        const Survivors left = draw.survivors(t, threads);
        std::uint64_t mass = 0;
        for (std::size_t i = t.thread(); i < SamplerWorkspace::tile_size && first + i < draw.w.vocab; i += threads) {
            mass += left.weight(draw.logits[first + i], first + i);
        }
        const BlockSum<std::uint64_t> sum = t.sum(mass);
        if (t.thread() == 0) draw.w.mass[tile] = sum.total;
    }
};

//! What came of sampling.
struct Outcome {
    enum class Kind : std::uint32_t { token, non_finite, nothing_left };
    Kind kind = Kind::token;
    Token token = 0;     //!< the one that was drawn, or the first one that is not finite
    float logit = 0.0F;  //!< of that one
};

//! Inverts the cumulative distribution in ascending order of ids, as Multinomial; or takes the best. Also writes the
//! row that comes next, so that a forward pass behind this kernel can go on from it; after an error, that of token 0.
//! One block.
struct PickToken {
    static constexpr unsigned threads = tuning::logits_threads;

    Draw draw;
    std::uint64_t seed;
    std::uint32_t sequence, position;  //!< of the number that is drawn
    Outcome* outcome;
    Row next;  //!< but for the token
    Row* row;

    Dim grid() const { return {}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const SamplerWorkspace& w = draw.w;
        std::uint32_t bad = no_token;
        for (std::size_t i = t.thread(); i < w.tiles(); i += threads) bad = w.bad[i] < bad ? w.bad[i] : bad;
        bad = t.least(bad);
        const RankKey best = best_of(t, threads, w);
        if (bad != no_token) return give(t, Outcome::Kind::non_finite, bad);
        if (logit_of(best) == -std::numeric_limits<float>::infinity()) {
            return give(t, Outcome::Kind::nothing_left, id_of(best));
        }
        if (draw.greedy) return give(t, Outcome::Kind::token, id_of(best));

        std::uint64_t mine = 0;
        for (std::size_t i = t.thread(); i < w.tiles(); i += threads) mine += w.mass[i];
        std::uint64_t target = drawn_weight(uniform(seed, sequence, position), t.sum(mine).total);
        const std::uint64_t tile = find(t, w.tiles(), target, [&](std::size_t i) { return w.mass[i]; });
        const Survivors left = draw.survivors(t, threads);
        const std::size_t first = tile * w.tile_size,
                          end = first + w.tile_size < w.vocab ? first + w.tile_size : w.vocab;
        const std::uint64_t at =
            find(t, end - first, target, [&](std::size_t i) { return left.weight(draw.logits[first + i], first + i); });
        give(t, Outcome::Kind::token, static_cast<std::uint32_t>(first + at));
    }

private:
    //! The first of `count` weights whose sum is more than `target`, and takes the sum of those before it from that.
    template <class T, class WeightAt>
    static SLUICE_HD std::uint64_t find(T& t, std::size_t count, std::uint64_t& target, WeightAt weight_at) {
        constexpr std::uint64_t none = ~std::uint64_t{0};
        for (std::size_t first = 0; first < count; first += threads) {
            const std::size_t i = first + t.thread();
            const std::uint64_t weight = i < count ? weight_at(i) : 0;
            const BlockSum<std::uint64_t> sum = t.sum(weight);
            if (target >= sum.total) {
                target -= sum.total;
                continue;
            }
            const bool mine = target >= sum.before && target - sum.before < weight;
            const std::uint64_t found = t.least(mine ? std::uint64_t{i} : none);
            target -= t.least(mine ? sum.before : none);
            return found;
        }
        return 0;  // not reached: the weights add up to more than the target
    }

    template <class T>
    SLUICE_HD void give(T& t, Outcome::Kind kind, std::uint32_t token) const {
        if (t.thread() != 0) return;
        *outcome = {kind, static_cast<Token>(token), draw.logits[token]};
        if (row == nullptr) return;
        *row = next;
        row->token = kind == Outcome::Kind::token ? static_cast<Token>(token) : 0;
    }
};

}  // namespace sluice::cuda
