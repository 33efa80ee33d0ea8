// SPDX-License-Identifier: Apache-2.0
#include "sluice/interop/eigen.hpp"

#include <algorithm>
#include <cstddef>
#include <doctest/doctest.h>
#include <vector>

#include "sluice/cpu/executor.hpp"
#include "sluice/cpu/linear.hpp"

using namespace sluice;

TEST_CASE("eigen: our product of decoded weights and a batch is Eigen's") {
    constexpr std::size_t rows = 37, cols = 96, batch = 5;
    std::vector<float> weights(rows * cols), x(batch * cols), y(batch * rows);
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i * 7919 % 201) / 100.0F - 1.0F;
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 104729 % 173) / 86.0F - 1.0F;
    std::vector<std::byte> stored(rows * quant::row_bytes<quant::BF16>(cols));
    for (std::size_t r = 0; r < rows; ++r) {
        quant::encode_row<quant::BF16>(&weights[r * cols], cols, &stored[r * cols * 2]);
    }
    const Matrix matrix{stored.data(), quant::Format::BF16, rows, cols, cols * 2};

    cpu::Activations<> activations(batch, cols, {});
    for (std::size_t r = 0; r < batch; ++r) std::copy_n(&x[r * cols], cols, activations.row(r));
    cpu::SerialExecutor().run([&](auto& team) { cpu::linear<quant::Any>(team, matrix, activations, batch, y.data()); });

    const interop::RowMatrix w = interop::decode(matrix);
    const interop::RowMatrix expected = interop::as_matrix(x, batch, cols) * w.transpose();
    CHECK(w(3, 5) == doctest::Approx(weights[3 * cols + 5]).epsilon(0.01));
    CHECK((interop::as_matrix(y, batch, rows) - expected).cwiseAbs().maxCoeff() < 1e-4F);
}
