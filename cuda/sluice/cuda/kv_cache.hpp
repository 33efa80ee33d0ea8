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

namespace sluice::cuda {

//! What kernels see of a cache: Element is float or Half. [layer, sequence, kv_head, position, head_dim].
template <class Element>
struct CacheView {
    KvCacheShape shape{};
    Element *keys = nullptr, *values = nullptr;

    //! Where a row of head_dim elements begins.
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

SLUICE_HD inline float read_element(float x) { return x; }
SLUICE_HD inline float read_element(Half x) { return to_float(x); }
SLUICE_HD inline void write_element(float& to, float x) { to = x; }
SLUICE_HD inline void write_element(Half& to, float x) { to = to_half(x); }

//! The cache of a pipeline on a D.
template <Device D, class Stored>
class ContiguousKvCache {
public:
    using Element = Stored;

    static Expected<ContiguousKvCache> create(const KvCacheShape& shape) {
        ContiguousKvCache cache(shape);
        SLUICE_ASSIGN(cache.keys_, (DeviceArray<D, Element>::allocate(elements(shape))));
        SLUICE_ASSIGN(cache.values_, (DeviceArray<D, Element>::allocate(elements(shape))));
        return cache;
    }

    //! Bytes of device memory that create() takes.
    static std::size_t bytes(const KvCacheShape& shape) { return 2 * elements(shape) * sizeof(Element); }

    const KvCacheShape& shape() const { return shape_; }
    CacheView<Element> view() const { return {shape_, keys_.data(), values_.data()}; }

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
    DeviceArray<D, Element> keys_, values_;
    std::vector<std::size_t> lengths_;
};

}  // namespace sluice::cuda
