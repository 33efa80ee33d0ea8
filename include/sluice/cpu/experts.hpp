// SPDX-License-Identifier: Apache-2.0
//! SwiGLU experts (Shazeer 2020): down(silu(gate(x)) * up(x)), each expert's rows computed together.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sluice/concepts/experts.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/core/checked.hpp"
#include "sluice/core/math.hpp"
#include "sluice/cpu/activations.hpp"
#include "sluice/cpu/linear.hpp"

namespace sluice::cpu {

//! An entry is one (row, choice) pair, numbered row * used + choice. Every member of the team takes its slice of every
//! active expert's matrix rows, so the work is even whichever experts are chosen.
template <class V = simd::Native>
class SwiGluExperts {
public:
    SwiGluExperts(const ExpertsShape& shape, ActivationForms down_forms)
        : shape_(shape),
          begin_(shape.experts + 1),
          entries_(array_size(shape.max_rows, shape.used)),
          up_(array_size(entries_.size(), shape.ff)),
          inner_(entries_.size(), shape.ff, down_forms),
          results_(array_size(entries_.size(), shape.hidden)) {}

    template <Quantization Q, Team T>
    void apply(T& team, const ExpertWeights& weights, const Activations<V>& x, std::span<const ExpertChoice> choices,
               float* output) {
        if (team.rank() == 0) group(choices);
        team.barrier();

        const Range ff = share(shape_.ff, row_granule, team.rank(), team.size());
        const Range hidden = share(shape_.hidden, row_granule, team.rank(), team.size());
        const auto first_down = [&](std::size_t expert) {
            return weights.down.row(expert * shape_.hidden + hidden.first);
        };
        each_active_expert([&](std::size_t expert, std::span<const std::uint32_t> entries, std::size_t next) {
            const std::size_t rows = expert * shape_.ff;
            const auto row_of = [&](std::size_t i) { return entries[i] / shape_.used; };
            linear<Q>(
                weights.gate.slice(rows, shape_.ff), ff, x, entries.size(), row_of,
                [&](std::size_t i) { return inner_.row(entries[i]); }, weights.up.row(rows + ff.first));
            linear<Q>(
                weights.up.slice(rows, shape_.ff), ff, x, entries.size(), row_of,
                [&](std::size_t i) { return up_.data() + entries[i] * shape_.ff; },
                next < shape_.experts ? weights.gate.row(next * shape_.ff + ff.first) : first_down(next_active(0)));
            for (const std::uint32_t entry : entries) gate(inner_.row(entry), up_.data() + entry * shape_.ff, ff);
        });
        team.barrier();

        const Range mine = share(choices.size(), 1, team.rank(), team.size());
        for (std::size_t entry = mine.first; entry < mine.last; ++entry) inner_.quantize(entry);
        team.barrier();

        each_active_expert([&](std::size_t expert, std::span<const std::uint32_t> entries, std::size_t next) {
            linear<Q>(
                weights.down.slice(expert * shape_.hidden, shape_.hidden), hidden, inner_, entries.size(),
                [&](std::size_t i) { return entries[i]; },
                [&](std::size_t i) { return results_.data() + entries[i] * shape_.hidden; },
                next < shape_.experts ? first_down(next) : nullptr);
        });
        for (std::size_t row = 0; row < choices.size() / shape_.used; ++row) {
            combine(choices.subspan(row * shape_.used, shape_.used),
                    results_.data() + row * shape_.used * shape_.hidden, hidden, output + row * shape_.hidden);
        }
    }

private:
    //! Counting sort of the entries by expert.
    void group(std::span<const ExpertChoice> choices) {
        std::fill(begin_.begin(), begin_.end(), 0U);
        for (const ExpertChoice& choice : choices) ++begin_[static_cast<std::size_t>(choice.expert) + 1];
        for (std::size_t e = 1; e <= shape_.experts; ++e) begin_[e] += begin_[e - 1];
        for (std::size_t entry = choices.size(); entry-- > 0;) {
            // Filling each expert's range from its end moves that to its begin; the shift below restores it.
            entries_[--begin_[static_cast<std::size_t>(choices[entry].expert) + 1]] = static_cast<std::uint32_t>(entry);
        }
        std::copy(begin_.begin() + 1, begin_.end(), begin_.begin());
        begin_.back() = static_cast<std::uint32_t>(choices.size());
    }

    //! The first expert from e on that has any entries, or the number of experts.
    std::size_t next_active(std::size_t e) const {
        while (e < shape_.experts && begin_[e] == begin_[e + 1]) ++e;
        return e;
    }

    //! f(expert, its entries in ascending order, the next active one) for each active expert.
    template <class F>
    void each_active_expert(F f) const {
        for (std::size_t e = next_active(0), next = 0; e < shape_.experts; e = next) {
            next = next_active(e + 1);
            f(e, std::span<const std::uint32_t>(entries_.data() + begin_[e], begin_[e + 1] - begin_[e]), next);
        }
    }

    //! inner = silu(inner) * up, on the range.
    static void gate(float* inner, const float* up, Range range) {
        for (std::size_t i = range.first; i < range.last; i += simd::lanes) {
            const std::size_t n = std::min(simd::lanes, range.last - i);
            const auto gated = V::mul(math::silu<V>(V::load_first(inner + i, n)), V::load_first(up + i, n));
            V::store_first(inner + i, gated, n);
        }
    }

    //! output = sum of weight * result over a row's choices, in their order, on the range.
    void combine(std::span<const ExpertChoice> choices, const float* results, Range range, float* output) const {
        for (std::size_t i = range.first; i < range.last; i += simd::lanes) {
            const std::size_t n = std::min(simd::lanes, range.last - i);
            auto sum = V::zero();
            for (std::size_t c = 0; c < choices.size(); ++c) {
                sum = V::fma(V::set(choices[c].weight), V::load_first(results + c * shape_.hidden + i, n), sum);
            }
            V::store_first(output + i, sum, n);
        }
    }

    ExpertsShape shape_;
    std::vector<std::uint32_t> begin_;    // [experts + 1]: where each expert's entries begin
    std::vector<std::uint32_t> entries_;  // [max_rows * used], by expert
    Buffer<float> up_;                    // [entries, ff]
    Activations<V> inner_;                // [entries, ff]: gate, then silu(gate) * up
    Buffer<float> results_;               // [entries, hidden]
};

}  // namespace sluice::cpu
