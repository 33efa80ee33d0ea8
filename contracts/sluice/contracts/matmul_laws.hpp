// SPDX-License-Identifier: Apache-2.0
//! The laws of matrix kernels: the bits of quant::dot_reference, however rows and columns come.
//!
//!     TEST_CASE("my kernels keep the laws") { sluice::contracts::matmul_laws<MyKernels, quant::Q4_K>("MyKernels"); }
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "sluice/concepts/quantization.hpp"
#include "sluice/contracts/check.hpp"
#include "sluice/contracts/quantization_laws.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/core/matrix.hpp"
#include "sluice/cpu/matmul.hpp"
#include "sluice/quant/dot_reference.hpp"

namespace sluice::contracts {

//! The library's kernels on one back end. Your own kernels have these two functions, or the first.
template <class V = simd::Native>
struct CpuKernels {
    template <BlockFormat F>
    static void multiply(const Matrix& weights, std::size_t first_row, std::size_t last_row,
                         std::span<const cpu::Column<typename F::Activation>> columns) {
        cpu::multiply<F, V>(weights, first_row, last_row, columns);
    }
    template <IntegerFormat F>
    static Matrix interleave(const Matrix& weights, std::byte* out) {
        return cpu::interleave<F, V>(weights, out);
    }
};

namespace detail {

//! Weights and columns to be multiplied, and where the products go: a vector of rows + slack for each column.
template <BlockFormat F>
struct Product {
    static constexpr std::size_t slack = 16;
    static constexpr float untouched = 12345.0F;

    std::size_t rows, k, first, last;
    std::vector<typename F::Block> blocks;
    std::vector<ActivationRow<F>> x;
    std::vector<std::vector<float>> y;

    //! Ragged rows and columns as often as full tiles; NaN among the scales too.
    explicit Product(Case& c) {
        const auto layout = oracle::layout_of(F::format);
        rows = c.pick<std::size_t>({1, 16, 17, c.integer<std::size_t>(1, 37)});
        k = F::block_size == 1 ? c.pick<std::size_t>({1, 15, 16, 33, 64})
                               : c.integer<std::size_t>(1, 3) * F::block_size;
        last = c.chance(0.5) ? rows : c.integer<std::size_t>(0, rows);
        first = c.chance(0.5) ? 0 : c.integer<std::size_t>(0, last);
        const bool hostile = c.chance(0.1);
        for (std::size_t i = 0; i < rows * k / F::block_size; ++i) {
            blocks.push_back(block_of<F>(block_bytes(c, layout, hostile && c.chance(0.1))));
            if constexpr (FloatFormat<F>) {
                if (!(std::fabs(F::decode(blocks.back())) < 1e4F) && !hostile) blocks.back() = {};
            }
        }
        for (std::size_t n = c.pick<std::size_t>({1, 2, 3, 5, 13}); n > 0; --n) x.emplace_back(c, k);
        y.assign(x.size(), std::vector<float>(rows + slack, untouched));
        c.given("rows", rows);
        c.given("k", k);
        c.given("columns", x.size());
        c.given("first", first);
        c.given("last", last);
    }

    Matrix matrix() const {
        return {reinterpret_cast<const std::byte*>(blocks.data()), F::format, rows, k, quant::row_bytes<F>(k)};
    }

    template <class K>
    void multiply(const Matrix& weights) {
        std::vector<cpu::Column<typename F::Activation>> columns;
        for (std::size_t n = 0; n < x.size(); ++n) columns.push_back({x[n].view(), y[n].data()});
        K::template multiply<F>(weights, first, last, columns);
    }

    void expect_reference_bits(const Case& c) const {
        for (std::size_t n = 0; n < x.size(); ++n) {
            std::vector<float> expected;
            for (std::size_t r = first; r < last; ++r) {
                const auto* row = blocks.data() + r * k / F::block_size;
                expected.push_back(quant::dot_reference<F>(row, k, x[n].view()));
            }
            c.same_bits("products of column " + to_text(n), std::span(y[n]).subspan(first, last - first), expected);
        }
    }
};

}  // namespace detail

//! All laws of kernels for one format.
template <class K, BlockFormat F>
std::vector<Law> matmul_law_list() {
    using namespace detail;
    std::vector<Law> laws = {
        {"matmul.bits_of_dot_reference", "Each product has dot_reference's bits, whatever is computed with it.",
         [](Case& c) {
             Product<F> product(c);
             product.template multiply<K>(product.matrix());
             product.expect_reference_bits(c);
         }},
        {"matmul.writes_only_its_rows", "Products are written for the rows asked for and no others.",
         [](Case& c) {
             Product<F> product(c);
             product.template multiply<K>(product.matrix());
             for (const std::vector<float>& y : product.y) {
                 for (std::size_t r = 0; r < y.size(); ++r) {
                     const bool asked = product.first <= r && r < product.last;
                     if (!asked) c.equal("row " + to_text(r), y[r], Product<F>::untouched);
                 }
             }
         }},
    };
    if constexpr (IntegerFormat<F> && requires(Matrix m, std::byte * out) { K::template interleave<F>(m, out); }) {
        laws.push_back({"matmul.interleaved_bits", "Interleaved weights give the same bits.", [](Case& c) {
                            Product<F> product(c);
                            product.first = product.first / 16 * 16;
                            Buffer<std::byte> copy(cpu::interleaved_bytes<F>(product.rows, product.k));
                            std::fill_n(copy.data(), copy.size(), std::byte{0});
                            product.template multiply<K>(K::template interleave<F>(product.matrix(), copy.data()));
                            product.expect_reference_bits(c);
                        }});
    }
    return laws;
}

//! Checks all laws of kernels for one format, inside a doctest test case.
template <class K, BlockFormat F>
void matmul_laws(std::string_view subject) {
    check_laws(subject, matmul_law_list<K, F>());
}

}  // namespace sluice::contracts
