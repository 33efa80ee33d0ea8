// SPDX-License-Identifier: Apache-2.0
//! The programs of this folder run the instruction set that they are named after.
#include <doctest/doctest.h>
#include <string_view>

#include "sluice/cpu/simd.hpp"

TEST_CASE("isa: the native back end is the one that the build names") {
    CHECK(std::string_view(sluice::simd::Native::name) == SLUICE_ISA);
}
