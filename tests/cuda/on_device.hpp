// SPDX-License-Identifier: Apache-2.0
//! Shared by the tests of the emulated device: arrays and activation rows in its memory.
#pragma once

#include <cstddef>
#include <cstring>
#include <doctest/doctest.h>
#include <span>
#include <utility>
#include <vector>

#include "sluice/cuda/activations.hpp"
#include "sluice/cuda/emulated.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/quant/activation.hpp"

namespace sluice::test {

//! An array in the memory of the emulated device, which the host can read.
template <class T>
class OnDevice {
public:
    explicit OnDevice(std::size_t size) : array_(value(cuda::DeviceArray<cuda::Emulated, T>::allocate(size))) {}
    explicit OnDevice(const std::vector<T>& values) : OnDevice(values.size()) {
        std::memcpy(data(), values.data(), values.size() * sizeof(T));
    }

    T* data() const { return array_.data(); }
    std::span<const T> span() const { return {array_.data(), array_.size()}; }

private:
    static auto value(Expected<cuda::DeviceArray<cuda::Emulated, T>> array) {
        REQUIRE_MESSAGE(array.ok(), array.status().message());
        return std::move(*array);
    }
    cuda::DeviceArray<cuda::Emulated, T> array_;
};

//! Rows [count, k] with both int8 forms, where k allows them.
struct Batch {
    std::size_t count;
    OnDevice<float> floats;
    OnDevice<std::byte> q8_32, q8_256;
    cuda::ActivationRows rows;

    Batch(cuda::Emulated& device, const std::vector<float>& x, std::size_t k)
        : count(x.size() / k),
          floats(x),
          q8_32(count * quant::Q8View<32>::row_bytes(k)),
          q8_256(count * quant::Q8View<256>::row_bytes(k)),
          rows{k, floats.data(), k % 32 == 0 ? q8_32.data() : nullptr, k % 256 == 0 ? q8_256.data() : nullptr} {
        const cuda::QuantizeRows kernel{rows, static_cast<unsigned>(count)};
        device.launch(kernel, kernel.grid());
    }
};

}  // namespace sluice::test
