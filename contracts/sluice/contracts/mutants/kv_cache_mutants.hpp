// SPDX-License-Identifier: Apache-2.0
//! Key-value caches that are wrong in one way each.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "sluice/concepts/kv_cache.hpp"
#include "sluice/contracts/kv_cache_laws.hpp"
#include "sluice/contracts/mutant.hpp"
#include "sluice/contracts/quantization_oracles.hpp"
#include "sluice/cpu/kv_cache.hpp"

namespace sluice::contracts {

namespace mutants {

//! Its functions hide those of the true cache.
struct TrueCache : cpu::KvCacheF32 {
    using ContiguousKvCache::ContiguousKvCache;
};

struct HoldsOneSequence : TrueCache {
    explicit HoldsOneSequence(const KvCacheShape& shape)
        : TrueCache(KvCacheShape{shape.layers, shape.kv_heads, shape.head_dim, 1, shape.capacity}) {}
    std::size_t length(std::size_t) const { return TrueCache::length(0); }
    void advance(std::size_t, std::size_t length) { TrueCache::advance(0, length); }
    void truncate(std::size_t, std::size_t length) { TrueCache::truncate(0, length); }
    void write(KvHead head, std::size_t position, const float* key, const float* value) {
        TrueCache::write(first(head), position, key, value);
    }
    Handle key(KvHead head, std::size_t position) const { return TrueCache::key(first(head), position); }
    Handle value(KvHead head, std::size_t position) const { return TrueCache::value(first(head), position); }

private:
    static KvHead first(KvHead head) { return {head.layer, 0, head.kv_head}; }
};

struct SwapsKeyAndValue : TrueCache {
    using TrueCache::TrueCache;
    void write(KvHead head, std::size_t position, const float* key, const float* value) {
        TrueCache::write(head, position, value, key);
    }
};

struct CutsHalves : cpu::KvCacheF16 {
    using ContiguousKvCache::ContiguousKvCache;
    void write(KvHead head, std::size_t position, const float* key, const float* value) {
        ContiguousKvCache::write(head, position, cut(key).data(), cut(value).data());
    }

private:
    //! Without the mantissa bits that a half has not.
    std::vector<float> cut(const float* row) const {
        std::vector<float> bits(row, row + shape().head_dim);
        for (float& x : bits) {
            if (x == x) x = std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) & 0xFFFFE000U);
        }
        return bits;
    }
};

struct CutsLevels : cpu::KvCacheQ8_0 {
    using ContiguousKvCache::ContiguousKvCache;
    void write(KvHead head, std::size_t position, const float* key, const float* value) {
        ContiguousKvCache::write(head, position, cut(key).data(), cut(value).data());
    }

private:
    //! With each number at the next level towards zero.
    std::vector<float> cut(const float* numbers) const {
        std::vector<float> row(numbers, numbers + shape().head_dim);
        for (std::size_t first = 0; first < row.size(); first += block) {
            std::vector<float> levels(numbers + first, numbers + first + block);
            oracle::store_as_q8_0(levels);
            const auto [low, high] = std::minmax_element(levels.begin(), levels.end());
            const float d = std::max(-*low, *high) / 127.0F;
            for (std::size_t i = first; d > 0.0F && i < first + block; ++i) row[i] = d * std::trunc(row[i] / d);
        }
        return row;
    }
};

struct LoadsOtherwiseInVectors : TrueCache {
    struct Handle {
        TrueCache::Handle row;
        template <class V>
        typename V::F32 load(std::size_t i) const {
            const auto x = row.template load<V>(i);
            return std::is_same_v<V, simd::Scalar> ? x : V::add(x, V::set(1.0F));
        }
    };
    using TrueCache::TrueCache;
    Handle key(KvHead head, std::size_t position) const { return {TrueCache::key(head, position)}; }
    Handle value(KvHead head, std::size_t position) const { return {TrueCache::value(head, position)}; }
};

struct WritesFirstHead : TrueCache {
    using TrueCache::TrueCache;
    void write(KvHead head, std::size_t position, const float* key, const float* value) {
        TrueCache::write({head.layer, head.sequence, 0}, position, key, value);
    }
};

//! Strides key/value heads as if they were as many as a query's, twice the number.
struct StridesByQueryHeads : TrueCache {
    using TrueCache::TrueCache;
    void write(KvHead head, std::size_t position, const float* key, const float* value) {
        TrueCache::write(strided(head), position, key, value);
    }
    Handle key(KvHead head, std::size_t position) const { return TrueCache::key(strided(head), position); }
    Handle value(KvHead head, std::size_t position) const { return TrueCache::value(strided(head), position); }

private:
    KvHead strided(KvHead head) const {
        return {head.layer, head.sequence, head.kv_head * 2 % std::max<std::size_t>(shape().kv_heads, 1)};
    }
};

struct SharesLayers : TrueCache {
    using TrueCache::TrueCache;
    void write(KvHead head, std::size_t position, const float* key, const float* value) {
        for (std::size_t layer = head.layer; layer < shape().layers; ++layer) {
            TrueCache::write({layer, head.sequence, head.kv_head}, position, key, value);
        }
    }
};

