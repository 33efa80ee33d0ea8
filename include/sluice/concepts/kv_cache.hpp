// SPDX-License-Identifier: Apache-2.0
//! The KvCache slot: where the keys and values of past positions are kept, and in which number format.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "sluice/cpu/simd.hpp"

namespace sluice {

//! What a cache must hold: the sizes of one model and how many sequences of how many positions.
struct KvCacheShape {
    std::size_t layers = 0;
    std::size_t kv_heads = 0;
    std::size_t head_dim = 0;   //!< a multiple of 16
    std::size_t sequences = 1;  //!< independent token sequences (slots)
    std::size_t capacity = 0;   //!< positions of each sequence
};

//! Names one head's rows in the cache.
struct KvHead {
    std::size_t layer = 0;
    std::size_t sequence = 0;
    std::size_t kv_head = 0;
};

//! - `write(head, position, key, value)` stores one row each of [head_dim] floats; different heads or positions may be
//!   written by different threads at once.
//! - `key(head, position)` and `value(head, position)` are handles to a stored row; `handle.load<V>(i)` is its elements
//!   [i, i + 16) as a V::F32, the same bits for every V. A handle may also have `prefetch<V>(n)`, which asks for the
//!   cache lines of its first n elements.
//! - A cache that stores several elements under one scale says how many: `static constexpr std::size_t block`. The
//!   models that it can serve have a head_dim that is a multiple.
//! - `length(sequence)` positions are valid; forward passes advance it once all layers are written, `truncate` shortens
//!   it (rewind; 0 empties the sequence).
template <class C>
concept KvCache = std::movable<C> && requires(C& cache, const C& stored, KvHead head, std::size_t n, const float* row) {
    requires std::constructible_from<C, KvCacheShape>;
    { stored.shape() } -> std::convertible_to<KvCacheShape>;
    cache.write(head, n, row, row);
    requires std::semiregular<decltype(stored.key(head, n))> && std::semiregular<decltype(stored.value(head, n))>;
    { stored.key(head, n).template load<simd::Scalar>(n) } -> std::same_as<simd::Scalar::F32>;
    { stored.value(head, n).template load<simd::Scalar>(n) } -> std::same_as<simd::Scalar::F32>;
    { stored.length(n) } -> std::convertible_to<std::size_t>;
    cache.advance(n, n);
    cache.truncate(n, n);
};

//! The elements that a cache stores together: head_dim must be a multiple.
template <class Cache>
inline constexpr std::size_t kv_block = 1;
template <class Cache>
requires requires { Cache::block; }
inline constexpr std::size_t kv_block<Cache> = Cache::block;

}  // namespace sluice
