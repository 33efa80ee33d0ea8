// SPDX-License-Identifier: Apache-2.0
//! A key-value cache that stores rows as they are (float), as half precision, or as Q8_0.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "sluice/concepts/kv_cache.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/core/checked.hpp"
#include "sluice/core/config.hpp"
#include "sluice/core/float16.hpp"
#include "sluice/cpu/quantize.hpp"
#include "sluice/cpu/simd.hpp"
#include "sluice/quant/q8_0.hpp"

namespace sluice::cpu {

//! A row as a cache stores it, in units of `block` elements: a number each. What the KvCache concept asks of a handle.
template <class Unit>
struct StoredRow {
    static constexpr std::size_t block = 1;
    const Unit* row;

    template <class V>
    typename V::F32 load(std::size_t i) const {
        return V::load(row + i);
    }

    template <class V>
    static void store(Unit* to, const float* numbers, std::size_t count) {
        for (std::size_t i = 0; i < count; i += simd::lanes) V::store(to + i, V::load(numbers + i));
    }
};

//! Blocks of 32 int8 levels under a half-precision scale d: the largest magnitude / 127. A number x becomes
//! d * round(x / d), ties to even. A block with a number that is not finite, or beyond 65504 * 127, is NaN.
template <>
struct StoredRow<quant::Q8_0::Block> {
    static constexpr std::size_t block = quant::Q8_0::block_size;
    const quant::Q8_0::Block* row;

    template <class V>
    typename V::F32 load(std::size_t i) const {
        const quant::Q8_0::Block& unit = row[i / block];
        return V::mul(V::set(unit.d), V::to_float(V::load(unit.q + i % block)));
    }

    template <class V>
    static void store(quant::Q8_0::Block* to, const float* numbers, std::size_t count) {
        for (std::size_t first = 0; first < count; first += block, ++to) {
            to->d = to_half(std::fabs(detail::extreme_element<block, V>(numbers + first)) / 127.0F);
            const float d = to_float(to->d);
            for (std::size_t i = 0; i < block; i += simd::lanes) {
                auto levels = V::zero_i32();
                if (d > 0.0F && std::isfinite(d)) {  // a scale that was rounded down a lot leaves levels above 127
                    const auto scaled = V::div(V::load(numbers + first + i), V::set(d));
                    levels = V::round(V::max(V::set(-127.0F), V::min(V::set(127.0F), scaled)));
                }
                V::store(to->q + i, levels);
            }
        }
    }
};

//! Keys and values in units of float, Half or quant::Q8_0::Block, laid out [layer, sequence, kv_head, position,
//! head_dim], so that one head's history is one contiguous stream. head_dim is a multiple of `block`.
template <class Unit>
class ContiguousKvCache {
public:
    static constexpr std::size_t block = StoredRow<Unit>::block;  //!< elements of a unit

    //! A stored row.
    struct Handle : StoredRow<Unit> {
        template <class V>
        SLUICE_INLINE void prefetch(std::size_t count) const {
            const auto* bytes = reinterpret_cast<const std::byte*>(this->row);
            for (std::size_t at = 0; at < count / block * sizeof(Unit); at += 64) V::prefetch(bytes + at);
        }
    };

    explicit ContiguousKvCache(const KvCacheShape& shape)
        : shape_(shape),
          row_units_(shape.head_dim / block),
          keys_(units()),
          values_(units()),
          lengths_(shape.sequences, 0) {}

    const KvCacheShape& shape() const { return shape_; }

    //! Bytes of memory held for keys and values.
    std::size_t bytes() const { return 2 * units() * sizeof(Unit); }

    template <class V = simd::Native>
    void write(KvHead head, std::size_t position, const float* key, const float* value) {
        const std::size_t at = offset(head, position);
        StoredRow<Unit>::template store<V>(keys_.data() + at, key, shape_.head_dim);
        StoredRow<Unit>::template store<V>(values_.data() + at, value, shape_.head_dim);
    }

    Handle key(KvHead head, std::size_t position) const { return {{keys_.data() + offset(head, position)}}; }
    Handle value(KvHead head, std::size_t position) const { return {{values_.data() + offset(head, position)}}; }

    std::size_t length(std::size_t sequence) const { return lengths_[sequence]; }

    //! Declares the positions below `length` written in every layer.
    void advance(std::size_t sequence, std::size_t length) { lengths_[sequence] = length; }

    //! Forgets the positions from `length` on.
    void truncate(std::size_t sequence, std::size_t length) {
        lengths_[sequence] = std::min(lengths_[sequence], length);
    }

private:
    std::size_t units() const {
        return array_size(shape_.layers, shape_.sequences, shape_.kv_heads, shape_.capacity, row_units_);
    }
    std::size_t offset(KvHead at, std::size_t position) const {
        const std::size_t head = (at.layer * shape_.sequences + at.sequence) * shape_.kv_heads + at.kv_head;
        return (head * shape_.capacity + position) * row_units_;
    }

    KvCacheShape shape_;
    std::size_t row_units_;
    Buffer<Unit> keys_, values_;
    std::vector<std::size_t> lengths_;
};

using KvCacheF32 = ContiguousKvCache<float>;
using KvCacheF16 = ContiguousKvCache<Half>;
using KvCacheQ8_0 = ContiguousKvCache<quant::Q8_0::Block>;  //!< 8.5 bits an element

static_assert(KvCache<KvCacheF32> && KvCache<KvCacheF16> && KvCache<KvCacheQ8_0>);

}  // namespace sluice::cpu