//! Position `period` is position 0 again; 0 stands for capacity - 1.
template <std::size_t period>
struct WrapsEarly : TrueCache {
    using TrueCache::TrueCache;
    void write(KvHead head, std::size_t position, const float* key, const float* value) {
        TrueCache::write(head, wrap(position), key, value);
    }
    Handle key(KvHead head, std::size_t position) const { return TrueCache::key(head, wrap(position)); }
    Handle value(KvHead head, std::size_t position) const { return TrueCache::value(head, wrap(position)); }

private:
    std::size_t wrap(std::size_t position) const {
        return position % (period > 0 ? period : std::max<std::size_t>(shape().capacity - 1, 1));
    }
};

struct TruncatesOneShort : TrueCache {
    using TrueCache::TrueCache;
    void truncate(std::size_t sequence, std::size_t length) {
        TrueCache::truncate(sequence, std::max<std::size_t>(length, 1) - 1);
    }
};

struct TruncatesAll : TrueCache {
    using TrueCache::TrueCache;
    void truncate(std::size_t, std::size_t length) {
        for (std::size_t s = 0; s < shape().sequences; ++s) TrueCache::truncate(s, length);
    }
};

struct LengthensByTruncate : TrueCache {
    using TrueCache::TrueCache;
    void truncate(std::size_t sequence, std::size_t length) { advance(sequence, length); }
};

struct AddsLengths : TrueCache {
    using TrueCache::TrueCache;
    void advance(std::size_t sequence, std::size_t more) { TrueCache::advance(sequence, length(sequence) + more); }
};

struct ClearsOnTruncate : TrueCache {
    using TrueCache::TrueCache;
    void truncate(std::size_t sequence, std::size_t length) {
        TrueCache::truncate(sequence, length);
        const std::vector<float> zeros(shape().head_dim, 0.0F);
        for (std::size_t p = std::max<std::size_t>(length, 1) - 1; p < shape().capacity; ++p) {
            for (std::size_t h = 0; h < shape().kv_heads; ++h) write({0, sequence, h}, p, zeros.data(), zeros.data());
        }
    }
};

//! Where a row goes depends on what the sequence once held.
struct AppendsAfterTruncate : TrueCache {
    explicit AppendsAfterTruncate(const KvCacheShape& shape) : TrueCache(shape), end_(shape.sequences, 0) {}
    void truncate(std::size_t sequence, std::size_t to) {
        end_[sequence] = length(sequence);
        TrueCache::truncate(sequence, to);
    }
    void write(KvHead head, std::size_t position, const float* key, const float* value) {
        const std::size_t at = std::max(position, end_[head.sequence]);
        TrueCache::write(head, std::min(at, shape().capacity - 1), key, value);
    }

private:
    std::vector<std::size_t> end_;
};

//! A length of each layer, of which advance() moves the last layer's alone: in the others a row goes to where it would
//! go in an empty cache.
struct AdvancesLastLayer : TrueCache {
    using TrueCache::TrueCache;
    void write(KvHead head, std::size_t position, const float* key, const float* value) {
        TrueCache::write(head, position - missing(head), key, value);
    }

private:
    std::size_t missing(KvHead head) const { return head.layer + 1 < shape().layers ? length(head.sequence) : 0; }
};

}  // namespace mutants

template <KvCache Cache>
Mutant kv_cache_mutant(std::string_view name, std::string_view law, Stored stored = stored_as_it_is) {
    return {std::string(name), law, kv_cache_law_list<Cache>(stored)};
}

inline std::vector<Mutant> kv_cache_mutants() {
    using namespace mutants;
    const auto written = "kv_cache.reads_what_was_written", apart = "kv_cache.places_are_apart",
               length = "kv_cache.length_of_each_sequence", rewound = "kv_cache.rewound_positions_are_overwritten";
    return {
        kv_cache_mutant<HoldsOneSequence>("holds one sequence whatever is asked", "kv_cache.shape_as_asked"),
        kv_cache_mutant<SwapsKeyAndValue>("swaps key and value", written),
        kv_cache_mutant<CutsHalves>("rounds to half towards zero", written, each_stored<oracle::nearest_half>),
        kv_cache_mutant<cpu::KvCacheF16>("rounds what it promised to keep", written),
        kv_cache_mutant<CutsLevels>("rounds levels towards zero", written, oracle::store_as_q8_0),
        kv_cache_mutant<LoadsOtherwiseInVectors>("loads other numbers into vectors",
                                                 "kv_cache.same_bits_on_every_back_end"),
        kv_cache_mutant<WritesFirstHead>("writes to head 0 always", apart),
        kv_cache_mutant<StridesByQueryHeads>("strides heads by the width of a query", apart),
        kv_cache_mutant<SharesLayers>("writes to the layers behind, too", apart),
        kv_cache_mutant<WrapsEarly<0>>("wraps one position early", apart),
        kv_cache_mutant<WrapsEarly<256>>("wraps positions at 256", apart),
        kv_cache_mutant<TruncatesOneShort>("truncates one short", length),
        kv_cache_mutant<TruncatesAll>("truncates all sequences", length),
        kv_cache_mutant<LengthensByTruncate>("makes a sequence longer by truncate", length),
        kv_cache_mutant<AddsLengths>("advances by a length, not to it", length),
        kv_cache_mutant<ClearsOnTruncate>("clears one row too many on truncate", "kv_cache.truncate_keeps_the_rest"),
        kv_cache_mutant<AppendsAfterTruncate>("appends after a truncate", rewound),
        kv_cache_mutant<AdvancesLastLayer>("advances the length of the last layer only", rewound),
    };
}

}  // namespace sluice::contracts
