// SPDX-License-Identifier: Apache-2.0
//! The laws of key-value caches: what is written is read back, and nothing else changes.
//!
//!     TEST_CASE("my cache keeps the laws") { sluice::contracts::kv_cache_laws<MyCache>("MyCache"); }
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "sluice/concepts/kv_cache.hpp"
#include "sluice/contracts/check.hpp"
#include "sluice/core/to_text.hpp"
#include "sluice/cpu/simd.hpp"

namespace sluice::contracts {

//! What a cache makes of a row that it stores.
using Stored = void (*)(std::span<float> row);
inline void stored_as_it_is(std::span<float>) {}
template <double (*Nearest)(double)>
void each_stored(std::span<float> row) {
    for (float& x : row) x = static_cast<float>(Nearest(x));
}

namespace detail {

struct CachePlace {
    KvHead head;
    std::size_t position = 0;
};

struct CacheRow {
    std::vector<float> key, value;
};

inline std::string row_name(std::string_view which, const CachePlace& at) {
    return std::string(which) + " of layer " + to_text(at.head.layer) + ", sequence " + to_text(at.head.sequence) +
           ", head " + to_text(at.head.kv_head) + ", position " + to_text(at.position);
}

//! What the laws ask of a cache whatever its type, so that they are compiled once.
class AnyKvCache {
public:
    virtual ~AnyKvCache() = default;

    virtual KvCacheShape shape() const = 0;
    virtual void write(const CachePlace& at, const float* key, const float* value) = 0;
    virtual CacheRow read(const CachePlace& at) const = 0;
    virtual std::vector<CacheRow> read_on_each_back_end(const CachePlace& at) const = 0;
    virtual std::size_t length(std::size_t sequence) const = 0;
    virtual void advance(std::size_t sequence, std::size_t length) = 0;
    virtual void truncate(std::size_t sequence, std::size_t length) = 0;

    void write(const CachePlace& at, const CacheRow& row) { write(at, row.key.data(), row.value.data()); }
};

//! The numbers of a stored row.
template <class V = simd::Native, class Handle>
std::vector<float> load(const Handle& stored, std::size_t head_dim) {
    std::vector<float> row(head_dim);
    for (std::size_t i = 0; i < head_dim; i += simd::lanes) V::store(row.data() + i, stored.template load<V>(i));
    return row;
}

template <KvCache Cache>
class KvCacheOf : public AnyKvCache {
public:
    explicit KvCacheOf(const KvCacheShape& shape) : cache_(shape) {}

    const Cache& cache() const { return cache_; }

    KvCacheShape shape() const override { return cache_.shape(); }
    void write(const CachePlace& at, const float* key, const float* value) override {
        cache_.write(at.head, at.position, key, value);
    }
    CacheRow read(const CachePlace& at) const override { return read_by<simd::Native>(at); }
    std::vector<CacheRow> read_on_each_back_end(const CachePlace& at) const override {
        return [&]<class... V>(std::type_identity<std::tuple<V...>>) {
            return std::vector<CacheRow>{read_by<V>(at)...};
        }(std::type_identity<simd::Backends>());
    }
    std::size_t length(std::size_t sequence) const override { return cache_.length(sequence); }
    void advance(std::size_t sequence, std::size_t length) override { cache_.advance(sequence, length); }
    void truncate(std::size_t sequence, std::size_t length) override { cache_.truncate(sequence, length); }

private:
    template <class V>
    CacheRow read_by(const CachePlace& at) const {
        const std::size_t n = cache_.shape().head_dim;
        return {load<V>(cache_.key(at.head, at.position), n), load<V>(cache_.value(at.head, at.position), n)};
    }

    Cache cache_;
};

//! How to make a cache, and the least head_dim that it takes.
struct KvCacheKind {
    std::unique_ptr<AnyKvCache> (*make)(const KvCacheShape& shape);
    std::size_t least_head_dim;

