// SPDX-License-Identifier: Apache-2.0
#include "sluice/core/checked.hpp"

#include <doctest/doctest.h>

#include "support/numbers.hpp"

using namespace sluice;
using sluice::test::max_u64;

TEST_CASE("checked: sums up to 2^64 - 1 and no further") {
    CHECK(checked_add(2, 3) == 5);
    CHECK(checked_add(max_u64, 0) == max_u64);
    CHECK(checked_add(max_u64 - 7, 7) == max_u64);
    CHECK_FALSE(checked_add(max_u64, 1));
    CHECK_FALSE(checked_add(1, max_u64));
}

TEST_CASE("checked: products up to 2^64 - 1 and no further") {
    CHECK(checked_mul(6, 7) == 42);
    CHECK(checked_mul(0, max_u64) == 0);
    CHECK(checked_mul(max_u64, 0) == 0);
    CHECK(checked_mul(max_u64 / 3, 3) == max_u64);  // 2^64 - 1 is a multiple of three
    CHECK_FALSE(checked_mul(max_u64 / 3 + 1, 3));
    CHECK_FALSE(checked_mul(std::uint64_t{1} << 32U, std::uint64_t{1} << 32U));
}

TEST_CASE("checked: the size of an array is the product, or as memory that cannot be had") {
    CHECK(array_size(3, 4, 5) == 60);
    CHECK(array_size(0, std::size_t{1} << 40U, std::size_t{1} << 40U) == 0);
    CHECK(array_size(std::size_t{1} << 32U, (std::size_t{1} << 32U) - 1) == max_u64 - (max_u64 >> 32U));
    CHECK_THROWS_AS(array_size(std::size_t{1} << 32U, std::size_t{1} << 32U), std::bad_alloc);
    CHECK_THROWS_AS(array_size(std::size_t{1} << 40U, std::size_t{1} << 20U, 16), std::bad_alloc);
}

TEST_CASE("checked: alignment rounds up, and not past 2^64") {
    CHECK(checked_align_up(0, 32) == 0);
    CHECK(checked_align_up(1, 32) == 32);
    CHECK(checked_align_up(32, 32) == 32);
    CHECK(checked_align_up(33, 1) == 33);
    CHECK(checked_align_up(max_u64 - 31, 32) == max_u64 - 31);
    CHECK_FALSE(checked_align_up(max_u64 - 30, 32));
}
