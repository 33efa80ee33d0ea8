// SPDX-License-Identifier: Apache-2.0
#include "sluice/cuda/logits.hpp"

#include <doctest/doctest.h>

#include "cuda/check_logits.hpp"
#include "cuda/same_bits.hpp"
#include "sluice/cuda/emulated.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Emulated;

TEST_CASE("cuda logits: the device goes on to the row of a sampled token, once, and only if it may") {
    Emulated device;
    check_goes_on<Formats>(device);
}

TEST_CASE("cuda logits: another row than the foreseen one is computed, as if nothing had been foreseen") {
    Emulated device;
    check_goes_on_otherwise<Formats>(device);
}

TEST_CASE("cuda logits: nothing is foreseen behind the last position, nor after an error") {
    Emulated device;
    check_does_not_go_on<Formats>(device);
}
