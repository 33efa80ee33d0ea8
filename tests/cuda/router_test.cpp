// SPDX-License-Identifier: Apache-2.0
#include "sluice/cuda/router.hpp"

#include <doctest/doctest.h>

#include "cuda/check_router.hpp"
#include "cuda/each_order.hpp"
#include "sluice/cuda/emulated.hpp"

TEST_CASE("cuda router: the CPU's choices and weights to the bit, ties too") {
    sluice::test::in_each_order([](sluice::cuda::Emulated& device) { sluice::test::check_router(device); });
}
