// SPDX-License-Identifier: Apache-2.0
//! Keys and values in device memory, laid out as cpu/kv_cache.hpp does; the lengths are the host's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "sluice/concepts/kv_cache.hpp"
#include "sluice/core/float16.hpp"
#include "sluice/core/status.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/cuda/stored_rows.hpp"
#include "sluice/quant/q8_0.hpp"

namespace sluice::cuda {

//! What kernels see of a cache in units of float, Half or quant::Q8_0::Block.
//! [layer, sequence, kv_head, position, head_dim].
template <class Unit>
struct CacheView {
    KvCacheShape shape{};
    StoredRows<Unit> keys, values;

    //! The first element of a row.
    SLUICE_HD std::size_t offset(KvHead at, std::size_t position) const {
        const std::size_t head = (at.layer * shape.sequences + at.sequence) * shape.kv_heads + at.kv_head;
        return (head * shape.capacity + position) * shape.head_dim;
    }

    //! Whether both are the same cache, of one model.
    friend bool operator==(const CacheView& a, const CacheView& b) {
        return a.keys == b.keys && a.values == b.values && a.shape.capacity == b.shape.capacity &&
               a.shape.sequences == b.shape.sequences;
    }
};

//! The cache of a pipeline on a D.
template <Device D, class Stored>
class ContiguousKvCache {
public:
    using Unit = Stored;
    static constexpr std::size_t block = StoredRows<Unit>::block;  //!< elements of a unit

    //! head_dim is a multiple of `block`.
    static Expected<ContiguousKvCache> create(const KvCacheShape& shape) {
        ContiguousKvCache cache(shape);
        SLUICE_ASSIGN(cache.keys_, (DeviceArray<D, std::byte>::allocate(bytes(shape) / 2)));
        SLUICE_ASSIGN(cache.values_, (DeviceArray<D, std::byte>::allocate(bytes(shape) / 2)));
        return cache;
    }

    //! Bytes of device memory that create() takes.
    static std::size_t bytes(const KvCacheShape& shape) { return 2 * StoredRows<Unit>::bytes(elements(shape)); }

    const KvCacheShape& shape() const { return shape_; }
    CacheView<Unit> view() const {
        const std::size_t count = elements(shape_);
        return {shape_, StoredRows<Unit>::in(keys_.data(), count), StoredRows<Unit>::in(values_.data(), count)};
    }

    std::size_t length(std::size_t sequence) const { return lengths_[sequence]; }
    void advance(std::size_t sequence, std::size_t length) { lengths_[sequence] = length; }
    void truncate(std::size_t sequence, std::size_t length) {
        lengths_[sequence] = std::min(lengths_[sequence], length);
    }

private:
    explicit ContiguousKvCache(const KvCacheShape& shape) : shape_(shape), lengths_(shape.sequences, 0) {}

    static std::size_t elements(const KvCacheShape& s) {
        return s.layers * s.sequences * s.kv_heads * s.capacity * s.head_dim;
    }

    KvCacheShape shape_;
    DeviceArray<D, std::byte> keys_, values_;
    std::vector<std::size_t> lengths_;
};

template <Device D>
using KvCacheF32 = ContiguousKvCache<D, float>;
template <Device D>
using KvCacheF16 = ContiguousKvCache<D, Half>;
template <Device D>
using KvCacheQ8_0 = ContiguousKvCache<D, quant::Q8_0::Block>;  //!< 8.5 bits an element

}  // namespace sluice::cuda
