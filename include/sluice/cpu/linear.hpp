// SPDX-License-Identifier: Apache-2.0
//! Matrix times batch, for a weight matrix in any format of a Quantization policy.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "sluice/concepts/executor.hpp"
#include "sluice/concepts/quantization.hpp"
#include "sluice/core/matrix.hpp"
#include "sluice/cpu/activations.hpp"
#include "sluice/cpu/matmul.hpp"

namespace sluice::cpu {

//! Weight rows are shared out among threads in multiples of this many, so that kernels see whole tiles.
inline constexpr std::size_t row_granule = 16;

//! For each i of [0, count): destination(i)[r] = weights row r . x row source(i), for the weight rows r of `rows`.
//! source: index -> row of x; destination: index -> float*. `then`: see multiply().
template <Quantization Q, class V, class Source, class Destination>
void linear(const Matrix& weights, Range rows, const Activations<V>& x, std::size_t count, Source source,
            Destination destination, const std::byte* then = nullptr) {
    Q::visit(weights.format, [&]<class F>() {
        constexpr std::size_t most = 128;  // columns per call: 4 KiB of stack
        using View = typename F::Activation;
        std::array<Column<View>, most> columns;
        for (std::size_t done = 0; done < count; done += most) {
            const std::size_t n = std::min(most, count - done);
            for (std::size_t i = 0; i < n; ++i) {
                columns[i] = {x.template view<View>(source(done + i)), destination(done + i)};
            }
            multiply<F, V>(weights, rows.first, rows.last, std::span<const Column<View>>(columns.data(), n),
                           done + n < count ? weights.row(rows.first) : then);
        }
    });
}

//! This member's part of y [count, weights.rows] = x [count, cols] times the transposed weights. `then`, if given, is
//! the matrix of the next such call.
template <Quantization Q, Team T, class V>
void linear(T& team, const Matrix& weights, const Activations<V>& x, std::size_t count, float* y,
            const Matrix* then = nullptr) {
    const auto mine = [&](const Matrix& m) { return share(m.rows, row_granule, team.rank(), team.size()); };
    linear<Q>(
        weights, mine(weights), x, count, [](std::size_t i) { return i; },
        [&](std::size_t i) { return y + i * weights.rows; }, then != nullptr ? then->row(mine(*then).first) : nullptr);
}

}  // namespace sluice::cpu