    template <KvCache Cache>
    static KvCacheKind of() {
        return {[](const KvCacheShape& shape) -> std::unique_ptr<AnyKvCache> {
                    return std::make_unique<KvCacheOf<Cache>>(shape);
                },
                std::max<std::size_t>(16, kv_block<Cache>)};
    }
};

//! A small cache; seldom one of few heads that holds more positions than a byte counts.
inline KvCacheShape cache_shape(Case& c, std::size_t least_head_dim) {
    const KvCacheShape shape =
        c.chance(0.01)
            ? KvCacheShape{1, c.integer<std::size_t>(1, 2), least_head_dim, 1, c.integer<std::size_t>(280, 320)}
            : KvCacheShape{c.integer<std::size_t>(1, 3), c.integer<std::size_t>(1, 3),
                           c.pick<std::size_t>({1, 2, 3}) * least_head_dim, c.integer<std::size_t>(1, 3),
                           c.pick<std::size_t>({1, 2, c.integer<std::size_t>(1, 9)})};
    c.given("layers", shape.layers);
    c.given("kv_heads", shape.kv_heads);
    c.given("head_dim", shape.head_dim);
    c.given("sequences", shape.sequences);
    c.given("capacity", shape.capacity);
    return shape;
}

inline CachePlace cache_place(Draws& c, const KvCacheShape& shape) {
    return {{c.integer<std::size_t>(0, shape.layers - 1), c.integer<std::size_t>(0, shape.sequences - 1),
             c.integer<std::size_t>(0, shape.kv_heads - 1)},
            c.integer<std::size_t>(0, shape.capacity - 1)};
}

inline CacheRow cache_row(Draws& c, const KvCacheShape& shape) {
    return {c.hostile_logits(shape.head_dim), c.hostile_logits(shape.head_dim)};
}

inline void expect_row(const Case& c, const CachePlace& at, const CacheRow& got, const CacheRow& expected) {
    c.same_bits(row_name("key", at), got.key, expected.key);
    c.same_bits(row_name("value", at), got.value, expected.value);
}

inline CacheRow stored_row(CacheRow row, Stored stored) {
    stored(row.key);
    stored(row.value);
    return row;
}

template <class F>
void for_each_place(const KvCacheShape& shape, F f) {
    for (std::size_t layer = 0; layer < shape.layers; ++layer) {
        for (std::size_t s = 0; s < shape.sequences; ++s) {
            for (std::size_t h = 0; h < shape.kv_heads; ++h) {
                for (std::size_t p = 0; p < shape.capacity; ++p) f(CachePlace{{layer, s, h}, p});
            }
        }
    }
}

//! Writes a row of its own to every place: its number in all elements, its negative in the value.
inline void number_all_rows(AnyKvCache& cache) {
    float number = 1.0F;
    for_each_place(cache.shape(), [&](const CachePlace& at) {
        const std::size_t n = cache.shape().head_dim;
        cache.write(at, CacheRow{std::vector<float>(n, number), std::vector<float>(n, -number)});
        number += 1.0F;
    });
}

//! Expects what number_all_rows wrote, or the row that `changed` gives for the place instead, each as stored.
template <class Changed>
void expect_numbered_rows(const Case& c, const AnyKvCache& cache, Stored stored, Changed changed) {
    float number = 1.0F;
    for_each_place(cache.shape(), [&](const CachePlace& at) {
        const std::size_t n = cache.shape().head_dim;
        const CacheRow* row = changed(at);
        const CacheRow numbered{std::vector<float>(n, number), std::vector<float>(n, -number)};
        expect_row(c, at, cache.read(at), stored_row(row ? *row : numbered, stored));
        number += 1.0F;
    });
}

inline bool same_place(const CachePlace& a, const CachePlace& b) {
    return std::tie(a.head.layer, a.head.sequence, a.head.kv_head, a.position) ==
           std::tie(b.head.layer, b.head.sequence, b.head.kv_head, b.position);
}

}  // namespace detail

//! All laws of a cache; `stored` is its number format, which keeps a row that it once made as it is.
inline std::vector<Law> kv_cache_law_list(const detail::KvCacheKind& kind, Stored stored) {
    using namespace detail;
    const auto empty = [kind](Case& c) { return kind.make(cache_shape(c, kind.least_head_dim)); };
    return {
        {"kv_cache.shape_as_asked", "A cache has the shape that was asked for, and begins empty.",
         [kind](Case& c) {
             const KvCacheShape shape = cache_shape(c, kind.least_head_dim);
             const auto cache = kind.make(shape);
             const KvCacheShape got = cache->shape();
             c.equal("shape", std::vector{got.layers, got.kv_heads, got.head_dim, got.sequences, got.capacity},
                     {shape.layers, shape.kv_heads, shape.head_dim, shape.sequences, shape.capacity});
             for (std::size_t s = 0; s < shape.sequences; ++s) c.equal("length", cache->length(s), 0);
         }},
        {"kv_cache.reads_what_was_written", "A row is read back as it was written, rounded as promised.",
         [empty, stored](Case& c) {
             const auto made = empty(c);
             AnyKvCache& cache = *made;
             const CachePlace at = cache_place(c, cache.shape());
             cache.write(at, cache_row(c, cache.shape()));
             const CacheRow row = cache_row(c, cache.shape());
             c.given("key", row.key);
             c.given("value", row.value);
             cache.write(at, row);
             expect_row(c, at, cache.read(at), stored_row(row, stored));
         }},
        {"kv_cache.same_bits_on_every_back_end", "A stored row has the same bits for every SIMD back end.",
         [empty](Case& c) {
             const auto made = empty(c);
             AnyKvCache& cache = *made;
             const CachePlace at = cache_place(c, cache.shape());
             cache.write(at, cache_row(c, cache.shape()));
             const std::vector<CacheRow> rows = cache.read_on_each_back_end(at);
             for (const CacheRow& row : rows) expect_row(c, at, row, rows.front());
         }},
        {"kv_cache.places_are_apart", "A write changes its own layer, sequence, head and position and no other.",
         [empty, stored](Case& c) {
             const auto made = empty(c);
             AnyKvCache& cache = *made;
             number_all_rows(cache);
             const CachePlace place = cache_place(c, cache.shape());
             const CacheRow row = cache_row(c, cache.shape());
             cache.write(place, row);
             expect_numbered_rows(c, cache, stored,
                                  [&](const CachePlace& at) { return same_place(at, place) ? &row : nullptr; });
         }},
        {"kv_cache.length_of_each_sequence",
         "advance sets one sequence's length, truncate shortens it but never makes it longer.",
         [empty](Case& c) {
             const auto made = empty(c);
             AnyKvCache& cache = *made;
             std::vector<std::size_t> expected(cache.shape().sequences, 0);
             std::string calls;
             for (int call = 0; call < 12; ++call) {
                 const std::size_t s = c.integer<std::size_t>(0, expected.size() - 1);
                 const std::size_t n = c.integer<std::size_t>(0, cache.shape().capacity);
                 const bool forwards = c.chance(0.5) && n >= expected[s];
                 if (forwards) {
                     cache.advance(s, expected[s] = n);
                 } else {
                     cache.truncate(s, n);
                     expected[s] = std::min(expected[s], n);
                 }
                 calls += (forwards ? " advance(" : " truncate(") + to_text(s) + ", " + to_text(n) + ")";
                 std::vector<std::size_t> got;
                 for (std::size_t i = 0; i < expected.size(); ++i) got.push_back(cache.length(i));
                 c.equal("lengths after" + calls, got, expected);
             }
         }},
        {"kv_cache.truncate_keeps_the_rest",
         "truncate and advance change no row below the length, nor other sequences.",
         [empty, stored](Case& c) {
             const auto made = empty(c);
             AnyKvCache& cache = *made;
             const std::size_t capacity = cache.shape().capacity, sequences = cache.shape().sequences;
             number_all_rows(cache);
             for (std::size_t s = 0; s < sequences; ++s) cache.advance(s, capacity);
             const std::size_t cut = c.integer<std::size_t>(0, sequences - 1),
                               length = c.integer<std::size_t>(0, capacity);
             c.given("cut sequence", cut);
             c.given("length", length);
             cache.truncate(cut, length);
             CacheRow gone;
             expect_numbered_rows(c, cache, stored, [&](const CachePlace& at) -> const CacheRow* {
                 if (at.head.sequence != cut || at.position < length) return nullptr;
                 gone = cache.read(at);  // whatever it is
                 return &gone;
             });
         }},
        {"kv_cache.rewound_positions_are_overwritten",
         "After a truncate, what is written at a position is read at that position.",
         [empty, stored](Case& c) {
             const auto made = empty(c);
             AnyKvCache& cache = *made;
             const std::size_t capacity = cache.shape().capacity;
             number_all_rows(cache);
             CachePlace at = cache_place(c, cache.shape());
             cache.advance(at.head.sequence, capacity);
             cache.truncate(at.head.sequence, at.position);
             const std::size_t n = cache.shape().head_dim;
             const CacheRow row{std::vector<float>(n, 0.5F), std::vector<float>(n, -0.5F)};
             cache.write(at, row);
             cache.advance(at.head.sequence, at.position + 1);
             expect_numbered_rows(c, cache, stored,
                                  [&](const CachePlace& other) { return same_place(at, other) ? &row : nullptr; });
         }},
    };
}

template <KvCache Cache>
std::vector<Law> kv_cache_law_list(Stored stored = stored_as_it_is) {
    return kv_cache_law_list(detail::KvCacheKind::of<Cache>(), stored);
}

//! Checks all laws of a cache, inside a doctest test case.
template <KvCache Cache>
void kv_cache_laws(std::string_view subject, Stored stored = stored_as_it_is) {
    check_laws(subject, kv_cache_law_list<Cache>(stored));
}

}  // namespace sluice::contracts
