// SPDX-License-Identifier: Apache-2.0
#include "sluice/cpu/kv_cache.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <tuple>
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
                   cpu::KvCacheF16, cpu::KvCacheF32, cpu::KvCacheQ8_0) {
    Cache cache(small);
    for_each_place([&](KvHead head, std::size_t p) {
        cache.write(head, p, row_of(head, p, true).data(), row_of(head, p, false).data());
    });
    Cache one({.layers = 1, .kv_heads = 1, .head_dim = small.head_dim, .sequences = 1, .capacity = 1});
    const auto stored = [&](const std::vector<float>& row) {
        one.write({}, 0, row.data(), row.data());
        return read(one.key({}, 0));
    };
    for_each_place([&](KvHead head, std::size_t p) {
        REQUIRE(same_bits(read(cache.key(head, p)), stored(row_of(head, p, true))));
        REQUIRE(same_bits(read(cache.value(head, p)), stored(row_of(head, p, false))));
    });
}

TEST_CASE_TEMPLATE("kv cache: lengths of sequences grow and shrink on their own", Cache, cpu::KvCacheF16,
                   cpu::KvCacheF32, cpu::KvCacheQ8_0) {
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
                   cpu::KvCacheF16, cpu::KvCacheF32, cpu::KvCacheQ8_0) {
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
    CHECK(cpu::KvCacheQ8_0(small).bytes() == 3 * 2 * (2 + 32) * 2 * 5 * 2);
}

TEST_CASE("kv cache: halves are the nearest ones") {
    cpu::KvCacheF16 cache(small);
    const std::vector<float> row = row_of({}, 0, true);
    cache.write({}, 0, row.data(), row.data());
    const std::vector<float> stored = read(cache.value({}, 0));
    for (std::size_t i = 0; i < row.size(); ++i) CHECK(stored[i] == to_float(to_half(row[i])));
}

TEST_CASE("kv cache: Q8_0 keeps 255 levels of each block's largest magnitude, NaN, and numbers of any size") {
    cpu::KvCacheQ8_0 cache({.layers = 1, .kv_heads = 1, .head_dim = 64, .sequences = 1, .capacity = 1});
    const auto stored = [&](const std::vector<float>& row) {
        cache.write({}, 0, row.data(), row.data());
        std::vector<float> got(64);
        for (std::size_t i = 0; i < 64; i += 16) simd::Native::store(&got[i], cache.key({}, 0).load<simd::Native>(i));
        return got;
    };
    std::vector<float> row(64, 0.0F);
    CHECK(stored(row) == row);
    for (std::size_t i = 0; i < 32; ++i) {
        row[i] = 0.25F * (static_cast<float>(i) - 16.0F);  // the first block's scale is 0.25, the second's 8
        row[32 + i] = 8.0F * static_cast<float>(i);
    }
    row[31] = -0.25F * 127;
    row[63] = 8.0F * 127;
    CHECK(stored(row) == row);
    row[1] += 0.124F;  // nearest level
    row[33] += 5.0F;
    std::vector<float> wanted = row;
    wanted[1] -= 0.124F;
    wanted[33] += 3.0F;
    CHECK(stored(row) == wanted);

    row[32] = std::numeric_limits<float>::infinity();
    std::vector<float> got = stored(row);
    for (std::size_t i = 0; i < 64; ++i) CHECK(std::isnan(got[i]) == (i >= 32));
    for (const float size : {1e-38F, 1e-7F, 1.06e-5F, 1e-3F, 1e6F}) {  // below 127 * 2^-14 scales lose bits
        const std::vector<float> numbers(64, -size);
        for (const float x : stored(numbers)) CHECK(std::fabs(x + size) <= std::max(size * 0x1p-11F, 127 * 0x1p-25F));
    }
}

TEST_CASE("kv cache: every back end stores the same bits") {
    const std::vector<float> row = row_of({}, 3, true);
    const auto check = [&](auto cache) {
        cache.template write<simd::Scalar>({}, 0, row.data(), row.data());
        const std::vector<float> wanted = read(cache.key({}, 0));
        [&]<class... V>(std::type_identity<std::tuple<V...>>) {
            (cache.template write<V>({}, 1, row.data(), row.data()), ...);
        }(std::type_identity<simd::Backends>());
        CHECK(same_bits(read(cache.key({}, 1)), wanted));
    };
    check(cpu::KvCacheF16(small));
    check(cpu::KvCacheQ8_0(small));
}
