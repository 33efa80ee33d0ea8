// SPDX-License-Identifier: Apache-2.0
#include "sluice/cpu/attention.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <vector>

#include "sluice/cpu/executor.hpp"
#include "sluice/cpu/kv_cache.hpp"
#include "support/numbers.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

struct Sizes {
    std::size_t kv_heads = 2, group = 2, head_dim = 32;
    std::size_t heads() const { return kv_heads * group; }
    std::size_t width() const { return heads() * head_dim; }
};

//! A full cache of one layer with random keys and values.
cpu::KvCacheF32 random_cache(const Sizes& sizes, std::size_t length, std::size_t sequences = 1) {
    cpu::KvCacheF32 cache({1, sizes.kv_heads, sizes.head_dim, sequences, length});
    std::uint32_t seed = 1;
    for (std::size_t s = 0; s < sequences; ++s) {
        for (std::size_t h = 0; h < sizes.kv_heads; ++h) {
            for (std::size_t p = 0; p < length; ++p, seed += 2) {
                const auto key = random_floats(sizes.head_dim, seed), value = random_floats(sizes.head_dim, seed + 1);
                cache.write({0, s, h}, p, key.data(), value.data());
            }
        }
        cache.advance(s, length);
    }
    return cache;
}

//! softmax(q k / sqrt(dim)) v over the `window` positions up to each row's own, in double precision.
std::vector<double> naive(const Sizes& sizes, const std::vector<Row>& rows, const std::vector<float>& queries,
                          const cpu::KvCacheF32& cache, std::size_t window) {
    std::vector<double> output(rows.size() * sizes.width(), 0.0);
    for (std::size_t r = 0; r < rows.size(); ++r) {
        const auto position = static_cast<std::size_t>(rows[r].position);
        const std::size_t first = position + 1 > window ? position + 1 - window : 0;
        for (std::size_t h = 0; h < sizes.heads(); ++h) {
            const std::size_t at = r * sizes.width() + h * sizes.head_dim;
            const KvHead head{0, static_cast<std::size_t>(rows[r].sequence), h / sizes.group};
            double sum = 0.0;
            std::vector<double> weights;
            for (std::size_t p = first; p <= position; ++p) {
                double score = 0.0;
                for (std::size_t i = 0; i < sizes.head_dim; ++i) {
                    score += static_cast<double>(queries[at + i]) * cache.key(head, p).row[i];
                }
                weights.push_back(std::exp(score / std::sqrt(static_cast<double>(sizes.head_dim))));
                sum += weights.back();
            }
            for (std::size_t p = first; p <= position; ++p) {
                for (std::size_t i = 0; i < sizes.head_dim; ++i) {
                    output[at + i] += weights[p - first] / sum * cache.value(head, p).row[i];
                }
            }
        }
    }
    return output;
}

template <class Attention, KvCache Cache>
std::vector<float> attend(const Sizes& sizes, const std::vector<Row>& rows, const std::vector<float>& queries,
                          const Cache& cache, std::size_t threads) {
    Attention attention({sizes.heads(), sizes.kv_heads, sizes.head_dim, cache.shape().capacity, threads});
    cpu::ThreadPool pool(threads);
    std::vector<float> output(rows.size() * sizes.width(), -1.0F);
    pool.run([&](auto& team) { attention.attend(team, rows, 0, queries.data(), cache, output.data()); });
    return output;
}

template <class Attention = cpu::SoftmaxAttention<>>
double error(const Sizes& sizes, const std::vector<std::int32_t>& positions, std::size_t threads = 1,
             std::size_t window = 1U << 30U) {
    std::vector<Row> rows;
    for (const std::int32_t position : positions) rows.push_back({0, 0, position, false});
    const std::int32_t longest = *std::max_element(positions.begin(), positions.end());
    const cpu::KvCacheF32 cache = random_cache(sizes, static_cast<std::size_t>(longest) + 1);
    const std::vector<float> queries = random_floats(rows.size() * sizes.width(), 77, 2.0);
    return nmse(attend<Attention>(sizes, rows, queries, cache, threads), naive(sizes, rows, queries, cache, window));
}

}  // namespace

