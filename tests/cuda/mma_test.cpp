// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "cuda/check_mma.hpp"
#include "cuda/each_order.hpp"
#include "sluice/cuda/emulated.hpp"
#include "sluice/cuda/mma_tile.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Emulated;

TEST_CASE("cuda mma: each lane's elements are where the PTX ISA has them, and sums are exact") {
    in_each_order([](Emulated& device) { check_fragments(device); });
}

TEST_CASE("cuda mma: the bits of the reference dot product, in every integer format and any order of threads") {
    in_each_order([](Emulated& device) { check_every_mma_linear(device); });
}

TEST_CASE("cuda mma: experts have the bits of the other kernels, however many blocks share the tiles") {
    in_each_order([](Emulated& device) { check_every_mma_experts(device); });
}
