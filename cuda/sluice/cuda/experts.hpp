// SPDX-License-Identifier: Apache-2.0
//! SwiGLU experts on the device, for one row and for a batch. No atomics: one thread adds up an output element, in the
//! order of the router's choices.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "sluice/concepts/experts.hpp"
#include "sluice/concepts/quantization.hpp"
#include "sluice/core/math.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cuda/activations.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/dot_tile.hpp"
#include "sluice/cuda/expert_groups.hpp"
#include "sluice/cuda/mma_experts.hpp"
#include "sluice/cuda/tuning.hpp"
#include "sluice/cuda/warp_tiles.hpp"

namespace sluice::cuda {

namespace detail {

//! The entries of which a block computes some elements: its own one, or all of its own expert, Columns at a time.
template <unsigned Columns>
struct BlockEntries {
    std::size_t expert, begin, end;
    const std::uint32_t* entries;

    SLUICE_HD BlockEntries(std::size_t index, const ExpertChoice* choices, const ExpertGroups& groups)
        : expert(Columns == 1 ? static_cast<std::size_t>(choices[index].expert) : index),
          begin(Columns == 1 ? index : groups.begin[index]),
          end(Columns == 1 ? index + 1 : groups.begin[index + 1]),
          entries(groups.entries) {}

    SLUICE_HD std::size_t at(std::size_t i) const { return Columns == 1 ? i : entries[i]; }
};

}  // namespace detail

//! inner [entries, ff] = silu(gate x) * up x by each entry's expert. Half of a warp's rows are of `gate`, the others
//! the same ones of `up`, which has the same format. One column: a block has one entry; more: the entries of one
//! expert.
template <BlockFormat F, tuning::MatrixTile Tuning>
struct GateUp {
    static constexpr unsigned threads = Tuning.threads(), elements = Tuning.rows / 2, columns = Tuning.columns;
    using Tile = DotTile<F, Tuning.rows, columns>;
    static_assert(std::has_single_bit(elements * columns));  // a gate and its up differ by one bit of their lanes

    Matrix gate, up;  //!< [experts * ff, hidden]
    ActivationRows x;
    const ExpertChoice* choices;  //!< [rows, used]
    ExpertGroups groups;          //!< if there are more columns than one
    std::size_t used, entries;
    ActivationRows inner;

    Dim grid() const {
        return {grid_size(inner.k, Tuning.warps * elements),
                static_cast<unsigned>(columns == 1 ? entries : gate.rows / inner.k)};
    }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const detail::TileWarp<Tile, Tuning.warps> warp(t);
        const std::size_t ff = inner.k, first = warp.first_row(t.block().x, elements);
        const detail::BlockEntries<columns> mine(t.block().y, choices, groups);
        for (std::size_t i = mine.begin; i < mine.end; i += columns) {
            const float product = Tile::multiply(
                t, warp.scratch, gate.cols, static_cast<unsigned>(mine.end - i),
                [&](unsigned r) {
                    return detail::row_or_last(r < elements ? gate : up, mine.expert * ff, ff, first + r % elements);
                },
                [&](unsigned c) { return x.template view<typename F::Activation>(mine.at(i + c) / used); });
            const float other = t.shuffle_xor(product, elements * columns);
            const std::size_t row = first + warp.lane / columns, entry = i + warp.lane % columns;
            if (warp.lane < elements * columns && row < ff && entry < mine.end) {
                inner.row(mine.at(entry))[row] = math::silu(product) * other;
            }
        }
    }
};

//! One row: residual [hidden] += the weighted sum of down(inner) by its chosen experts.
template <BlockFormat F, tuning::MatrixTile Tuning = tuning::one_row>
struct Down {
    static constexpr unsigned threads = Tuning.threads();
    using Tile = DotTile<F, Tuning.rows, 1>;
    static_assert(Tuning.columns == 1);

    Matrix down;  //!< [experts * hidden, ff]
    ActivationRows inner;
    const ExpertChoice* choices;  //!< [used]
    std::size_t used, hidden;
    float* residual;

    Dim grid() const { return {grid_size(hidden, Tuning.block_rows())}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const detail::TileWarp<Tile, Tuning.warps> warp(t);
        const std::size_t first = warp.first_row(t.block().x, Tuning.rows);
        float sum = 0.0F;
        for (std::size_t entry = 0; entry < used; ++entry) {
            const ExpertChoice choice = choices[entry];
            const float product = Tile::multiply(
                t, warp.scratch, down.cols, 1,
                [&](unsigned r) {
                    return detail::row_or_last(down, static_cast<std::size_t>(choice.expert) * hidden, hidden,
                                               first + r);
                },
                [&](unsigned) { return inner.template view<typename F::Activation>(entry); });
            sum = ::fmaf(choice.weight, product, sum);
        }
        if (warp.lane < Tuning.rows && first + warp.lane < hidden) residual[first + warp.lane] += sum;
    }
};

