// SPDX-License-Identifier: Apache-2.0
//! Matrix kernels that are wrong in one way each.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "sluice/contracts/matmul_laws.hpp"
#include "sluice/contracts/mutant.hpp"
#include "sluice/quant/sets.hpp"

namespace sluice::contracts {

namespace mutants {

using TrueKernels = CpuKernels<>;
template <BlockFormat F>
using Columns = std::span<const cpu::Column<typename F::Activation>>;

struct RepeatsFirstColumn : TrueKernels {
    template <BlockFormat F>
    static void multiply(const Matrix& weights, std::size_t first, std::size_t last, Columns<F> columns) {
        std::vector same(columns.begin(), columns.end());
        if (same.size() >= 5) same.back().x = same.front().x;
        TrueKernels::multiply<F>(weights, first, last, same);
    }
};

struct IgnoresFirstRow : TrueKernels {
    template <BlockFormat F>
    static void multiply(const Matrix& weights, std::size_t first, std::size_t last, Columns<F> columns) {
        std::vector moved(columns.begin(), columns.end());
        for (auto& column : moved) column.y += first;
        TrueKernels::multiply<F>(weights, 0, last - first, moved);
    }
};

struct LosesTailOfRow : TrueKernels {
    template <BlockFormat F>
    static void multiply(Matrix weights, std::size_t first, std::size_t last, Columns<F> columns) {
        weights.cols = weights.cols / 16 * 16;
        TrueKernels::multiply<F>(weights, first, last, columns);
    }
};

//! One sum, from the first element to the last: a float dot product as anyone writes it.
struct SumsInOneChain {
    template <FloatFormat F>
    static void multiply(const Matrix& weights, std::size_t first, std::size_t last, Columns<F> columns) {
        for (const auto& [x, y] : columns) {
            for (std::size_t r = first; r < last; ++r) {
                const auto* row = quant::blocks_at<F>(weights.data + r * weights.row_bytes);
                float sum = 0.0F;
                for (std::size_t i = 0; i < weights.cols; ++i) sum = std::fma(F::decode(row[i]), x.x[i], sum);
                y[r] = sum;
            }
        }
    }
};

//! The parts of each block are right, but the blocks are added last to first.
struct AddsBlocksBackwards {
    template <IntegerFormat F>
    static void multiply(const Matrix& weights, std::size_t first, std::size_t last, Columns<F> columns) {
        for (const auto& [x, y] : columns) {
            for (std::size_t r = first; r < last; ++r) {
                const auto* row = quant::blocks_at<F>(weights.data + r * weights.row_bytes);
                y[r] = 0.0F;
                for (std::size_t b = weights.cols / F::block_size; b-- > 0;) {
                    const typename F::Activation part{x.q + b * F::block_size, x.d + b,
                                                      x.sums + b * F::block_size / 16};
                    y[r] += quant::dot_reference<F>(row + b, F::block_size, part);
                }
            }
        }
    }
};

struct WritesWholeTiles : TrueKernels {
    template <BlockFormat F>
    static void multiply(const Matrix& weights, std::size_t first, std::size_t last, Columns<F> columns) {
        TrueKernels::multiply<F>(weights, first, last, columns);
        for (const auto& column : columns) {
            for (std::size_t r = last; r % 16 != 0; ++r) column.y[r] = 0.0F;
        }
    }
};

struct InterleavesWholeTilesOnly : TrueKernels {
    template <IntegerFormat F>
    static Matrix interleave(Matrix weights, std::byte* out) {
        const std::size_t rows = weights.rows;
        weights.rows = std::max<std::size_t>(rows / 16 * 16, 1);
        Matrix copy = TrueKernels::interleave<F>(weights, out);
        copy.rows = rows;
        return copy;
    }
};

}  // namespace mutants

template <class K, BlockFormat F>
Mutant matmul_mutant(std::string_view name, std::string_view law) {
    return {std::string(name), law, matmul_law_list<K, F>()};
}

//! Of true kernels; the format's name ends the mutant's.
inline Mutant losing_last_row(const detail::AnyKernels& right) {
    using namespace detail;
    AnyKernels wrong = right;
    wrong.multiply = [right](const Matrix& weights, std::size_t first, std::size_t last,
                             const std::vector<ActivationRow>& x,
                             Outputs& y) { right.multiply(weights, first, std::max(last, first + 1) - 1, x, y); };
    return {"loses the last row of " + std::string(right.format.name), "matmul.bits_of_dot_reference",
            matmul_law_list(wrong)};
}

inline std::vector<Mutant> matmul_mutants() {
    using namespace mutants;
    using quant::F32, quant::Q4_K, quant::Q8_0;
    const auto bits = "matmul.bits_of_dot_reference", only = "matmul.writes_only_its_rows";
    std::vector<Mutant> all = {
        matmul_mutant<RepeatsFirstColumn, Q8_0>("gives the fifth column the first one's products", bits),
        matmul_mutant<IgnoresFirstRow, Q4_K>("ignores where its rows begin", bits),
        matmul_mutant<LosesTailOfRow, F32>("loses what follows the last sixteen elements", bits),
        matmul_mutant<SumsInOneChain, F32>("sums in one chain", bits),
        matmul_mutant<AddsBlocksBackwards, Q8_0>("adds the blocks backwards", bits),
        matmul_mutant<WritesWholeTiles, Q4_K>("writes whole tiles", only),
        matmul_mutant<InterleavesWholeTilesOnly, Q4_K>("interleaves whole tiles only", "matmul.interleaved_bits"),
    };
    [&]<class... F>(std::type_identity<quant::OneOf<F...>>) {
        (all.push_back(losing_last_row(detail::AnyKernels::of<TrueKernels, F>())), ...);
    }(std::type_identity<quant::Any>());
    return all;
}

}  // namespace sluice::contracts
