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
#include "sluice/core/matrix.hpp"
#include "sluice/cuda/projections.hpp"
#include "sluice/cuda/tuning.hpp"
#include "sluice/quant/dot_reference.hpp"
#include "sluice/quant/sets.hpp"
#include "support/numbers.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Emulated, cuda::Order;

namespace {

//! Two rows of a batch more than a tile, five weight rows more than a block of the grid.
template <class F, cuda::tuning::MatrixTile Tuning>
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
        const cuda::Linear<F, Tuning> kernel{{{{weights.matrix(), out.data()}}}, batch.rows, count, add};
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
            (check_linear<F, cuda::tuning::one_row>(device(), 2304, 1),
             ...);  // nine blocks of 256: more than a pass of a warp
            (check_linear<F, cuda::tuning::few_rows>(device(), 256, 10), ...);
        };
        check(quant::Any());
        constexpr cuda::tuning::MatrixTile other = {.warps = 2, .rows = 2, .columns = 4};
        check_linear<quant::Q4_K, other>(device(), 256, 6);
        check_linear<quant::F32, other>(device(), 40, 6);
        check_linear<quant::F32, cuda::tuning::one_row>(device(), 40, 1);
        check_linear<quant::Q8_0, cuda::tuning::one_row>(device(), 96, 1);
    }
}

// Rows that are no multiple of a block's, so that a block which had rows of two matrices would show.
TEST_CASE("cuda linear: matrices of one format share a launch, and have the bits of a launch each") {
    constexpr std::size_t cols = 256;
    Emulated device({.order = Order::descending});
    const UploadedMatrix<quant::Q4_K> first(device, 70, cols, 1), third(device, 5, cols, 3);
    const UploadedMatrix<quant::Q6_K> second(device, 21, cols, 2);
    const std::vector<Matrix> matrices = {first.matrix(), second.matrix(), third.matrix()};
    for (const unsigned count : {1U, 3U, 17U}) {
        CAPTURE(count);
        const Batch x(device, random_floats(count * cols, 4), cols);
        const auto launch = [&](const cuda::Projections& of) {
            const std::size_t before = device.launches();
            cuda::linear<quant::OneOf<quant::Q4_K, quant::Q6_K>>(device, of, x.rows, count);
            REQUIRE(device.finish().ok());
            return device.launches() - before;
        };
        std::vector<OnDevice<float>> alone, together;
        cuda::Projections all;
        for (std::size_t i = 0; i < matrices.size(); ++i) {
            alone.emplace_back(count * matrices[i].rows);
            together.emplace_back(count * matrices[i].rows);
            CHECK(launch({{{matrices[i], alone[i].data()}}}) == 1);
            all.each[i] = {matrices[i], together[i].data()};
        }
        CHECK(launch(all) == 2);
        for (std::size_t i = 0; i < matrices.size(); ++i) CHECK(same_bits(together[i].span(), alone[i].span()));
    }
}
