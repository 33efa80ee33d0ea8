// SPDX-License-Identifier: Apache-2.0
//! A key-value cache that stores rows as they are (float) or as half precision.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "sluice/concepts/kv_cache.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/core/float16.hpp"
#include "sluice/cpu/simd.hpp"

namespace sluice::cpu {

//! Keys and values as Element (float or Half), laid out [layer, sequence, kv_head, position, head_dim], so that one
//! head's history is one contiguous stream.
template <class Element>
class ContiguousKvCache {
public:
    //! A stored row.
    struct Handle {
        const Element* row;
        template <class V>
        typename V::F32 load(std::size_t i) const {
            return V::load(row + i);
        }
    };

    explicit ContiguousKvCache(const KvCacheShape& shape)
        : shape_(shape), keys_(elements()), values_(elements()), lengths_(shape.sequences, 0) {}

    const KvCacheShape& shape() const { return shape_; }

    //! Bytes of memory held for keys and values.
    std::size_t bytes() const { return 2 * elements() * sizeof(Element); }

    template <class V = simd::Native>
    void write(KvHead head, std::size_t position, const float* key, const float* value) {
        const std::size_t at = offset(head, position);
        for (std::size_t i = 0; i < shape_.head_dim; i += simd::lanes) {
            V::store(keys_.data() + at + i, V::load(key + i));
            V::store(values_.data() + at + i, V::load(value + i));
        }
    }

    Handle key(KvHead head, std::size_t position) const { return {keys_.data() + offset(head, position)}; }
    Handle value(KvHead head, std::size_t position) const { return {values_.data() + offset(head, position)}; }

    std::size_t length(std::size_t sequence) const { return lengths_[sequence]; }

    //! Declares the positions below `length` written in every layer.
    void advance(std::size_t sequence, std::size_t length) { lengths_[sequence] = length; }

    //! Forgets the positions from `length` on.
    void truncate(std::size_t sequence, std::size_t length) {
        lengths_[sequence] = std::min(lengths_[sequence], length);
    }

private:
    std::size_t elements() const {
        return shape_.layers * shape_.sequences * shape_.kv_heads * shape_.capacity * shape_.head_dim;
    }
    std::size_t offset(KvHead at, std::size_t position) const {
        const std::size_t head = (at.layer * shape_.sequences + at.sequence) * shape_.kv_heads + at.kv_head;
        return (head * shape_.capacity + position) * shape_.head_dim;
    }

    KvCacheShape shape_;
    Buffer<Element> keys_, values_;
    std::vector<std::size_t> lengths_;
};

using KvCacheF16 = ContiguousKvCache<Half>;
using KvCacheF32 = ContiguousKvCache<float>;

static_assert(KvCache<KvCacheF16> && KvCache<KvCacheF32>);

}  // namespace sluice::cpu
