// SPDX-License-Identifier: Apache-2.0
//! The laws of matrix kernels: the bits of quant::dot_reference, however rows and columns come.
//!
//!     TEST_CASE("my kernels keep the laws") { sluice::contracts::matmul_laws<MyKernels, quant::Q4_K>("MyKernels"); }
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
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

//! Where each column's products go.
using Outputs = std::vector<std::vector<float>>;

//! Kernels for one format whatever their types, so that the laws are compiled once.
struct AnyKernels {
    AnyFormat format;
    std::function<void(const Matrix& weights, std::size_t first, std::size_t last, const std::vector<ActivationRow>& x,
                       Outputs& y)>
        multiply;
    std::function<Matrix(const Matrix& weights, Buffer<std::byte>& copy)> interleave;  //!< empty if there is none

    template <class K, BlockFormat F>
    static AnyKernels of() {
        AnyKernels any{AnyFormat::of<F>(), multiply_columns<K, F>, {}};
        if constexpr (IntegerFormat<F> && requires(Matrix m, std::byte * out) { K::template interleave<F>(m, out); }) {
            any.interleave = [](const Matrix& weights, Buffer<std::byte>& copy) {
                copy = Buffer<std::byte>(cpu::interleaved_bytes<F>(weights.rows, weights.cols));
                std::fill_n(copy.data(), copy.size(), std::byte{0});
                return K::template interleave<F>(weights, copy.data());
            };
        }
        return any;
    }

private:
    template <class K, BlockFormat F>
    static void multiply_columns(const Matrix& weights, std::size_t first, std::size_t last,
                                 const std::vector<ActivationRow>& x, Outputs& y) {
        std::vector<cpu::Column<typename F::Activation>> columns;
        for (std::size_t n = 0; n < x.size(); ++n) columns.push_back({x[n].view<F>(), y[n].data()});
        K::template multiply<F>(weights, first, last, columns);
    }
};

//! Weights and columns to be multiplied, and where the products go: a vector of rows + slack for each column.
struct Product {
    static constexpr std::size_t slack = 16;
    static constexpr float untouched = 12345.0F;

    AnyKernels kernels;
    std::size_t rows, k, first, last;
    BlockBytes weights;
    std::vector<ActivationRow> x;
    Outputs y;

    //! Ragged rows and columns as often as full tiles; NaN among the scales too.
    Product(Case& c, const AnyKernels& k_) : kernels(k_) {
        const AnyFormat& format = kernels.format;
        const auto layout = oracle::layout_of(format.format);
        rows = c.pick<std::size_t>({1, 16, 17, c.integer<std::size_t>(1, 37)});
        k = format.is_float() ? c.pick<std::size_t>({1, 15, 16, 33, 64})
                              : c.integer<std::size_t>(1, 3) * format.block_size;
        last = c.chance(0.5) ? rows : c.integer<std::size_t>(0, rows);
        first = c.chance(0.5) ? 0 : c.integer<std::size_t>(0, last);
        const bool hostile = c.chance(0.1);
        for (std::size_t i = 0; i < rows * k / format.block_size; ++i) {
            BlockBytes block = block_bytes(c, layout, hostile && c.chance(0.1));
            const bool huge = format.is_float() && !(std::fabs(format.decode(block)[0]) < 1e4F);
            if (huge && !hostile) block.assign(block.size(), 0);
            weights.insert(weights.end(), block.begin(), block.end());
        }
        for (std::size_t n = c.pick<std::size_t>({1, 2, 3, 5, 13}); n > 0; --n) x.emplace_back(c, format.block_size, k);
        y.assign(x.size(), std::vector<float>(rows + slack, untouched));
        c.given("rows", rows);
        c.given("k", k);
        c.given("columns", x.size());
        c.given("first", first);
        c.given("last", last);
    }

    Matrix matrix() const {
        return {reinterpret_cast<const std::byte*>(weights.data()), kernels.format.format, rows, k, row_bytes()};
    }
    std::size_t row_bytes() const { return weights.size() / rows; }

    void multiply(const Matrix& by) { kernels.multiply(by, first, last, x, y); }

    void expect_reference_bits(const Case& c) const {
        for (std::size_t n = 0; n < x.size(); ++n) {
            std::vector<float> expected;
            for (std::size_t r = first; r < last; ++r) {
                expected.push_back(kernels.format.dot(weights.data() + r * row_bytes(), k, x[n]));
            }
            c.same_bits("products of column " + to_text(n), std::span(y[n]).subspan(first, last - first), expected);
        }
    }
};

}  // namespace detail

//! All laws of kernels for one format.
inline std::vector<Law> matmul_law_list(const detail::AnyKernels& kernels) {
    using namespace detail;
    std::vector<Law> laws = {
        {"matmul.bits_of_dot_reference", "Each product has dot_reference's bits, whatever is computed with it.",
         [kernels](Case& c) {
             Product product(c, kernels);
             product.multiply(product.matrix());
             product.expect_reference_bits(c);
         }},
        {"matmul.writes_only_its_rows", "Products are written for the rows asked for and no others.",
         [kernels](Case& c) {
             Product product(c, kernels);
             product.multiply(product.matrix());
             for (const std::vector<float>& y : product.y) {
                 for (std::size_t r = 0; r < y.size(); ++r) {
                     const bool asked = product.first <= r && r < product.last;
                     if (!asked) c.equal("row " + to_text(r), y[r], Product::untouched);
                 }
             }
         }},
    };
    if (kernels.interleave) {
        laws.push_back({"matmul.interleaved_bits", "Interleaved weights give the same bits.", [kernels](Case& c) {
                            Product product(c, kernels);
                            product.first = product.first / 16 * 16;
                            Buffer<std::byte> copy;
                            product.multiply(kernels.interleave(product.matrix(), copy));
                            product.expect_reference_bits(c);
                        }});
    }
    return laws;
}

template <class K, BlockFormat F>
std::vector<Law> matmul_law_list() {
    return matmul_law_list(detail::AnyKernels::of<K, F>());
}

//! Checks all laws of kernels for one format, inside a doctest test case.
template <class K, BlockFormat F>
void matmul_laws(std::string_view subject) {
    check_laws(subject, matmul_law_list<K, F>());
}

}  // namespace sluice::contracts
