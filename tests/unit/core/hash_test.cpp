// SPDX-License-Identifier: Apache-2.0
#include "sluice/core/hash.hpp"

#include <array>
#include <doctest/doctest.h>
#include <string>
#include <string_view>
#include <vector>

using namespace sluice;

#if defined(XXH_INLINE_ALL)
#error "hash.hpp must take XXH_INLINE_ALL back"
#endif

TEST_CASE("hash: the published XXH3-64 values") {
    CHECK(hash_bytes({}) == 0x2D06800538D394C2U);  // the empty input, from xxHash's own self-test
    CHECK(hash_bytes({}, 0x9E3779B185EBCA8DU) == 0xA8A6B918B2F0364AU);
}

TEST_CASE("hash: elements hash as their bytes, and every byte counts") {
    const std::vector<float> numbers{1.0F, -2.5F, 0.0F};
    const std::span<const float> view(numbers);
    CHECK(hash_of(view) == hash_bytes(std::as_bytes(view)));

    std::array<std::byte, 300> bytes{};
    const auto before = hash_of(std::span<const std::byte>(bytes));
    for (auto& byte : bytes) {
        byte = std::byte{1};
        CHECK(hash_of(std::span<const std::byte>(bytes)) != before);
        byte = std::byte{0};
    }
    CHECK(hash_of(std::span<const std::byte>(bytes)) == before);
    CHECK(hash_of(std::span<const std::byte>(bytes), 1) != before);
}

TEST_CASE("hash: sixteen hexadecimal digits") {
    CHECK(to_hex(0) == "0000000000000000");
    CHECK(to_hex(0x0123456789ABCDEFU) == "0123456789abcdef");
}
