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

//! What the laws ask of an attention over a cache, whatever their types, so that they are compiled once.
class AnyAttention {
public:
    virtual ~AnyAttention() = default;
    //! Of a cache of the kind that it is for.
    virtual void attend(cpu::ThreadPool& team, std::span<const Row> rows, std::size_t layer, const float* queries,
                        const AnyKvCache& cache, float* output) = 0;
};

template <class A, KvCache Cache>
class AttentionOf : public AnyAttention {
public:
    explicit AttentionOf(const AttentionShape& shape) : attention_(shape) {}

    void attend(cpu::ThreadPool& team, std::span<const Row> rows, std::size_t layer, const float* queries,
                const AnyKvCache& cache, float* output) override {
        const Cache& stored = static_cast<const KvCacheOf<Cache>&>(cache).cache();
        team.run(
            [&](cpu::ThreadPool::Team& member) { attention_.attend(member, rows, layer, queries, stored, output); });
    }

private:
    A attention_;
};

//! How to make an attention and the caches that it reads, and how many positions a row sees.
struct AttentionKind {
    std::unique_ptr<AnyAttention> (*make)(const AttentionShape& shape);
    KvCacheKind cache;
    std::size_t window;

    template <class A, KvCache Cache>
    static AttentionKind of(std::size_t window) {
        return {[](const AttentionShape& shape) -> std::unique_ptr<AnyAttention> {
                    return std::make_unique<AttentionOf<A, Cache>>(shape);
                },
                KvCacheKind::of<Cache>(), window};
    }
};

//! Rows of queries, and a full cache.
struct AttentionInput {
    KvCacheShape stored;
    std::size_t group = 1;  //!< query heads of a key/value head
    std::size_t layer = 0;
    std::vector<Row> rows;
    std::vector<float> queries;  // [rows, heads * head_dim]
    std::shared_ptr<AnyKvCache> cache;

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

    //! Row r alone, over the same cache.
    AttentionInput row(std::size_t r) const {
        const std::span<const float> its = std::span(queries).subspan(r * width(), width());
        return {stored, group, layer, {rows[r]}, {its.begin(), its.end()}, cache};
    }
};

inline std::size_t first_visible(const Row& row, std::size_t window) {
    const std::size_t end = static_cast<std::size_t>(row.position) + 1;
    return end > window ? end - window : 0;
}

//! Fills the whole cache with rows out of a few hundred random numbers.
inline void fill(Draws& c, AnyKvCache& cache, double key_scale, double value_scale) {
    const KvCacheShape shape = cache.shape();
    const std::vector<float> keys = c.normals(251 + shape.head_dim, key_scale);
    const std::vector<float> values = c.normals(241 + shape.head_dim, value_scale);
    std::size_t row = 0;
    for_each_place(shape, [&](const CachePlace& at) {
        ++row;
        cache.write(at, keys.data() + row * 101 % 251, values.data() + row * 97 % 241);
    });
    for (std::size_t s = 0; s < shape.sequences; ++s) cache.advance(s, shape.capacity);
}

//! Sequences short and, now and then, longer than a chunk or a span of the library's attention.
inline AttentionInput attention_input(Case& c, const AttentionKind& kind) {
    const std::size_t least_head_dim = kind.cache.least_head_dim;
    KvCacheShape shape{c.integer<std::size_t>(1, 2), c.integer<std::size_t>(1, 3),
                       c.pick<std::size_t>({1, 1, 2, 3}) * least_head_dim, c.integer<std::size_t>(1, 2),
                       c.pick<std::size_t>({1, 2, 17, c.integer<std::size_t>(1, 40)})};
    if (c.chance(0.03)) shape.capacity = c.integer<std::size_t>(60, 150);
    if (c.chance(0.005))
        shape = {1, c.integer<std::size_t>(1, 2), least_head_dim, 1, c.integer<std::size_t>(1020, 2100)};
    AttentionInput input{shape,
                         c.pick<std::size_t>({1, 2, 3, 8}),
                         c.integer<std::size_t>(0, shape.layers - 1),
                         {},
                         {},
                         kind.cache.make(shape)};
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
    fill(c, *input.cache, c.pick({0.1, 1.0}), c.pick({1e-3, 1.0, 1e3}));
    c.given("kv_heads", shape.kv_heads);
    c.given("group", input.group);
    c.given("head_dim", shape.head_dim);
    c.given("capacity", shape.capacity);
    c.given("positions", positions);
    c.given("scale of queries", scale);
    return input;
}

//! What the attention makes of the rows: [rows, heads * head_dim], of which each number was `held` before.
inline std::vector<float> attend(AnyAttention& attention, cpu::ThreadPool& team, const AttentionInput& input,
                                 float held = -1.0F) {
    std::vector<float> output(input.queries.size(), held);
    attention.attend(team, input.rows, input.layer, input.queries.data(), *input.cache, output.data());
    return output;
}

