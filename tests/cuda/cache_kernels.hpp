// SPDX-License-Identifier: Apache-2.0
//! Kernels that fill a cache; for nvcc, too.
#pragma once

#include <cstddef>

#include "sluice/concepts/kv_cache.hpp"
#include "sluice/core/config.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/kv_cache.hpp"

namespace sluice::test {

//! Stores a key and a value. A block of one warp.
template <class Unit>
struct StoreRow {
    static constexpr unsigned threads = cuda::warp_size;
    cuda::CacheView<Unit> cache;
    KvHead head;
    std::size_t position;
    const float *key, *value;

    cuda::Dim grid() const { return {}; }
    template <cuda::ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const std::size_t to = cache.offset(head, position);
        cache.keys.store(t, to, key, cache.shape.head_dim);
        cache.values.store(t, to, value, cache.shape.head_dim);
    }
};

//! Keys and values [positions, 2 * head_dim] go to the cache's first positions. A block, one warp, is a position of a
//! head of a sequence.
template <class Unit>
struct FillCache {
    static constexpr unsigned threads = cuda::warp_size;
    const float* rows;
    std::size_t layer;
    unsigned positions;
    cuda::CacheView<Unit> cache;

    cuda::Dim grid() const {
        return {positions, static_cast<unsigned>(cache.shape.kv_heads), static_cast<unsigned>(cache.shape.sequences)};
    }
    template <cuda::ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const KvHead head = {layer, t.block().z, t.block().y};
        const float* row = rows + row_of(head, t.block().x, positions) * 2 * cache.shape.head_dim;
        const std::size_t to = cache.offset(head, t.block().x);
        cache.keys.store(t, to, row, cache.shape.head_dim);
        cache.values.store(t, to, row + cache.shape.head_dim, cache.shape.head_dim);
    }
    //! Which of the rows a head has at a position: another one each.
    static SLUICE_HD std::size_t row_of(KvHead head, std::size_t position, std::size_t positions) {
        return (position + 100 * head.kv_head + 50 * head.sequence) % positions;
    }
};

}  // namespace sluice::test