TEST_CASE("attention: lengths around the borders of chunks and spans, against double precision") {
    for (const std::int32_t position :
         {0, 1, 14, 15, 16, 62, 63, 64, 65, 127, 128, 1022, 1023, 1024, 1025, 1087, 1088, 2047, 2048, 2049}) {
        CAPTURE(position);
        CHECK(error({}, {position}) < 1e-11);
    }
}

TEST_CASE("attention: groups of 1 to 8 query heads, heads of 16 to 128 elements") {
    for (const std::size_t group : {1U, 2U, 3U, 5U, 7U, 8U, 11U}) {
        for (const std::size_t head_dim : {16U, 48U, 128U}) {
            CAPTURE(group);
            CAPTURE(head_dim);
            CHECK(error({.group = group, .head_dim = head_dim}, {70, 3, 40}) < 1e-11);
        }
    }
}

TEST_CASE("attention: more threads than heads share out spans, with the same bits") {
    const Sizes sizes{.kv_heads = 1, .group = 3, .head_dim = 16};
    const std::vector<Row> rows = {{0, 0, 3000, false}, {0, 0, 1024, false}};
    const cpu::KvCacheF32 cache = random_cache(sizes, 3001);
    const std::vector<float> queries = random_floats(rows.size() * sizes.width(), 5, 2.0);
    const auto wanted = attend<cpu::SoftmaxAttention<>>(sizes, rows, queries, cache, 1);
    CHECK(nmse(wanted, naive(sizes, rows, queries, cache, 1U << 30U)) < 1e-11);
    for (std::size_t threads = 2; threads <= 8; ++threads) {
        CAPTURE(threads);
        CHECK(same_bits(attend<cpu::SoftmaxAttention<>>(sizes, rows, queries, cache, threads), wanted));
    }
}

TEST_CASE("attention: a sliding window sees its own position and the window - 1 before it") {
    CHECK(cpu::SlidingWindow<4>::first_visible(2) == 0);
    CHECK(cpu::SlidingWindow<4>::first_visible(3) == 0);
    CHECK(cpu::SlidingWindow<4>::first_visible(4) == 1);
    for (const std::int32_t position : {0, 6, 7, 69, 70, 71, 100, 1030, 1100}) {
        CAPTURE(position);
        CHECK(error<cpu::SoftmaxAttention<cpu::SlidingWindow<7>>>({}, {position}, 1, 7) < 1e-11);
        CHECK(error<cpu::SoftmaxAttention<cpu::SlidingWindow<70>>>({}, {position}, 5, 70) < 1e-11);
        CHECK(error<cpu::SoftmaxAttention<cpu::SlidingWindow<1>>>({}, {position}, 1, 1) < 1e-11);
    }
}

TEST_CASE("attention: each row reads its own sequence") {
    const Sizes sizes;
    const cpu::KvCacheF32 cache = random_cache(sizes, 80, 3);
    const std::vector<Row> rows = {{0, 2, 79, false}, {0, 0, 3, false}, {0, 1, 64, false}, {0, 2, 12, false}};
    const std::vector<float> queries = random_floats(rows.size() * sizes.width(), 6, 2.0);
    const auto wanted = naive(sizes, rows, queries, cache, 1U << 30U);
    for (const std::size_t threads : {1U, 3U, 8U}) {
        CHECK(nmse(attend<cpu::SoftmaxAttention<>>(sizes, rows, queries, cache, threads), wanted) < 1e-11);
    }
}

