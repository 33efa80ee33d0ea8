// SPDX-License-Identifier: Apache-2.0
//! The laws of attention: what the Attention slot asks of any, and softmax attention with grouped queries.
//!
//!     TEST_CASE("my attention keeps the laws") { sluice::contracts::attention_laws<MyAttention>("MyAttention"); }
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/concepts/attention.hpp"
#include "sluice/contracts/check.hpp"
#include "sluice/contracts/kv_cache_laws.hpp"
#include "sluice/contracts/tolerances.hpp"
#include "sluice/contracts/transformer_oracles.hpp"
#include "sluice/core/to_text.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cpu/executor.hpp"
#include "sluice/cpu/kv_cache.hpp"

namespace sluice::contracts {

//! How many positions a row sees, its own included: as many as there are, or a window.
inline constexpr std::size_t all_positions = std::numeric_limits<std::size_t>::max();

namespace detail {

//! Rows of queries, and a full cache.
template <KvCache Cache>
struct AttentionInput {
    KvCacheShape stored;
    std::size_t group = 1;  //!< query heads of a key/value head
    std::size_t layer = 0;
    std::vector<Row> rows;
    std::vector<float> queries;  // [rows, heads * head_dim]
    Cache cache;

    std::size_t heads() const { return stored.kv_heads * group; }
    std::size_t width() const { return heads() * stored.head_dim; }
    AttentionShape shape(std::size_t threads) const {
        return {heads(), stored.kv_heads, stored.head_dim, stored.capacity, threads};
    }
    KvHead head(const Row& row, std::size_t query_head) const {
        return {layer, static_cast<std::size_t>(row.sequence), query_head / group};
    }
    std::span<const float> query(std::size_t r, std::size_t h) const {
        return std::span(queries).subspan(r * width() + h * stored.head_dim, stored.head_dim);
    }

