// SPDX-License-Identifier: Apache-2.0
#include "sluice/server/engine.hpp"

#include <doctest/doctest.h>

#include "cuda/check_engine.hpp"
#include "cuda/same_bits.hpp"
#include "sluice/cuda/emulated.hpp"

TEST_CASE("cuda engine: answers that are sampled together on a device are the CPU's, and so are their errors") {
    sluice::test::check_engine<sluice::cuda::Emulated, sluice::test::Formats>();
}
