// SPDX-License-Identifier: Apache-2.0
//! The laws of activation quantization: rows of floats as int8 levels in blocks of 32 or 256.
//!
//!     TEST_CASE("my quantizer keeps the laws") { sluice::contracts::activation_laws<MyQuantizer, 32>("MyQuantizer"); }
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

#include "sluice/contracts/check.hpp"
#include "sluice/contracts/tolerances.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/cpu/quantize.hpp"
#include "sluice/quant/activation.hpp"

namespace sluice::contracts {

//! The library's activation quantization on one back end. Your own has the same function.
template <class V = simd::Native>
struct CpuQuantizer {
    template <std::size_t N>
    static quant::Q8View<N> quantize(std::span<const float> x, std::byte* storage) {
        return cpu::quantize_row<N, V>(x, storage);
    }
};

namespace detail {

//! A quantized row, in storage of its own that held something else before.
template <std::size_t N>
struct QuantizedRow {
    Buffer<std::byte> storage;
    quant::Q8View<N> view;
    std::size_t k;

    template <class Quantize>
    QuantizedRow(std::span<const float> x, Quantize quantize)
        : storage(quant::Q8View<N>::row_bytes(x.size())), view{}, k(x.size()) {
        std::fill_n(storage.data(), storage.size(), std::byte{0x5A});
        view = quantize(x, storage.data());
    }

    static constexpr std::size_t padded(std::size_t k) { return quant::Q8View<N>::padded(k); }

    std::vector<int> levels() const { return {view.q, view.q + padded(k)}; }
    std::vector<int> sums() const { return {view.sums, view.sums + padded(k) / 16}; }
    std::vector<float> scales() const { return {view.d, view.d + (padded(k) + N - 1) / N}; }
};

template <class Q, std::size_t N>
QuantizedRow<N> quantized(std::span<const float> x) {
    return {x, [](auto row, std::byte* storage) { return Q::template quantize<N>(row, storage); }};
}

//! One to three blocks: each spread, of few levels, zeros, tiny, subnormal, huge, or with ties of the largest.
template <std::size_t N>
std::vector<float> activation_input(Case& c) {
    std::vector<float> x;
    for (std::size_t blocks = c.integer<std::size_t>(1, 3); blocks > 0; --blocks) {
        const std::vector<float> block = c.logits(N);
        x.insert(x.end(), block.begin(), block.end());
    }
    c.given("x", x);
    return x;
}

//! The blocks whose numbers do not count as zero: magnitude 1e-36 and more.
template <std::size_t N>
float largest_of_block(std::span<const float> x, std::size_t block) {
    float largest = 0.0F;
    for (const float v : x.subspan(block * N, N)) largest = std::max(largest, std::fabs(v));
    return largest;
}
inline constexpr float smallest_activation = 1e-36F;

}  // namespace detail

//! All laws of activation quantization in blocks of N.
template <class Q, std::size_t N>
std::vector<Law> activation_law_list() {
    using namespace detail;
    return {
        {"activation.within_half_a_step", "Each level times its block's scale is within half a step of the number.",
         [](Case& c) {
             const std::vector<float> x = activation_input<N>(c);
             const QuantizedRow<N> row = quantized<Q, N>(x);
             for (std::size_t i = 0; i < x.size(); ++i) {
                 const double d = row.view.d[i / N];
                 const double allowed = std::fabs(d) * tolerance::activation_steps;
                 c.near("x[" + to_text(i) + "]", d * row.view.q[i], x[i], {0.0, allowed + smallest_activation});
             }
         }},
        {"activation.largest_is_127", "The largest level of a block is 127 or -127, unless the block counts as zero.",
         [](Case& c) {
             const std::vector<float> x = activation_input<N>(c);
             const std::vector<int> levels = quantized<Q, N>(x).levels();
             for (std::size_t b = 0; b < x.size() / N; ++b) {
                 int largest = 0;
                 for (std::size_t i = b * N; i < (b + 1) * N; ++i) largest = std::max(largest, std::abs(levels[i]));
                 const bool zero = largest_of_block<N>(x, b) < smallest_activation;
                 c.equal("largest level of block " + to_text(b), largest, zero ? 0 : 127);
             }
         }},
        {"activation.sums_of_sixteen", "The sums are those of sixteen levels each.",
         [](Case& c) {
             const QuantizedRow<N> row = quantized<Q, N>(activation_input<N>(c));
             const std::vector<int> levels = row.levels();
             std::vector<int> expected;
             for (std::size_t i = 0; i < levels.size(); i += 16) {
                 const auto begin = levels.begin() + static_cast<std::ptrdiff_t>(i);
                 expected.push_back(std::accumulate(begin, begin + 16, 0));
             }
             c.equal("sums", row.sums(), expected);
         }},
        {"activation.zeros_behind_the_end", "Behind the row's end all levels, sums and scales are zero.",
         [](Case& c) {
             const std::vector<float> x = activation_input<N>(c);
             const QuantizedRow<N> row = quantized<Q, N>(x);
             const auto expect_zeros = [&](std::string_view what, auto numbers, std::size_t end) {
                 for (std::size_t i = end; i < numbers.size(); ++i) {
                     c.expect(numbers[i] == 0, std::string(what) + " are not zero behind the end");
                 }
             };
             expect_zeros("levels", row.levels(), x.size());
             expect_zeros("sums", row.sums(), x.size() / 16);
             expect_zeros("scales", row.scales(), x.size() / N);
         }},
        {"activation.bad_numbers_mark_their_block",
         "Infinity or NaN makes its block's scale NaN and the levels zero, and changes no other block.",
         [](Case& c) {
             std::vector<float> x = activation_input<N>(c);
             const QuantizedRow<N> good = quantized<Q, N>(x);
             const std::size_t at = c.integer<std::size_t>(0, x.size() - 1);
             constexpr float infinity = std::numeric_limits<float>::infinity();
             x[at] = c.pick({infinity, -infinity, std::nanf("")});
             c.given("where", at);
             const QuantizedRow<N> row = quantized<Q, N>(x);
             for (std::size_t b = 0; b < x.size() / N; ++b) {
                 const bool bad = b == at / N;
                 c.same_bits("scale of block " + to_text(b), std::span(row.view.d + b, 1),
                             std::vector{bad ? std::nanf("") : good.view.d[b]});
                 for (std::size_t i = b * N; i < (b + 1) * N; ++i) {
                     c.equal("level " + to_text(i), int{row.view.q[i]}, bad ? 0 : int{good.view.q[i]});
                 }
             }
         }},
        {"activation.bits_of_the_reference", "All levels, sums and scales have the bits of quantize_reference.",
         [](Case& c) {
             const std::vector<float> x = activation_input<N>(c);
             const QuantizedRow<N> row = quantized<Q, N>(x), reference(x, quant::quantize_reference<N>);
             c.equal("levels", row.levels(), reference.levels());
             c.equal("sums", row.sums(), reference.sums());
             c.same_bits("scales", row.scales(), reference.scales());
         }},
    };
}

//! Checks all laws of activation quantization in blocks of N, inside a doctest test case.
template <class Q, std::size_t N>
void activation_laws(std::string_view subject) {
    check_laws(subject, activation_law_list<Q, N>());
}

}  // namespace sluice::contracts
