// SPDX-License-Identifier: Apache-2.0
//! From raw queries, keys and values to what attention reads: each head normalized and rotated, keys and values cached.
#pragma once

#include <cstddef>

#include "sluice/core/types.hpp"
#include "sluice/cuda/activations.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/kv_cache.hpp"

namespace sluice::cuda {

//! A block, one warp, is one head of one row: first the query heads, then the kv heads. All stay where they are;
//! keys and values go to the cache too.
template <class Unit>
struct RotateHeads {
    static constexpr unsigned threads = warp_size;

    float* q;                      //!< [rows, heads, head_dim]
    float* k;                      //!< [rows, kv_heads, head_dim]
    const float* v;                //!< the same
    const float *q_norm, *k_norm;  //!< [head_dim]
    const float *cosines, *sines;  //!< [rows, head_dim / 2]
    float eps;
    std::size_t heads, layer;
    const Row* rows;
    unsigned count;
    CacheView<Unit> cache;

    Dim grid() const { return {static_cast<unsigned>(heads + cache.shape.kv_heads), count}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const std::size_t r = t.block().y, dim = cache.shape.head_dim;
        if (t.block().x < heads) return turn(t, r, q + (r * heads + t.block().x) * dim, q_norm);
        const std::size_t kv_head = t.block().x - heads, from = (r * cache.shape.kv_heads + kv_head) * dim;
        const std::size_t to = cache.offset({layer, static_cast<std::size_t>(rows[r].sequence), kv_head},
                                            static_cast<std::size_t>(rows[r].position));
        turn(t, r, k + from, k_norm);
        t.sync_warp();
        cache.keys.store(t, to, k + from, dim);
        cache.values.store(t, to, v + from, dim);
    }

private:
    //! Normalizes and rotates a head of row r.
    template <class T>
    SLUICE_HD void turn(T& t, std::size_t r, float* head, const float* norm) const {
        const std::size_t dim = cache.shape.head_dim, half = dim / 2;
        const float mean = detail::sum_of_squares(t, head, dim) / static_cast<float>(dim);
        const float scale = 1.0F / ::sqrtf(mean + eps);
        for (std::size_t i = t.thread(); i < half; i += threads) {
            const float a = head[i] * scale * norm[i], b = head[half + i] * scale * norm[half + i];
            const float c = cosines[r * half + i], s = sines[r * half + i];
            head[i] = ::fmaf(a, c, (0.0F - b) * s);
            head[half + i] = ::fmaf(a, s, b * c);
        }
    }
};

}  // namespace sluice::cuda
