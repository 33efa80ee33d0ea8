// SPDX-License-Identifier: Apache-2.0
//! Activation rows in the memory of a device.
#pragma once

#include <cstddef>
#include <vector>

#include "cuda/on_device.hpp"
#include "sluice/cuda/activations.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/quant/activation.hpp"

namespace sluice::test {

//! What of a batch the host has read.
struct ReadBatch {
    std::vector<float> floats;
    std::vector<std::byte> q8_32, q8_256;
    std::size_t k;

    //! Row r in the form that a format's Activation names.
    template <class View>
    View view(std::size_t r) {
        return cuda::ActivationRows{k, floats.data(), q8_32.data(), q8_256.data()}.template view<View>(r);
    }
};

//! Rows [count, k] with both int8 forms, where k allows them.
template <cuda::Device D>
struct Batch {
    std::size_t count;
    OnDevice<D, float> floats;
    OnDevice<D, std::byte> q8_32, q8_256;
    cuda::ActivationRows rows;

    Batch(D& device, const std::vector<float>& x, std::size_t k)
        : count(x.size() / k),
          floats(device, x),
          q8_32(device, count * quant::Q8View<32>::row_bytes(k)),
          q8_256(device, count * quant::Q8View<256>::row_bytes(k)),
          rows{k, floats.data(), k % 32 == 0 ? q8_32.data() : nullptr, k % 256 == 0 ? q8_256.data() : nullptr} {
        launch(device, cuda::QuantizeRows{rows, static_cast<unsigned>(count)});
    }

    ReadBatch read() const { return {floats.read(), q8_32.read(), q8_256.read(), rows.k}; }
};

}  // namespace sluice::test
