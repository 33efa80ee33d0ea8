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

//! A quantized row, to the end of its padding.
struct QuantizedRow {
    std::vector<int> levels, sums;
    std::vector<float> scales;
};

//! A quantization whatever its type, so that the laws are compiled once.
struct AnyQuantizer {
    std::size_t n;  //!< of a block
    QuantizedRow (*quantize)(std::span<const float> x);
    QuantizedRow (*reference)(std::span<const float> x);

    template <class Q, std::size_t N>
    static AnyQuantizer of() {
        return {N, [](std::span<const float> x) { return row<N>(x, Q::template quantize<N>); },
                [](std::span<const float> x) { return row<N>(x, quant::quantize_reference<N>); }};
    }

private:
    //! By way of storage that held something else before.
    template <std::size_t N>
    static QuantizedRow row(std::span<const float> x,
                            quant::Q8View<N> (*quantize)(std::span<const float>, std::byte*)) {
        const std::size_t padded = quant::Q8View<N>::padded(x.size());
        Buffer<std::byte> storage(quant::Q8View<N>::row_bytes(x.size()));
        std::fill_n(storage.data(), storage.size(), std::byte{0x5A});
        const quant::Q8View<N> view = quantize(x, storage.data());
        return {
            {view.q, view.q + padded}, {view.sums, view.sums + padded / 16}, {view.d, view.d + (padded + N - 1) / N}};
    }
};

//! One to three blocks: each spread, of few levels, zeros, tiny, subnormal, huge, or with ties of the largest.
inline std::vector<float> activation_input(Case& c, std::size_t n) {
    std::vector<float> x;
    for (std::size_t blocks = c.integer<std::size_t>(1, 3); blocks > 0; --blocks) {
        const std::vector<float> block = c.logits(n);
        x.insert(x.end(), block.begin(), block.end());
    }
    c.given("x", x);
    return x;
}

inline float largest_of_block(std::span<const float> x, std::size_t block, std::size_t n) {
    float largest = 0.0F;
    for (const float v : x.subspan(block * n, n)) largest = std::max(largest, std::fabs(v));
    return largest;
}

}  // namespace detail

//! All laws of activation quantization.
inline std::vector<Law> activation_law_list(const detail::AnyQuantizer& q) {
    using namespace detail;
    std::vector<Law> laws = {
        {"activation.within_half_a_step", "Each level times its block's scale is within half a step of the number.",
         [q](Case& c) {
             const std::vector<float> x = activation_input(c, q.n);
             const QuantizedRow row = q.quantize(x);
             for (std::size_t i = 0; i < x.size(); ++i) {
                 const double d = row.scales[i / q.n];
                 const double allowed = std::fabs(d) * tolerance::activation_steps;
                 c.near("x[" + to_text(i) + "]", d * row.levels[i], x[i],
                        {0.0, allowed + tolerance::smallest_activation});
             }
         }},
        {"activation.largest_is_127", "The largest level of a block is 127 or -127, unless the block counts as zero.",
         [q](Case& c) {
             const std::vector<float> x = activation_input(c, q.n);
             const std::vector<int> levels = q.quantize(x).levels;
             for (std::size_t b = 0; b < x.size() / q.n; ++b) {
                 int largest = 0;
                 for (std::size_t i = b * q.n; i < (b + 1) * q.n; ++i) largest = std::max(largest, std::abs(levels[i]));
                 const bool zero = largest_of_block(x, b, q.n) < tolerance::smallest_activation;
                 c.equal("largest level of block " + to_text(b), largest, zero ? 0 : 127);
             }
         }},
        {"activation.sums_of_sixteen", "The sums are those of sixteen levels each.",
         [q](Case& c) {
             const QuantizedRow row = q.quantize(activation_input(c, q.n));
             const std::vector<int> levels = row.levels;
             std::vector<int> expected;
             for (std::size_t i = 0; i < levels.size(); i += 16) {
                 const auto begin = levels.begin() + static_cast<std::ptrdiff_t>(i);
                 expected.push_back(std::accumulate(begin, begin + 16, 0));
             }
             c.equal("sums", row.sums, expected);
         }},
        {"activation.bad_numbers_mark_their_block",
         "Infinity or NaN makes its block's scale NaN and the levels zero, and changes no other block.",
         [q](Case& c) {
             std::vector<float> x = activation_input(c, q.n);
             const QuantizedRow good = q.quantize(x);
             const std::size_t at = c.integer<std::size_t>(0, x.size() - 1);
             constexpr float infinity = std::numeric_limits<float>::infinity();
             x[at] = c.pick({infinity, -infinity, std::nanf("")});
             c.given("where", at);
             const QuantizedRow row = q.quantize(x);
             for (std::size_t b = 0; b < x.size() / q.n; ++b) {
                 const bool bad = b == at / q.n;
                 c.same_bits("scale of block " + to_text(b), std::span(row.scales).subspan(b, 1),
                             std::vector{bad ? std::nanf("") : good.scales[b]});
                 for (std::size_t i = b * q.n; i < (b + 1) * q.n; ++i) {
                     c.equal("level " + to_text(i), row.levels[i], bad ? 0 : good.levels[i]);
                 }
             }
         }},
        {"activation.bits_of_the_reference", "All levels, sums and scales have the bits of quantize_reference.",
         [q](Case& c) {
             const std::vector<float> x = activation_input(c, q.n);
             const QuantizedRow row = q.quantize(x), reference = q.reference(x);
             c.equal("levels", row.levels, reference.levels);
             c.equal("sums", row.sums, reference.sums);
             c.same_bits("scales", row.scales, reference.scales);
         }},
    };
    if (q.n % 64 != 0) {  // else rows end with their storage
        laws.push_back({"activation.zeros_behind_the_end", "Behind the row's end all levels, sums and scales are zero.",
                        [q](Case& c) {
                            const std::vector<float> x = activation_input(c, q.n);
                            const QuantizedRow row = q.quantize(x);
                            const auto expect_zeros = [&](std::string_view what, auto numbers, std::size_t end) {
                                for (std::size_t i = end; i < numbers.size(); ++i) {
                                    c.expect(numbers[i] == 0, std::string(what) + " are not zero behind the end");
                                }
                            };
                            expect_zeros("levels", row.levels, x.size());
                            expect_zeros("sums", row.sums, x.size() / 16);
                            expect_zeros("scales", row.scales, x.size() / q.n);
                        }});
    }
    return laws;
}

template <class Q, std::size_t N>
std::vector<Law> activation_law_list() {
    return activation_law_list(detail::AnyQuantizer::of<Q, N>());
}

//! Checks all laws of activation quantization in blocks of N, inside a doctest test case.
template <class Q, std::size_t N>
void activation_laws(std::string_view subject) {
    check_laws(subject, activation_law_list<Q, N>());
}

}  // namespace sluice::contracts