//! The same with an attention of its own, on one thread.
inline std::vector<float> attend(const AttentionKind& kind, const AttentionInput& input) {
    cpu::ThreadPool alone(1);
    return attend(*kind.make(input.shape(1)), alone, input);
}

inline std::string head_name(std::size_t row, std::size_t head) {
    return "row " + to_text(row) + ", head " + to_text(head);
}

//! f(row, head, what came out of it).
template <class F>
void for_each_head(const AttentionInput& input, const std::vector<float>& output, F f) {
    const std::size_t size = input.stored.head_dim;
    for (std::size_t r = 0; r < input.rows.size(); ++r) {
        for (std::size_t h = 0; h < input.heads(); ++h) {
            f(r, h, std::span(output).subspan(r * input.width() + h * size, size));
        }
    }
}

}  // namespace detail

//! What the Attention slot promises, whatever is computed from the visible positions: the last `window` ones.
inline std::vector<Law> attention_slot_laws(const detail::AttentionKind& kind) {
    using namespace detail;
    const std::vector<std::shared_ptr<cpu::ThreadPool>> teams = {std::make_shared<cpu::ThreadPool>(2),
                                                                 std::make_shared<cpu::ThreadPool>(3),
                                                                 std::make_shared<cpu::ThreadPool>(4)};
    return {
        {"attention.sees_only_what_is_visible",
         "Later positions, those before the window, other sequences and other layers do not matter.",
         [kind](Case& c) {
             const AttentionInput input = attention_input(c, kind);
             const std::size_t r = c.integer<std::size_t>(0, input.rows.size() - 1);
             const AttentionInput alone = input.row(r);
             AttentionInput beside_nan = alone;
             beside_nan.cache = kind.cache.make(input.stored);
             const std::vector<float> nan(input.stored.head_dim, std::numeric_limits<float>::quiet_NaN());
             for_each_place(input.stored, [&](const CachePlace& at) {
                 const Row& row = input.rows[r];
                 const bool seen = at.head.layer == input.layer &&
                                   at.head.sequence == static_cast<std::size_t>(row.sequence) &&
                                   first_visible(row, kind.window) <= at.position &&
                                   at.position <= static_cast<std::size_t>(row.position);
                 beside_nan.cache->write(at, seen ? input.cache->read(at) : CacheRow{nan, nan});
             });
             const std::vector<float> got = attend(kind, beside_nan);
             c.same_bits("result beside NaN", got, attend(kind, alone));
             for (const float y : got) c.expect(!std::isnan(y), "what is not visible was read");
         }},
        {"attention.row_alone", "A row's result has the same bits alone, among other rows and in any order of them.",
         [kind](Case& c) {
             const AttentionInput input = attention_input(c, kind);
             const std::vector<float> together = attend(kind, input);
             AttentionInput shuffled = input.row(0);
             shuffled.rows.clear();
             shuffled.queries.clear();
             const std::vector<std::size_t> order = c.shuffled(input.rows.size());
             c.given("other order", order);
             for (const std::size_t r : order) {
                 const AttentionInput row = input.row(r);
                 shuffled.rows.push_back(row.rows[0]);
                 shuffled.queries.insert(shuffled.queries.end(), row.queries.begin(), row.queries.end());
             }
             const std::vector<float> otherwise = attend(kind, shuffled);
             for (std::size_t i = 0; i < order.size(); ++i) {
                 const std::size_t r = order[i];
                 const auto expected = std::span(together).subspan(r * input.width(), input.width());
                 c.same_bits("row " + to_text(r) + " alone", attend(kind, input.row(r)), expected);
                 c.same_bits("row " + to_text(r) + " in other order",
                             std::span(otherwise).subspan(i * input.width(), input.width()), expected);
             }
         }},
        {"attention.any_team", "The result has the same bits from any number of threads.",
         [kind, teams](Case& c) {
             const AttentionInput input = attention_input(c, kind);
             cpu::ThreadPool& team = *teams[c.integer<std::size_t>(0, teams.size() - 1)];
             c.given("threads", team.size());
             c.same_bits("result", attend(*kind.make(input.shape(4)), team, input), attend(kind, input));
         }},
        {"attention.nothing_stays",
         "A result has the same bits whatever was computed before and whatever `output` held.",
         [kind](Case& c) {
             AttentionInput input = attention_input(c, kind);
             const std::vector<float> queries = input.queries;
             const auto attention = kind.make(input.shape(1));
             cpu::ThreadPool alone(1);
             const std::vector<float> first = attend(*attention, alone, input);
             input.queries = c.normals(queries.size());
             attend(*attention, alone, input);
             input.queries = queries;
             const float held = c.pick({5.0F, std::numeric_limits<float>::quiet_NaN()});
             c.same_bits("result", attend(*attention, alone, input, held), first);
         }},
    };
}

