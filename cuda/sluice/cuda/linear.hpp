// SPDX-License-Identifier: Apache-2.0
//! Matrix times batch on the device.
#pragma once

#include <algorithm>
#include <cstddef>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/format.hpp"
#include "sluice/cuda/activations.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/dot_tile.hpp"
#include "sluice/cuda/mma_linear.hpp"
#include "sluice/cuda/projections.hpp"
#include "sluice/cuda/tuning.hpp"
#include "sluice/cuda/warp_tiles.hpp"

namespace sluice::cuda {

//! Each y [count, rows] = x [count, cols] times the transposed weights, or y += that.
template <BlockFormat F, tuning::MatrixTile Tuning>
struct Linear {
    static constexpr unsigned threads = Tuning.threads();
    using Tile = DotTile<F, Tuning.rows, Tuning.columns>;

    Projections of;
    ActivationRows x;
    unsigned count;
    bool add;

    Dim grid() const { return {of.blocks(Tuning.block_rows()), grid_size(count, Tuning.columns)}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const detail::TileWarp<Tile, Tuning.warps> warp(t);
        unsigned block = t.block().x;
        const Projection& p = of.find(block, Tuning.block_rows());
        const std::size_t first_row = warp.first_row(block, Tuning.rows);
        const unsigned first_column = t.block().y * Tuning.columns;
        const float product = Tile::multiply(
            t, warp.scratch, p.weights.cols, count - first_column,
            [&](unsigned r) { return detail::row_or_last(p.weights, 0, p.weights.rows, first_row + r); },
            [&](unsigned c) { return x.template view<typename F::Activation>(first_column + c); });
        const std::size_t row = first_row + warp.lane / Tuning.columns,
                          column = first_column + warp.lane % Tuning.columns;
        if (warp.lane >= Tile::products || row >= p.weights.rows || column >= count) return;
        float& out = p.y[column * p.weights.rows + row];
        out = add ? out + product : product;
    }
};

//! Each y = x times the transposed weights, or y += that, for weights in any format of Q. Those that share a format
//! share a launch.
template <Quantization Q, class D>
void linear(D& device, Projections of, const ActivationRows& x, unsigned count, bool add = false) {
    const auto launch = [&](const auto& kernel) { device.launch(kernel, kernel.grid()); };
    Projection* const end = of.each + of.size();
    for (Projection* first = of.each; first != end;) {
        const quant::Format format = first->weights.format;
        Projection* const last =
            std::partition(first, end, [&](const Projection& p) { return p.weights.format == format; });
        Projections alike;
        std::copy(first, last, alike.each);
        Q::visit(format, [&]<class F>() {
            if (count == 1) return launch(Linear<F, tuning::one_row>{alike, x, count, add});
            if constexpr (IntegerFormat<F>) {
                if (count >= tuning::many_from) return launch(MmaLinear<F>{alike, x, count, add});
            }
            launch(Linear<F, tuning::few_rows>{alike, x, count, add});
        });
        first = last;
    }
}

}  // namespace sluice::cuda
