// SPDX-License-Identifier: Apache-2.0
//! The cache of a device beside the CPU's, with the same keys and values.
#pragma once

#include <cstddef>
#include <vector>

#include "cuda/cache_kernels.hpp"
#include "cuda/on_device.hpp"
#include "sluice/concepts/kv_cache.hpp"
#include "sluice/cpu/kv_cache.hpp"
#include "sluice/cuda/kv_cache.hpp"
#include "sluice/cuda/memory.hpp"

namespace sluice::test {

//! f(head, position) for the first positions of every head of a layer.
template <class F>
void each_row_of(const KvCacheShape& shape, std::size_t layer, std::size_t positions, F f) {
    for (std::size_t s = 0; s < shape.sequences; ++s) {
        for (std::size_t h = 0; h < shape.kv_heads; ++h) {
            for (std::size_t p = 0; p < positions; ++p) f(KvHead{layer, s, h}, p);
        }
    }
}

//! The same rows [positions, 2 * head_dim] of keys and values go to a layer of both caches.
template <cuda::Device D, class Unit>
void fill_caches(D& device, std::size_t layer, const std::vector<float>& rows, std::size_t positions,
                 cpu::ContiguousKvCache<Unit>& on_cpu, const cuda::CacheView<Unit>& on_device) {
    const OnDevice<D, float> from(device, rows);
    const FillCache<Unit> kernel{from.data(), layer, static_cast<unsigned>(positions), on_device};
    launch(device, kernel);
    end_if_bad(device.finish());
    const std::size_t dim = on_device.shape.head_dim;
    each_row_of(on_device.shape, layer, positions, [&](KvHead head, std::size_t position) {
        const float* row = &rows[kernel.row_of(head, position, positions) * 2 * dim];
        on_cpu.write(head, position, row, row + dim);
    });
}

}  // namespace sluice::test