template <class A, KvCache Cache = cpu::KvCacheF32>
std::vector<Law> attention_slot_laws(std::size_t window = all_positions) {
    return attention_slot_laws(detail::AttentionKind::of<A, Cache>(window));
}

//! All laws of softmax attention: those of the slot and those of the rule.
inline std::vector<Law> attention_law_list(const detail::AttentionKind& kind) {
    using namespace detail;
    std::vector<Law> laws = attention_slot_laws(kind);
    const std::vector<Law> rule = {
        {"attention.softmax_of_scaled_scores",
         "Each head mixes the visible values by the softmax of query . key / sqrt(head_dim).",
         [kind](Case& c) {
             const AttentionInput input = attention_input(c, kind);
             for_each_head(input, attend(kind, input), [&](std::size_t r, std::size_t h, std::span<const float> got) {
                 const Row& row = input.rows[r];
                 const oracle::Vector query = oracle::to_doubles(input.query(r, h));
                 std::vector<oracle::Vector> keys, values;
                 double largest_value = 0.0, largest_score = 0.0;
                 for (std::size_t p = first_visible(row, kind.window); p <= static_cast<std::size_t>(row.position);
                      ++p) {
                     const CacheRow stored = input.cache->read({input.head(row, h), p});
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
         [kind](Case& c) {
             AttentionInput input = attention_input(c, kind);
             const std::vector<float> value = c.normals(input.stored.head_dim);
             for_each_place(input.stored, [&](const CachePlace& at) {
                 input.cache->write(at, CacheRow{input.cache->read(at).key, value});
             });
             const std::vector<float> stored = input.cache->read({}).value;
             for_each_head(input, attend(kind, input), [&](std::size_t r, std::size_t h, std::span<const float> got) {
                 const oracle::Vector expected = oracle::to_doubles(stored);
                 c.near(head_name(r, h), got, expected, expected, tolerance::attention);
             });
         }},
        {"attention.first_position_gives_its_value", "A row that sees itself alone gives its own value.",
         [kind](Case& c) {
             AttentionInput input = attention_input(c, kind);
             for (Row& row : input.rows) row.position = 0;
             for_each_head(input, attend(kind, input), [&](std::size_t r, std::size_t h, std::span<const float> got) {
                 const auto expected = oracle::to_doubles(input.cache->read({input.head(input.rows[r], h), 0}).value);
                 c.near(head_name(r, h), got, expected, expected, tolerance::softmax);
             });
         }},
        {"attention.heads_share_in_groups", "Query head h reads key/value head h / group.",
         [kind](Case& c) {
             AttentionInput input = attention_input(c, kind);
             for_each_place(input.stored, [&](const CachePlace& at) {
                 const std::vector<float> number(input.stored.head_dim, static_cast<float>(at.head.kv_head + 1));
                 input.cache->write(at, CacheRow{input.cache->read(at).key, number});
             });
             for_each_head(input, attend(kind, input), [&](std::size_t r, std::size_t h, std::span<const float> got) {
                 const KvHead head{input.layer, 0, h / input.group};
                 c.near(head_name(r, h), got[0], input.cache->read({head, 0}).value[0], tolerance::attention);
             });
         }},
        {"attention.extreme_scores", "However far apart the scores, the result lies between the visible values.",
         [kind](Case& c) {
             AttentionInput input = attention_input(c, kind);
             const double scale = c.pick({1e4, 1e4, 1e15});
             c.given("largest score about", scale);
             for (float& q : input.queries) q = static_cast<float>(q * scale / (1.0 + std::fabs(q)));
             for_each_head(input, attend(kind, input), [&](std::size_t r, std::size_t h, std::span<const float> got) {
                 const Row& row = input.rows[r];
                 float lowest = std::numeric_limits<float>::max(), highest = -lowest;
                 for (std::size_t p = first_visible(row, kind.window); p <= static_cast<std::size_t>(row.position);
                      ++p) {
                     for (const float v : input.cache->read({input.head(row, h), p}).value) {
                         lowest = std::min(lowest, v);
                         highest = std::max(highest, v);
                     }
                 }
                 const double slack = tolerance::mixed_beyond * std::max(std::fabs(lowest), std::fabs(highest));
                 for (const float y : got) c.between<double>(head_name(r, h), y, lowest - slack, highest + slack);
             });
         }},
    };
    laws.insert(laws.end(), rule.begin(), rule.end());
    return laws;
}

template <class A, KvCache Cache = cpu::KvCacheF32>
std::vector<Law> attention_law_list(std::size_t window = all_positions) {
    return attention_law_list(detail::AttentionKind::of<A, Cache>(window));
}

//! Checks all laws of softmax attention, inside a doctest test case.
template <class A, KvCache Cache = cpu::KvCacheF32>
void attention_laws(std::string_view subject, std::size_t window = all_positions) {
    check_laws(subject, attention_law_list<A, Cache>(window));
}

}  // namespace sluice::contracts