    //! Row r alone.
    AttentionInput row(std::size_t r) const {
        const std::span<const float> its = std::span(queries).subspan(r * width(), width());
        return {stored, group, layer, {rows[r]}, {its.begin(), its.end()}, Cache(stored)};
    }
};

inline std::size_t first_visible(const Row& row, std::size_t window) {
    const std::size_t end = static_cast<std::size_t>(row.position) + 1;
    return end > window ? end - window : 0;
}

//! Fills the whole cache with rows out of a few hundred random numbers.
template <KvCache Cache>
void fill(Draws& c, Cache& cache, double key_scale, double value_scale) {
    const KvCacheShape& shape = cache.shape();
    const std::vector<float> keys = c.normals(251 + shape.head_dim, key_scale);
    const std::vector<float> values = c.normals(241 + shape.head_dim, value_scale);
    std::size_t row = 0;
    for_each_place(shape, [&](const CachePlace& at) {
        ++row;
        cache.write(at.head, at.position, keys.data() + row * 101 % 251, values.data() + row * 97 % 241);
    });
    for (std::size_t s = 0; s < shape.sequences; ++s) cache.advance(s, shape.capacity);
}

//! Sequences short and, now and then, longer than a chunk or a span of the library's attention.
template <KvCache Cache>
AttentionInput<Cache> attention_input(Case& c) {
    KvCacheShape shape{c.integer<std::size_t>(1, 2), c.integer<std::size_t>(1, 3),
                       c.pick<std::size_t>({1, 1, 2, 3}) * least_head_dim<Cache>, c.integer<std::size_t>(1, 2),
                       c.pick<std::size_t>({1, 2, 17, c.integer<std::size_t>(1, 40)})};
    if (c.chance(0.03)) shape.capacity = c.integer<std::size_t>(60, 150);
    if (c.chance(0.005))
        shape = {1, c.integer<std::size_t>(1, 2), least_head_dim<Cache>, 1, c.integer<std::size_t>(1020, 2100)};
    AttentionInput<Cache> input{
        shape, c.pick<std::size_t>({1, 2, 3, 8}), c.integer<std::size_t>(0, shape.layers - 1), {}, {}, Cache(shape)};
    std::vector<std::int32_t> positions;
    const auto last = static_cast<std::int32_t>(shape.capacity) - 1;
    const bool is_prompt = c.chance(0.5);  // neighbours, most of them
    for (std::size_t n = c.integer<std::size_t>(1, is_prompt ? 9 : 4); n > 0; --n) {
        Row row{0, c.integer(0, static_cast<std::int32_t>(shape.sequences) - 1), c.pick({0, last, c.integer(0, last)}),
                false};
        if (is_prompt && !input.rows.empty() && positions.back() < last && c.chance(0.8)) {
            row = input.rows.back();
            ++row.position;
        }
        positions.push_back(row.position);
        input.rows.push_back(row);
    }
    const double scale = c.pick({0.0, 0.3, 1.0, 3.0, 100.0});
    input.queries = c.normals(input.rows.size() * input.width(), scale);
    fill(c, input.cache, c.pick({0.1, 1.0}), c.pick({1e-3, 1.0, 1e3}));
    c.given("kv_heads", shape.kv_heads);
    c.given("group", input.group);
    c.given("head_dim", shape.head_dim);
    c.given("capacity", shape.capacity);
    c.given("positions", positions);
    c.given("scale of queries", scale);
    return input;
}

//! What the attention makes of the rows: [rows, heads * head_dim], of which each number was `held` before.
template <class A, class Cache, Executor Exec>
std::vector<float> attend(A& attention, Exec& executor, const AttentionInput<Cache>& input, const Cache& cache,
                          float held = -1.0F) {
    std::vector<float> output(input.queries.size(), held);
    executor.run([&](auto& team) {
        attention.attend(team, input.rows, input.layer, input.queries.data(), cache, output.data());
    });
    return output;
}

//! The same with an attention of its own, on one thread.
template <class A, class Cache>
std::vector<float> attend(const AttentionInput<Cache>& input, const Cache& cache) {
    A attention(input.shape(1));
    cpu::SerialExecutor executor;
    return attend(attention, executor, input, cache);
}
template <class A, class Cache>
std::vector<float> attend(const AttentionInput<Cache>& input) {
    return attend<A>(input, input.cache);
}

inline std::string head_name(std::size_t row, std::size_t head) {
    return "row " + to_text(row) + ", head " + to_text(head);
}

//! f(row, head, what came out of it).
template <class Cache, class F>
void for_each_head(const AttentionInput<Cache>& input, const std::vector<float>& output, F f) {
    const std::size_t size = input.stored.head_dim;
    for (std::size_t r = 0; r < input.rows.size(); ++r) {
        for (std::size_t h = 0; h < input.heads(); ++h) {
            f(r, h, std::span(output).subspan(r * input.width() + h * size, size));
        }
    }
}

}  // namespace detail

//! What the Attention slot promises, whatever is computed from the visible positions: the last `window` ones.
template <class A, KvCache Cache = cpu::KvCacheF32>
std::vector<Law> attention_slot_laws(std::size_t window = all_positions) {
    using namespace detail;
    using Input = AttentionInput<Cache>;
    const std::vector<std::shared_ptr<cpu::ThreadPool>> teams = {std::make_shared<cpu::ThreadPool>(2),
                                                                 std::make_shared<cpu::ThreadPool>(3),
                                                                 std::make_shared<cpu::ThreadPool>(4)};
    return {
        {"attention.sees_only_what_is_visible",
         "Later positions, those before the window, other sequences and other layers do not matter.",
         [window](Case& c) {
             const Input input = attention_input<Cache>(c);
             const std::size_t r = c.integer<std::size_t>(0, input.rows.size() - 1);
             const Input alone = input.row(r);
             Cache cache(input.stored);
             const std::vector<float> nan(input.stored.head_dim, std::numeric_limits<float>::quiet_NaN());
             for_each_place(input.stored, [&](const CachePlace& at) {
                 const Row& row = input.rows[r];
                 const bool seen =
                     at.head.layer == input.layer && at.head.sequence == static_cast<std::size_t>(row.sequence) &&
                     first_visible(row, window) <= at.position && at.position <= static_cast<std::size_t>(row.position);
                 const CacheRow stored = read(input.cache, at);
                 write(cache, at, seen ? stored : CacheRow{nan, nan});
             });
             c.same_bits("result beside NaN", attend<A>(alone, cache), attend<A>(alone, input.cache));
             for (const float y : attend<A>(alone, cache)) c.expect(!std::isnan(y), "what is not visible was read");
         }},
        {"attention.row_alone", "A row's result has the same bits alone, among other rows and in any order of them.",
         [](Case& c) {
             const Input input = attention_input<Cache>(c);
             const std::vector<float> together = attend<A>(input);
             Input shuffled = input.row(0);
             shuffled.rows.clear();
             shuffled.queries.clear();
             const std::vector<std::size_t> order = c.shuffled(input.rows.size());
             c.given("other order", order);
             for (const std::size_t r : order) {
                 const Input row = input.row(r);
                 shuffled.rows.push_back(row.rows[0]);
                 shuffled.queries.insert(shuffled.queries.end(), row.queries.begin(), row.queries.end());
             }
             const std::vector<float> otherwise = attend<A>(shuffled, input.cache);
             for (std::size_t i = 0; i < order.size(); ++i) {
                 const std::size_t r = order[i];
                 const auto expected = std::span(together).subspan(r * input.width(), input.width());
                 c.same_bits("row " + to_text(r) + " alone", attend<A>(input.row(r), input.cache), expected);
                 c.same_bits("row " + to_text(r) + " in other order",
                             std::span(otherwise).subspan(i * input.width(), input.width()), expected);
             }
         }},
        {"attention.any_team", "The result has the same bits from any number of threads.",
         [teams](Case& c) {
             const Input input = attention_input<Cache>(c);
             cpu::ThreadPool& team = *teams[c.integer<std::size_t>(0, teams.size() - 1)];
             c.given("threads", team.size());
             A attention(input.shape(4));
             c.same_bits("result", attend(attention, team, input, input.cache), attend<A>(input));
         }},
        {"attention.nothing_stays",
         "A result has the same bits whatever was computed before and whatever `output` held.",
         [](Case& c) {
             Input input = attention_input<Cache>(c);
             const std::vector<float> queries = input.queries;
             A attention(input.shape(1));
             cpu::SerialExecutor executor;
             const std::vector<float> first = attend(attention, executor, input, input.cache);
             input.queries = c.normals(queries.size());
             attend(attention, executor, input, input.cache);
             input.queries = queries;
             const float held = c.pick({5.0F, std::numeric_limits<float>::quiet_NaN()});
             c.same_bits("result", attend(attention, executor, input, input.cache, held), first);
         }},
    };
}

//! All laws of softmax attention: those of the slot and those of the rule.
template <class A, KvCache Cache = cpu::KvCacheF32>
std::vector<Law> attention_law_list(std::size_t window = all_positions) {
    using namespace detail;
    using Input = AttentionInput<Cache>;
    std::vector<Law> laws = attention_slot_laws<A, Cache>(window);
    const std::vector<Law> rule = {
        {"attention.softmax_of_scaled_scores",
         "Each head mixes the visible values by the softmax of query . key / sqrt(head_dim).",
         [window](Case& c) {
             const Input input = attention_input<Cache>(c);
             for_each_head(input, attend<A>(input), [&](std::size_t r, std::size_t h, std::span<const float> got) {
                 const Row& row = input.rows[r];
                 const oracle::Vector query = oracle::to_doubles(input.query(r, h));
                 std::vector<oracle::Vector> keys, values;
                 double largest_value = 0.0, largest_score = 0.0;
                 for (std::size_t p = first_visible(row, window); p <= static_cast<std::size_t>(row.position); ++p) {
                     const CacheRow stored = read(input.cache, {input.head(row, h), p});
                     keys.push_back(oracle::to_doubles(stored.key));
                     values.push_back(oracle::to_doubles(stored.value));
                     double score = 0.0;
                     for (std::size_t i = 0; i < query.size(); ++i) {
                         score += std::fabs(query[i] * keys.back()[i]);
                         largest_value = std::max(largest_value, std::fabs(values.back()[i]));
                     }
                     largest_score = std::max(largest_score, score / std::sqrt(static_cast<double>(query.size())));
                 }
                 const oracle::Vector magnitudes(query.size(), largest_value * (1.0 + 0.1 * largest_score));
                 c.near(head_name(r, h), got, oracle::attend(query, keys, values), magnitudes, tolerance::attention);
             });
         }},
        {"attention.weights_sum_to_one", "Values that are the same at all positions come out as they are.",
         [](Case& c) {
             Input input = attention_input<Cache>(c);
             const std::vector<float> value = c.normals(input.stored.head_dim);
             for_each_place(input.stored, [&](const CachePlace& at) {
                 write(input.cache, at, {read(input.cache, at).key, value});
             });
             const std::vector<float> stored = read(input.cache, {}).value;
             for_each_head(input, attend<A>(input), [&](std::size_t r, std::size_t h, std::span<const float> got) {
                 const oracle::Vector expected = oracle::to_doubles(stored);
                 c.near(head_name(r, h), got, expected, expected, tolerance::attention);
             });
         }},
        {"attention.first_position_gives_its_value", "A row that sees itself alone gives its own value.",
         [](Case& c) {
             Input input = attention_input<Cache>(c);
             for (Row& row : input.rows) row.position = 0;
             for_each_head(input, attend<A>(input), [&](std::size_t r, std::size_t h, std::span<const float> got) {
                 const auto expected = oracle::to_doubles(read(input.cache, {input.head(input.rows[r], h), 0}).value);
                 c.near(head_name(r, h), got, expected, expected, tolerance::softmax);
             });
         }},
        {"attention.heads_share_in_groups", "Query head h reads key/value head h / group.",
         [](Case& c) {
             Input input = attention_input<Cache>(c);
             for_each_place(input.stored, [&](const CachePlace& at) {
                 const std::vector<float> number(input.stored.head_dim, static_cast<float>(at.head.kv_head + 1));
                 write(input.cache, at, {read(input.cache, at).key, number});
             });
             for_each_head(input, attend<A>(input), [&](std::size_t r, std::size_t h, std::span<const float> got) {
                 const KvHead head{input.layer, 0, h / input.group};
                 c.near(head_name(r, h), got[0], read(input.cache, {head, 0}).value[0], tolerance::attention);
             });
         }},
        {"attention.extreme_scores", "However far apart the scores, the result lies between the visible values.",
         [window](Case& c) {
             Input input = attention_input<Cache>(c);
             const double scale = c.pick({1e4, 1e4, 1e15});
             c.given("largest score about", scale);
             for (float& q : input.queries) q = static_cast<float>(q * scale / (1.0 + std::fabs(q)));
             for_each_head(input, attend<A>(input), [&](std::size_t r, std::size_t h, std::span<const float> got) {
                 const Row& row = input.rows[r];
                 float lowest = std::numeric_limits<float>::max(), highest = -lowest;
                 for (std::size_t p = first_visible(row, window); p <= static_cast<std::size_t>(row.position); ++p) {
                     for (const float v : read(input.cache, {input.head(row, h), p}).value) {
                         lowest = std::min(lowest, v);
                         highest = std::max(highest, v);
                     }
                 }
                 const double slack = 1e-5 * std::max(std::fabs(lowest), std::fabs(highest));
                 for (const float y : got) c.between<double>(head_name(r, h), y, lowest - slack, highest + slack);
             });
         }},
    };
    laws.insert(laws.end(), rule.begin(), rule.end());
    return laws;
}

//! Checks all laws of softmax attention, inside a doctest test case.
template <class A, KvCache Cache = cpu::KvCacheF32>
void attention_laws(std::string_view subject, std::size_t window = all_positions) {
    check_laws(subject, attention_law_list<A, Cache>(window));
}

}  // namespace sluice::contracts