TEST_CASE_TEMPLATE("attention: neighbouring rows have the bits of each alone", Visible, cpu::Causal,
                   cpu::SlidingWindow<70>, cpu::SlidingWindow<1000>) {
    using Attention = cpu::SoftmaxAttention<Visible>;
    const Sizes sizes{.kv_heads = 2, .group = 3, .head_dim = 16};
    const cpu::KvCacheF32 cache = random_cache(sizes, 1100, 2);
    for (const std::int32_t first : {0, 13, 59, 63, 66, 1019, 1023, 1027}) {
        CAPTURE(first);
        std::vector<Row> rows;
        for (std::int32_t i = 0; i < 11; ++i) rows.push_back({0, i < 6 ? 0 : 1, first + i, false});
        const std::vector<float> queries = random_floats(rows.size() * sizes.width(), 9, 2.0);
        std::vector<float> alone;
        for (std::size_t r = 0; r < rows.size(); ++r) {
            const auto from = queries.begin() + static_cast<std::ptrdiff_t>(r * sizes.width());
            const std::vector<float> query(from, from + static_cast<std::ptrdiff_t>(sizes.width()));
            const std::vector<float> row = attend<Attention>(sizes, {rows[r]}, query, cache, 1);
            alone.insert(alone.end(), row.begin(), row.end());
        }
        CHECK(same_bits(attend<Attention>(sizes, rows, queries, cache, 1), alone));
        CHECK(same_bits(attend<Attention>(sizes, rows, queries, cache, 3), alone));
    }
}

TEST_CASE("attention: scores far apart neither overflow nor vanish wrongly") {
    const Sizes sizes{.kv_heads = 1, .group = 1, .head_dim = 16};
    cpu::KvCacheF32 cache({1, 1, 16, 1, 3});
    for (std::size_t p = 0; p < 3; ++p) {
        const std::vector<float> key(16, p == 1 ? 1000.0F : -1000.0F), value(16, static_cast<float>(p));
        cache.write({0, 0, 0}, p, key.data(), value.data());
    }
    const std::vector<Row> rows = {{0, 0, 2, false}};
    const std::vector<float> output =
        attend<cpu::SoftmaxAttention<>>(sizes, rows, std::vector<float>(16, 1000.0F), cache, 1);
    CHECK(output == std::vector<float>(16, 1.0F));
}

TEST_CASE("attention: the native back end gives the scalar one's bits") {
    const Sizes sizes{.kv_heads = 2, .group = 3, .head_dim = 48};
    const cpu::KvCacheF32 cache = random_cache(sizes, 1100);
    const std::vector<Row> rows = {{0, 0, 1099, false}, {0, 0, 30, false}};
    const std::vector<float> queries = random_floats(rows.size() * sizes.width(), 8, 2.0);
    CHECK(same_bits(attend<cpu::SoftmaxAttention<cpu::Causal, simd::Native>>(sizes, rows, queries, cache, 2),
                    attend<cpu::SoftmaxAttention<cpu::Causal, simd::Scalar>>(sizes, rows, queries, cache, 1)));
}

TEST_CASE("attention: over Q8_0 the error is that of storing keys and values, over halves less") {
    const Sizes sizes{.kv_heads = 2, .group = 4, .head_dim = 128};
    const cpu::KvCacheF32 exact = random_cache(sizes, 300);
    cpu::KvCacheF16 halves(exact.shape());
    cpu::KvCacheQ8_0 levels(exact.shape());
    for (std::size_t h = 0; h < sizes.kv_heads; ++h) {
        for (std::size_t p = 0; p < 300; ++p) {
            halves.write({0, 0, h}, p, exact.key({0, 0, h}, p).row, exact.value({0, 0, h}, p).row);
            levels.write({0, 0, h}, p, exact.key({0, 0, h}, p).row, exact.value({0, 0, h}, p).row);
        }
    }
    const std::vector<Row> rows = {{0, 0, 299, false}, {0, 0, 64, false}};
    const std::vector<float> queries = random_floats(rows.size() * sizes.width(), 3, 2.0);
    const std::vector<double> wanted = naive(sizes, rows, queries, exact, 1U << 30U);
    const double half = nmse(attend<cpu::SoftmaxAttention<>>(sizes, rows, queries, halves, 1), wanted);
    const double q8_0 = nmse(attend<cpu::SoftmaxAttention<>>(sizes, rows, queries, levels, 1), wanted);
    CAPTURE(half);
    CAPTURE(q8_0);
    CHECK(half < 1e-6);
    CHECK(q8_0 < 2e-4);
    CHECK(half < q8_0);
    using Scalar = cpu::SoftmaxAttention<cpu::Causal, simd::Scalar>;
    CHECK(same_bits(attend<cpu::SoftmaxAttention<>>(sizes, rows, queries, levels, 2),
                    attend<Scalar>(sizes, rows, queries, levels, 1)));
}
