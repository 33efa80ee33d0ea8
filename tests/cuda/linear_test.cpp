// SPDX-License-Identifier: Apache-2.0
#include "sluice/cuda/linear.hpp"

#include <doctest/doctest.h>

#include "cuda/check_linear.hpp"
#include "cuda/each_order.hpp"
#include "sluice/cuda/emulated.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Emulated;

TEST_CASE("cuda linear: the bits of the reference dot product, in every format and any order of threads") {
    in_each_order([](Emulated& device) { check_every_linear(device); });
}

TEST_CASE("cuda linear: matrices of one format share a launch, and have the bits of a launch each") {
    Emulated device({.order = cuda::Order::descending});
    check_shared_launches(device);
}
