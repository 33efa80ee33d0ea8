// SPDX-License-Identifier: Apache-2.0
//! A device's activation rows beside the CPU's, to the byte. For the emulated device and for a GPU.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <doctest/doctest.h>
#include <span>
#include <vector>

#include "cuda/batch.hpp"
#include "cuda/on_device.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/cpu/norm.hpp"
#include "sluice/cuda/activations.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/quant/activation.hpp"
#include "support/numbers.hpp"

namespace sluice::test {

//! Row r of `got` has the bytes of the definition.
template <std::size_t N>
void check_bytes(std::span<const float> x, std::size_t r, const std::byte* got) {
    using View = quant::Q8View<N>;
    Buffer<std::byte> wanted(View::row_bytes(x.size()));
    quant::quantize_reference<N>(x, wanted.data());
    const std::size_t used = View::d_offset(x.size()) + View::padded(x.size()) / N * sizeof(float);
    CHECK(std::memcmp(got + r * View::row_bytes(x.size()), wanted.data(), used) == 0);
}

//! The bytes of the reference quantization.
template <cuda::Device D>
void check_quantized_rows(D& device) {
    for (const std::size_t k : {32UL, 96UL, 256UL, 2304UL}) {  // 2304: more than one round of a block
        CAPTURE(k);
        std::vector<float> x = random_floats(5 * k, 3);
        for (std::size_t i = 0; i < k; ++i) x[k + i] = i % 2 == 0 ? -2.0F : 2.0F;        // ties of magnitude
        for (std::size_t i = 0; i < k; ++i) x[2 * k + i] = i % 2 == 0 ? -0.0F : 1e-38F;  // too small to scale
        x[3 * k + 7] = std::nanf("");
        x[4 * k + 31] = -infinity;
        const Batch<D> batch(device, x, k);
        const ReadBatch got = batch.read();
        for (std::size_t r = 0; r < batch.count; ++r) {
            const std::span<const float> row(x.data() + r * k, k);
            check_bytes<32>(row, r, got.q8_32.data());
            if (k % 256 == 0) check_bytes<256>(row, r, got.q8_256.data());
        }
    }
}

//! Normalized rows have the CPU's bits, and come from the rows that are named.
template <cuda::Device D>
void check_normalized_rows(D& device) {
    for (const std::size_t k : {40UL, 256UL, 2304UL}) {
        CAPTURE(k);
        const std::vector<float> x = random_floats(3 * k, 4), weight = random_floats(k, 5);
        const std::vector<std::uint32_t> source = {2, 0};
        const OnDevice<D, float> on_x(device, x), on_weight(device, weight), y(device, 2 * k);
        const OnDevice<D, std::byte> q8(device, k % 256 == 0 ? 2 * quant::Q8View<256>::row_bytes(k) : 0);
        const OnDevice<D, std::uint32_t> on_source(device, source);
        launch(device,
               cuda::NormalizeRows{
                   on_x.data(), on_source.data(), on_weight.data(), 1e-6F, {k, y.data(), nullptr, q8.data()}, 2});
        const std::vector<float> got = y.read();
        const std::vector<std::byte> bytes = q8.read();
        for (std::size_t r = 0; r < 2; ++r) {
            std::vector<float> wanted(k);
            cpu::rms_norm(x.data() + source[r] * k, weight.data(), k, 1e-6F, wanted.data());
            CHECK(same_bits(std::span(got).subspan(r * k, k), wanted));
            if (k % 256 == 0) check_bytes<256>(wanted, r, bytes.data());
        }
    }
}

}  // namespace sluice::test
