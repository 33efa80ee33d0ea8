// SPDX-License-Identifier: Apache-2.0
#include "sluice/cpu/linear.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <vector>

#include "sluice/cpu/executor.hpp"
#include "sluice/quant/dot_reference.hpp"
#include "sluice/quant/row.hpp"
#include "sluice/quant/sets.hpp"
#include "support/numbers.hpp"

using namespace sluice;
using namespace sluice::test;
using quant::Format;

namespace {

//! A random matrix that owns its bytes.
struct OwnedMatrix {
    std::vector<std::byte> bytes;
    Matrix matrix;

    OwnedMatrix(Format format, std::size_t rows, std::size_t cols) {
        const std::vector<float> values = random_floats(rows * cols, static_cast<std::uint32_t>(rows + cols));
        quant::Any::visit(format, [&]<class F>() {
            bytes.resize(quant::row_bytes<F>(rows * cols));
            quant::encode_row<F>(values.data(), values.size(), bytes.data());
        });
        matrix = {bytes.data(), format, rows, cols, bytes.size() / rows};
    }
};

cpu::Activations<> random_rows(std::size_t rows, std::size_t k, const Matrix& reader) {
    cpu::ActivationForms forms;
    forms.add<quant::Any>(reader);
    cpu::Activations<> x(rows, k, forms);
    for (std::size_t r = 0; r < rows; ++r) {
        const auto values = random_floats(k, static_cast<std::uint32_t>(1000 + r));
        std::copy(values.begin(), values.end(), x.row(r));
        x.quantize(r);
    }
    return x;
}

float dot(const Matrix& w, std::size_t row, const cpu::Activations<>& x, std::size_t r) {
    return quant::Any::visit(w.format, [&]<class F>() {
        return quant::dot_reference<F>(quant::blocks_at<F>(w.data + row * w.row_bytes), w.cols,
                                       x.view<typename F::Activation>(r));
    });
}

}  // namespace

TEST_CASE("linear: any format, count and number of threads gives the reference dot products") {
    for (const Format format : {Format::F32, Format::BF16, Format::Q8_0, Format::Q4_K, Format::Q6_K}) {
        for (const std::size_t count : {1U, 5U, 130U}) {  // 130 is more than one call's columns
            const OwnedMatrix w(format, 50, 256);
            const cpu::Activations<> x = random_rows(count, 256, w.matrix);
            std::vector<float> wanted;
            for (std::size_t i = 0; i < count; ++i) {
                for (std::size_t row = 0; row < 50; ++row) wanted.push_back(dot(w.matrix, row, x, i));
            }
            for (const std::size_t threads : {1U, 3U, 8U}) {
                CAPTURE(quant::format_name(format));
                CAPTURE(count);
                CAPTURE(threads);
                cpu::ThreadPool pool(threads);
                std::vector<float> y(count * 50, -1.0F);
                pool.run([&](auto& team) { cpu::linear<quant::Any>(team, w.matrix, x, count, y.data()); });
                CHECK(same_bits(y, wanted));
            }
        }
    }
}

TEST_CASE("linear: chosen sources and destinations, a range of weight rows, nothing else written") {
    const OwnedMatrix w(Format::Q4_K, 40, 256);
    const cpu::Activations<> x = random_rows(4, 256, w.matrix);
    const std::size_t sources[] = {3, 0, 3};
    std::vector<float> y(3 * 40, -1.0F);
    cpu::linear<quant::Any>(
        w.matrix, {7, 30}, x, 3, [&](std::size_t i) { return sources[i]; },
        [&](std::size_t i) { return &y[(2 - i) * 40]; });
    for (std::size_t i = 0; i < 3; ++i) {
        for (std::size_t row = 0; row < 40; ++row) {
            const float wanted = row >= 7 && row < 30 ? dot(w.matrix, row, x, sources[i]) : -1.0F;
            CHECK(same_bits(y[(2 - i) * 40 + row], wanted));
        }
    }
}
