// SPDX-License-Identifier: Apache-2.0
//! Activation quantizations that are wrong in one way each.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/contracts/activation_laws.hpp"
#include "sluice/contracts/mutant.hpp"

namespace sluice::contracts {

namespace mutants {

//! The true quantization; then Mutation::change(x, row) changes what it wrote.
template <class Mutation>
struct MutantQuantizer {
    template <std::size_t N>
    static quant::Q8View<N> quantize(std::span<const float> x, std::byte* storage) {
        const auto view = quant::quantize_reference<N>(x, storage);
        Mutation::change(x, quant::Q8Row<N>(storage, x.size()));
        return view;
    }

    //! Sums that fit the levels.
    template <std::size_t N>
    static void sum_again(std::size_t k, const quant::Q8Row<N>& row) {
        for (std::size_t i = 0; i < k; i += 16) {
            int sum = 0;
            for (std::size_t j = i; j < i + 16; ++j) sum += row.q[j];
            row.sums[i / 16] = static_cast<std::int16_t>(sum);
        }
    }
};

struct CutsFractions : MutantQuantizer<CutsFractions> {
    template <std::size_t N>
    static void change(std::span<const float> x, const quant::Q8Row<N>& row) {
        for (std::size_t i = 0; i < x.size(); ++i) {
            const float d = row.d[i / N];
            if (d != 0.0F && std::isfinite(d)) row.q[i] = static_cast<std::int8_t>(x[i] / d);
        }
        sum_again(x.size(), row);
    }
};

struct UsesSixBits : MutantQuantizer<UsesSixBits> {
    template <std::size_t N>
    static void change(std::span<const float> x, const quant::Q8Row<N>& row) {
        for (std::size_t i = 0; i < x.size(); ++i) row.q[i] /= 2;
        for (std::size_t b = 0; b < x.size() / N; ++b) row.d[b] *= 2.0F;
        sum_again(x.size(), row);
    }
};

struct SumsMagnitudes : MutantQuantizer<SumsMagnitudes> {
    template <std::size_t N>
    static void change(std::span<const float> x, const quant::Q8Row<N>& row) {
        for (std::size_t i = 0; i < x.size() / 16; ++i) row.sums[i] = static_cast<std::int16_t>(std::abs(row.sums[i]));
    }
};

struct LeavesOldEnd : MutantQuantizer<LeavesOldEnd> {
    template <std::size_t N>
    static void change(std::span<const float> x, const quant::Q8Row<N>& row) {
        if (quant::Q8View<N>::padded(x.size()) > x.size()) row.q[x.size()] = 0x5A;
    }
};

struct MarksWholeRow : MutantQuantizer<MarksWholeRow> {
    template <std::size_t N>
    static void change(std::span<const float> x, const quant::Q8Row<N>& row) {
        const std::size_t blocks = x.size() / N;
        const bool bad = std::any_of(row.d, row.d + blocks, [](float d) { return std::isnan(d); });
        if (bad) std::fill_n(row.d, blocks, std::numeric_limits<float>::quiet_NaN());
    }
};

struct HidesBadNumbers : MutantQuantizer<HidesBadNumbers> {
    template <std::size_t N>
    static void change(std::span<const float> x, const quant::Q8Row<N>& row) {
        std::replace_if(
            row.d, row.d + x.size() / N, [](float d) { return std::isnan(d); }, 0.0F);
    }
};

struct TurnsSignsAround : MutantQuantizer<TurnsSignsAround> {
    template <std::size_t N>
    static void change(std::span<const float> x, const quant::Q8Row<N>& row) {
        for (std::size_t i = 0; i < x.size(); ++i) row.q[i] = static_cast<std::int8_t>(-row.q[i]);
        for (std::size_t b = 0; b < x.size() / N; ++b) row.d[b] = -row.d[b];
        sum_again(x.size(), row);
    }
};

}  // namespace mutants

template <class Q, std::size_t N>
Mutant activation_mutant(std::string_view name, std::string_view law) {
    return {std::string(name), law, activation_law_list<Q, N>()};
}

inline std::vector<Mutant> activation_mutants() {
    using namespace mutants;
    const auto marks = "activation.bad_numbers_mark_their_block";
    return {
        activation_mutant<CutsFractions, 256>("cuts fractions", "activation.within_half_a_step"),
        activation_mutant<UsesSixBits, 32>("uses half of the levels", "activation.largest_is_127"),
        activation_mutant<SumsMagnitudes, 32>("drops the signs of the sums", "activation.sums_of_sixteen"),
        activation_mutant<LeavesOldEnd, 32>("leaves what lay behind the end", "activation.zeros_behind_the_end"),
        activation_mutant<MarksWholeRow, 256>("marks the whole row for one NaN", marks),
        activation_mutant<HidesBadNumbers, 32>("takes a block with a NaN for zero", marks),
        activation_mutant<TurnsSignsAround, 256>("gives levels and scales the other sign",
                                                 "activation.bits_of_the_reference"),
    };
}

}  // namespace sluice::contracts
