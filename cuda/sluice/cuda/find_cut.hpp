// SPDX-License-Identifier: Apache-2.0
//! Top-k and top-p on a device: the last candidate that stays, found by narrowing its place down digit by digit.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sluice/cuda/candidates.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/tuning.hpp"
#include "sluice/sampler/weight.hpp"

namespace sluice::cuda {

//! One block looks at the candidates. A round adds up their weights in the bins of a digit and finds the bin in which
//! the sum, best first, reaches the goal; the next round looks at that bin alone. Sums are whole numbers, so the order
//! in which threads add decides nothing.
//!
//! The first two digits are of the depth, which spreads over the bins, as the bits of a float do not; they mostly end
//! it. The others, of the logit's bits and of the id, tell apart what they leave.
struct FindCut {
    static constexpr unsigned threads = tuning::cut_threads, resident_blocks = 1;

    float inverse_temperature;
    std::uint32_t top_k;  //!< 0: all
    float top_p;          //!< off outside (0, 1)
    SamplerWorkspace w;

    Dim grid() const { return {}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        Shared& shared = t.template shared<Shared>();
        const Depth depth{logit_of(best_of(t, threads, w)), inverse_temperature};
        RankKey cut = last_rank;
        if (top_k != 0) {  // what NarrowLogits left out is behind its last candidate
            cut = select(
                t, shared, depth, [](RankKey) { return std::uint64_t{1}; },
                [&](std::uint64_t total) { return top_k < total ? top_k : total; });
        }
        if (top_p > 0.0F && top_p < 1.0F) {
            const RankKey last = cut;
            cut = select(
                t, shared, depth,
                [&](RankKey key) { return key <= last ? token_weight(depth(logit_of(key))) : std::uint64_t{0}; },
                [&](std::uint64_t total) { return nucleus_weight(top_p, total); });
        }
        if (t.thread() == 0) *w.cut = cut;
    }

private:
    static constexpr unsigned bins = tuning::cut_bins, digits = 9;
    static constexpr unsigned bins_a_thread = bins / threads;

    struct Shared {
        std::uint64_t weight[bins];
        RankKey key[bins];  // one of the bin's
        std::uint32_t count[bins];
        std::uint64_t missing;  // of the goal, behind the bins before the chosen one
        std::uint32_t chosen[digits];
    };

    //! Digit `i` of a candidate's place in the ranking.
    static SLUICE_HD std::uint32_t digit(const Depth& depth, RankKey key, unsigned i) {
        constexpr float steps = 32.0F * bins;  // a unit of depth; less than bins * bins in all
        static_assert(deepest_weight * steps < static_cast<float>(bins * bins));
        if (i < 2) {
            const auto step = static_cast<std::uint32_t>(depth(logit_of(key)) * steps);
            return i == 0 ? step / bins : step % bins;
        }
        return static_cast<std::uint32_t>(key >> (8 * (digits - 1 - i)) >> (i < 6 ? 8 : 0)) & 0xFF;
    }

    //! The candidate with which the sum of weight_of(key), best first, reaches goal_of(the sum of all).
    template <class T, class WeightOf, class GoalOf>
    SLUICE_HD RankKey select(T& t, Shared& shared, const Depth& depth, WeightOf weight_of, GoalOf goal_of) const {
        for (unsigned round = 0; round < digits; ++round) {
            for (unsigned b = t.thread(); b < bins; b += threads) {
                shared.weight[b] = 0;
                shared.count[b] = 0;
            }
            t.barrier();
            for (std::size_t i = t.thread(); i < *w.candidate_count; i += threads) {
                const RankKey key = w.candidates[i];
                const std::uint64_t weight = weight_of(key);
                if (weight == 0 || !is_chosen(shared, depth, key, round)) continue;
                const std::uint32_t bin = digit(depth, key, round);
                t.add(shared.weight[bin], weight);
                if (t.add(shared.count[bin], 1U) == 0) shared.key[bin] = key;
            }
            t.barrier();
            choose(t, shared, round, goal_of);
            const std::uint32_t bin = shared.chosen[round];
            if (bin == bins) return last_rank;  // there is no weight at all: an error, which PickToken tells
            const bool alone = shared.count[bin] == 1;
            const RankKey key = shared.key[bin];
            t.barrier();
            if (alone) return key;
        }
        return last_rank;  // not reached: ids differ
    }

    //! Whether the digits before `round` are those of the chosen bins.
    static SLUICE_HD bool is_chosen(const Shared& shared, const Depth& depth, RankKey key, unsigned round) {
        for (unsigned i = 0; i < round; ++i) {
            if (digit(depth, key, i) != shared.chosen[i]) return false;
        }
        return true;
    }

    //! Sets chosen[round] to the bin in which the sum reaches the goal, and `missing` to what it lacks before.
    template <class T, class GoalOf>
    static SLUICE_HD void choose(T& t, Shared& shared, unsigned round, GoalOf goal_of) {
        const unsigned first = t.thread() * bins_a_thread;
        std::uint64_t mine = 0;
        for (unsigned b = first; b < first + bins_a_thread; ++b) mine += shared.weight[b];
        const BlockSum<std::uint64_t> sum = t.sum(mine);
        const std::uint64_t goal = round == 0 ? goal_of(sum.total) : shared.missing;
        if (t.thread() == 0 && sum.total == 0) shared.chosen[round] = bins;
        t.barrier();
        std::uint64_t before = sum.before;
        for (unsigned b = first; b < first + bins_a_thread; ++b) {
            if (before < goal && goal <= before + shared.weight[b]) {
                shared.missing = goal - before;
                shared.chosen[round] = b;
            }
            before += shared.weight[b];
        }
        t.barrier();
    }
};

}  // namespace sluice::cuda
