// SPDX-License-Identifier: Apache-2.0
#include "sluice/cuda/activations.hpp"

#include <cmath>
#include <cstddef>
#include <cstring>
#include <doctest/doctest.h>
#include <limits>
#include <span>
#include <vector>

#include "cuda/on_device.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/cpu/norm.hpp"
#include "sluice/quant/activation.hpp"
#include "support/numbers.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Emulated, cuda::Order;

namespace {

//! Row r of `got` has the bytes of the definition.
template <std::size_t N>
void check_bytes(std::span<const float> x, std::size_t r, const std::byte* got) {
    using View = quant::Q8View<N>;
    Buffer<std::byte> wanted(View::row_bytes(x.size()));
    quant::quantize_reference<N>(x, wanted.data());
    const std::size_t used = View::d_offset(x.size()) + View::padded(x.size()) / N * sizeof(float);
    CHECK(std::memcmp(got + r * View::row_bytes(x.size()), wanted.data(), used) == 0);
}

}  // namespace

TEST_CASE("cuda activations: the bytes of the reference quantization") {
    constexpr float huge = std::numeric_limits<float>::infinity();
    for (const Order order : {Order::ascending, Order::descending}) {
        for (const std::size_t k : {32UL, 96UL, 256UL, 2304UL}) {  // 2304: more than one round of a block
            CAPTURE(k);
            std::vector<float> x = random_floats(5 * k, 3);
            for (std::size_t i = 0; i < k; ++i) x[k + i] = i % 2 == 0 ? -2.0F : 2.0F;        // ties of magnitude
            for (std::size_t i = 0; i < k; ++i) x[2 * k + i] = i % 2 == 0 ? -0.0F : 1e-38F;  // too small to scale
            x[3 * k + 7] = std::nanf("");
            x[4 * k + 31] = -huge;
            Emulated device({.order = order});
            const Batch batch(device, x, k);
            REQUIRE(device.finish().ok());
            for (std::size_t r = 0; r < batch.count; ++r) {
                const std::span<const float> row(x.data() + r * k, k);
                check_bytes<32>(row, r, batch.q8_32.data());
                if (k % 256 == 0) check_bytes<256>(row, r, batch.q8_256.data());
            }
        }
    }
}

TEST_CASE("cuda activations: normalized rows have the CPU's bits, and come from the rows that are named") {
    for (const std::size_t k : {40UL, 256UL, 2304UL}) {
        CAPTURE(k);
        Emulated device({.order = Order::descending});
        const OnDevice<float> x(random_floats(3 * k, 4)), weight(random_floats(k, 5)), y(2 * k);
        const OnDevice<std::byte> q8(k % 256 == 0 ? 2 * quant::Q8View<256>::row_bytes(k) : 0);
        const OnDevice<std::uint32_t> source(std::vector<std::uint32_t>{2, 0});
        const cuda::NormalizeRows kernel{
            x.data(), source.data(), weight.data(), 1e-6F, {k, y.data(), nullptr, q8.data()}, 2};
        device.launch(kernel, kernel.grid());
        REQUIRE(device.finish().ok());
        for (std::size_t r = 0; r < 2; ++r) {
            std::vector<float> wanted(k);
            cpu::rms_norm(x.data() + source.data()[r] * k, weight.data(), k, 1e-6F, wanted.data());
            CHECK(same_bits(y.span().subspan(r * k, k), wanted));
            if (k % 256 == 0) check_bytes<256>(wanted, r, q8.data());
        }
    }
}
