// SPDX-License-Identifier: Apache-2.0
//! The Attention slot: from queries and the cache to mixed values.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>

#include "sluice/concepts/executor.hpp"
#include "sluice/concepts/kv_cache.hpp"
#include "sluice/core/types.hpp"

namespace sluice {

//! The sizes an attention works on, and how large its calls may get.
struct AttentionShape {
    std::size_t heads = 0;     //!< query heads, a multiple of kv_heads (grouped-query attention)
    std::size_t kv_heads = 0;  //!< key/value heads
    std::size_t head_dim = 0;  //!< elements of a head, a multiple of 16
    std::size_t capacity = 0;  //!< positions of the longest sequence
    std::size_t threads = 1;   //!< members of the largest team
};

//! `attention.attend(team, rows, layer, queries, cache, output)` is called by every member of the team with the same
//! arguments. It fills output [rows, heads * head_dim] from queries [rows, heads * head_dim]; row r of sequence s at
//! position p sees the positions 0..p of s in the cache, its own included. The rows' own keys and values of this layer
//! (from 0) are written then, though the cache's length() does not count them yet. The caller puts a barrier after it.
//! It is built from an AttentionShape.
template <class A, class Cache>
concept Attention = KvCache<Cache> &&
    requires(A& attention, detail::AnyTeam& team, std::span<const Row> rows, std::size_t layer, const float* queries,
             const Cache& cache, float* output) {
    requires std::constructible_from<A, AttentionShape>;
    attention.attend(team, rows, layer, queries, cache, output);
};

}  // namespace sluice
