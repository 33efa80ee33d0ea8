// SPDX-License-Identifier: Apache-2.0
//! Arithmetic on sizes that come from outside: nothing where the plain operator would wrap around.
#pragma once

#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <optional>

namespace sluice {

constexpr std::optional<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b) {
    if (a > std::numeric_limits<std::uint64_t>::max() - b) return std::nullopt;
    return a + b;
}

constexpr std::optional<std::uint64_t> checked_mul(std::uint64_t a, std::uint64_t b) {
    if (b != 0 && a > std::numeric_limits<std::uint64_t>::max() / b) return std::nullopt;
    return a * b;
}

//! The product of sizes, for memory: std::bad_array_new_length, a std::bad_alloc, where it wraps around.
template <class... Sizes>
constexpr std::size_t array_size(Sizes... sizes) {
    std::uint64_t product = 1;
    const auto multiply = [&](std::size_t size) {
        const auto next = checked_mul(product, size);
        if (!next || *next > std::numeric_limits<std::size_t>::max()) throw std::bad_array_new_length();
        product = *next;
    };
    (multiply(sizes), ...);
    return static_cast<std::size_t>(product);
}

//! The least multiple of `alignment` (a power of two) that is not below `value`.
constexpr std::optional<std::uint64_t> checked_align_up(std::uint64_t value, std::uint64_t alignment) {
    assert(std::has_single_bit(alignment));
    const auto raised = checked_add(value, alignment - 1);
    if (!raised) return std::nullopt;
    return *raised & ~(alignment - 1);
}

}  // namespace sluice
