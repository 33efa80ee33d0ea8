// SPDX-License-Identifier: Apache-2.0
#include "sluice/cuda/linear.hpp"

#include <array>
#include <cstddef>
#include <cstring>
#include <doctest/doctest.h>
#include <span>
#include <vector>

#include "cuda/on_device.hpp"
#include "cuda/uploaded_matrix.hpp"
#include "sluice/quant/dot_reference.hpp"
#include "sluice/quant/sets.hpp"
#include "support/numbers.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Emulated, cuda::Order;

namespace {

//! Two rows of a batch more than a tile, five weight rows more than a block of the grid.
template <class F, unsigned Columns>
void check_linear(Emulated device, std::size_t cols, unsigned count) {
    CAPTURE(F::name);
    CAPTURE(cols);
    CAPTURE(count);
    const UploadedMatrix<F> weights(device, 21, cols, 7);
    const std::vector<float> x = random_floats(count * cols, 8);
    Batch batch(device, x, cols);
    std::vector<float> y = random_floats(count * weights.rows, 9), before = y;
    for (const bool add : {false, true}) {
        const OnDevice<float> out(y);
        const cuda::Linear<F, Columns> kernel{weights.matrix(), batch.rows, count, out.data(), add};
        device.launch(kernel, kernel.grid());
        REQUIRE(device.finish().ok());
        for (unsigned c = 0; c < count; ++c) {
            for (std::size_t r = 0; r < weights.rows; ++r) {
                const std::size_t i = c * weights.rows + r;
                const float dot =
                    quant::dot_reference<F>(weights.row(r), cols, batch.rows.view<typename F::Activation>(c));
                CHECK(same_bits(out.data()[i], add ? before[i] + dot : dot));
            }
        }
    }
}

}  // namespace

// Every format but Q5_0 has pieces of its own; that one shows the form for all others.
TEST_CASE("cuda linear: the bits of the reference dot product, in every format and any order of threads") {
    for (const Order order : {Order::ascending, Order::descending}) {
        const auto device = [&] { return Emulated({.order = order}); };
        const auto check = [&]<class... F>(quant::OneOf<F...>) {
            (check_linear<F, 1>(device(), 2304, 1), ...);  // nine blocks of 256: more than a pass of a warp
            (check_linear<F, 8>(device(), 256, 10), ...);
        };
        check(quant::Any());
        check_linear<quant::F32, 1>(device(), 40, 1);
        check_linear<quant::Q8_0, 1>(device(), 96, 1);
    }
}
