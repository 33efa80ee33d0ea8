// SPDX-License-Identifier: Apache-2.0
#include "sluice/cpu/kv_cache.hpp"

#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <vector>

#include "support/numbers.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr KvCacheShape small{.layers = 3, .kv_heads = 2, .head_dim = 32, .sequences = 2, .capacity = 5};

//! A different row for each place, keys and values.
std::vector<float> row_of(KvHead head, std::size_t position, bool is_key) {
    const std::size_t seed = (((head.layer * 7 + head.sequence) * 7 + head.kv_head) * 7 + position) * 2 + is_key;
    return random_floats(small.head_dim, static_cast<std::uint32_t>(seed));
}

template <class Handle>
std::vector<float> read(const Handle& handle) {
    std::vector<float> row(small.head_dim);
    for (std::size_t i = 0; i < row.size(); i += simd::lanes) {
        simd::Native::store(&row[i], handle.template load<simd::Native>(i));
    }
    return row;
}

template <class F>
void for_each_place(F f) {
    for (std::size_t layer = 0; layer < small.layers; ++layer) {
        for (std::size_t sequence = 0; sequence < small.sequences; ++sequence) {
            for (std::size_t kv_head = 0; kv_head < small.kv_heads; ++kv_head) {
                for (std::size_t p = 0; p < small.capacity; ++p) f(KvHead{layer, sequence, kv_head}, p);
            }
        }
    }
}

}  // namespace

TEST_CASE_TEMPLATE("kv cache: every layer, sequence, head and position has its own key and value", Cache,
                   cpu::KvCacheF16, cpu::KvCacheF32) {
    Cache cache(small);
    for_each_place([&](KvHead head, std::size_t p) {
        cache.write(head, p, row_of(head, p, true).data(), row_of(head, p, false).data());
    });
    const auto stored = [](std::vector<float> row) {
        if constexpr (std::is_same_v<Cache, cpu::KvCacheF16>) {
            for (float& x : row) x = to_float(to_half(x));
        }
        return row;
    };
    for_each_place([&](KvHead head, std::size_t p) {
        REQUIRE(same_bits(read(cache.key(head, p)), stored(row_of(head, p, true))));
        REQUIRE(same_bits(read(cache.value(head, p)), stored(row_of(head, p, false))));
    });
}

TEST_CASE_TEMPLATE("kv cache: lengths of sequences grow and shrink on their own", Cache, cpu::KvCacheF16,
                   cpu::KvCacheF32) {
    Cache cache(small);
    CHECK(cache.length(0) == 0);
    cache.advance(0, 4);
    cache.advance(1, 2);
    cache.truncate(0, 3);
    CHECK(cache.length(0) == 3);
    CHECK(cache.length(1) == 2);
    cache.truncate(1, 5);  // cannot lengthen
    CHECK(cache.length(1) == 2);
    cache.truncate(0, 0);
    CHECK(cache.length(0) == 0);
    CHECK(cache.length(1) == 2);
}

TEST_CASE_TEMPLATE("kv cache: truncation keeps what lies before it, and a rewrite replaces what lies behind", Cache,
                   cpu::KvCacheF16, cpu::KvCacheF32) {
    Cache cache(small);
    const KvHead head{1, 1, 1};
    for (std::size_t p = 0; p < 4; ++p) {
        cache.write(head, p, row_of(head, p, true).data(), row_of(head, p, false).data());
    }
    cache.advance(1, 4);
    const auto first = read(cache.key(head, 1)), old = read(cache.value(head, 2));
    cache.truncate(1, 2);
    cache.write(head, 2, row_of(head, 9, true).data(), row_of(head, 9, false).data());
    CHECK(same_bits(read(cache.key(head, 1)), first));
    CHECK(!same_bits(read(cache.value(head, 2)), old));
}

TEST_CASE("kv cache: says how many bytes it holds") {
    CHECK(cpu::KvCacheF16(small).bytes() == 3 * 2 * 32 * 2 * 5 * 2 * 2);
    CHECK(cpu::KvCacheF32(small).bytes() == 2 * cpu::KvCacheF16(small).bytes());
}