//! results [entries, hidden] = down(inner), expert by expert.
template <BlockFormat F, tuning::MatrixTile Tuning = tuning::few_rows>
struct GroupedDown {
    static constexpr unsigned threads = Tuning.threads(), columns = Tuning.columns;
    using Tile = DotTile<F, Tuning.rows, columns>;

    Matrix down;  //!< [experts * hidden, ff]
    ActivationRows inner;
    ExpertGroups groups;
    std::size_t hidden;
    float* results;

    Dim grid() const { return {grid_size(hidden, Tuning.block_rows()), static_cast<unsigned>(down.rows / hidden)}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const detail::TileWarp<Tile, Tuning.warps> warp(t);
        const std::size_t first = warp.first_row(t.block().x, Tuning.rows);
        const detail::BlockEntries<columns> mine(t.block().y, nullptr, groups);
        for (std::size_t i = mine.begin; i < mine.end; i += columns) {
            const float product = Tile::multiply(
                t, warp.scratch, down.cols, static_cast<unsigned>(mine.end - i),
                [&](unsigned r) { return detail::row_or_last(down, mine.expert * hidden, hidden, first + r); },
                [&](unsigned c) { return inner.template view<typename F::Activation>(mine.at(i + c)); });
            const std::size_t row = first + warp.lane / columns, entry = i + warp.lane % columns;
            if (row < hidden && entry < mine.end) results[mine.at(entry) * hidden + row] = product;
        }
    }
};

//! residual [rows, hidden] += the weighted sum of each row's results, in the order of the choices.
struct CombineExperts {
    static constexpr unsigned threads = tuning::row_threads;

    const float* results;         //!< [rows, used, hidden]
    const ExpertChoice* choices;  //!< [rows, used]
    std::size_t used, hidden;
    unsigned rows;
    float* residual;

    Dim grid() const { return {grid_size(hidden, threads), rows}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const std::size_t r = t.block().y, i = std::size_t{t.block().x} * threads + t.thread();
        if (i >= hidden) return;
        float sum = 0.0F;
        for (std::size_t entry = r * used; entry < (r + 1) * used; ++entry) {
            sum = ::fmaf(choices[entry].weight, results[entry * hidden + i], sum);
        }
        residual[r * hidden + i] += sum;
    }
};

//! to [size] += from, which is what experts elsewhere gave. A thread is an element.
struct AddTo {
    static constexpr unsigned threads = tuning::row_threads;

    float* to;
    const float* from;
    std::size_t size;

    Dim grid() const { return {grid_size(size, threads)}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const std::size_t i = std::size_t{t.block().x} * threads + t.thread();
        if (i < size) to[i] += from[i];
    }
};

//! What experts work in.
struct ExpertsWorkspace {
    ActivationRows inner;  //!< [rows * used, ff]
    ExpertGroups groups;
    float* results;  //!< [rows * used, hidden]
};

//! residual += the experts' results for the rows of x. One row's weights are read where they are chosen; for a batch
//! the entries are sorted, so that an expert's weights serve eight of them at once, or 32 if there are many rows.
template <Quantization Q, class D>
void apply_experts(D& device, const ExpertWeights& weights, const ActivationRows& x, const ExpertChoice* choices,
                   std::size_t used, unsigned rows, const ExpertsWorkspace& w, float* residual) {
    const auto launch = [&](const auto& kernel) { device.launch(kernel, kernel.grid()); };
    const std::size_t entries = rows * used, experts = weights.gate.rows / w.inner.k;
    if (rows > 1) launch(GroupByExpert{choices, experts, entries, w.groups});
    Q::visit(weights.gate.format, [&]<class F>() {
        if constexpr (IntegerFormat<F>) {
            if (rows >= tuning::many_from)
                return launch(MmaGateUp<F>{weights.gate, weights.up, x, w.groups, used, w.inner});
        }
        if (rows > 1)
            return launch(
                GateUp<F, tuning::few_rows>{weights.gate, weights.up, x, choices, w.groups, used, entries, w.inner});
        launch(GateUp<F, tuning::one_row>{weights.gate, weights.up, x, choices, w.groups, used, entries, w.inner});
    });
    launch(QuantizeRows{w.inner, static_cast<unsigned>(entries)});
    Q::visit(weights.down.format, [&]<class F>() {
        if constexpr (IntegerFormat<F>) {
            if (rows >= tuning::many_from) return launch(MmaDown<F>{weights.down, w.inner, w.groups, x.k, w.results});
        }
        if (rows > 1) return launch(GroupedDown<F>{weights.down, w.inner, w.groups, x.k, w.results});
        launch(Down<F>{weights.down, w.inner, choices, used, x.k, residual});
    });
    if (rows > 1) launch(CombineExperts{w.results, choices, used, x.k, rows, residual});
}

}  // namespace sluice::cuda
