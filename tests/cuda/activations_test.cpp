// SPDX-License-Identifier: Apache-2.0
#include "sluice/cuda/activations.hpp"

#include <doctest/doctest.h>

#include "cuda/check_activations.hpp"
#include "cuda/each_order.hpp"
#include "sluice/cuda/emulated.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Emulated;

TEST_CASE("cuda activations: the bytes of the reference quantization") {
    in_each_order([](Emulated& device) { check_quantized_rows(device); });
}

TEST_CASE("cuda activations: normalized rows have the CPU's bits, and come from the rows that are named") {
    Emulated device({.order = cuda::Order::descending});
    check_normalized_rows(device);
}
