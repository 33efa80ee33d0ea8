// SPDX-License-Identifier: Apache-2.0
#include "sluice/core/buffer.hpp"

#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <new>
#include <utility>

using namespace sluice;

TEST_CASE("buffer: starts on a 64-byte boundary, whatever its size") {
    for (std::size_t size = 0; size < 70; ++size) {
        const Buffer<char> buffer(size);
        CHECK(buffer.size() == size);
        CHECK(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64 == 0);
    }
}

TEST_CASE("buffer: elements, parts, and moving") {
    Buffer<int> buffer(5);
    for (std::size_t i = 0; i < 5; ++i) buffer[i] = static_cast<int>(i) * 10;
    const int* at = buffer.data();
    CHECK(buffer.span(1, 3).size() == 3);
    CHECK(buffer.span(1, 3)[2] == 30);
    const Buffer<int> moved = std::move(buffer);
    CHECK(moved.data() == at);
    CHECK(moved[4] == 40);
    CHECK(buffer.size() == 0);  // NOLINT(bugprone-use-after-move): it is empty now
    CHECK(Buffer<int>().size() == 0);
}

TEST_CASE("buffer: a size whose bytes overflow is refused as memory that cannot be had") {
    CHECK_THROWS_AS(Buffer<float>(std::size_t{1} << 62U), std::bad_alloc);  // 2^64 bytes
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    CHECK_THROWS_AS(Buffer<double>{most}, std::bad_alloc);
}
