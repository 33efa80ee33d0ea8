// SPDX-License-Identifier: Apache-2.0
//! Grouped-query softmax attention over a KV cache, computed online (Milakov and Gimelshein 2018; Dao et al. 2022).
//!
//! Every (row, query head) is summed in one order, fixed by absolute positions: chunks of 64 positions are folded into
//! a span of 1024, spans are folded into the result. So the bits do not depend on threads, on companions in the batch,
//! or on how the prompt was cut.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>

#include "sluice/concepts/attention.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/core/math.hpp"
#include "sluice/cpu/simd.hpp"

namespace sluice::cpu {

//! Which positions a row sees: all up to its own.
struct Causal {
    static constexpr std::size_t first_visible(std::size_t /*position*/) { return 0; }
};

//! Which positions a row sees: its own and the Window - 1 before it.
template <std::size_t Window>
struct SlidingWindow {
    static constexpr std::size_t first_visible(std::size_t position) {
        return position + 1 > Window ? position + 1 - Window : 0;
    }
};

//! Softmax attention; Visible says where a row's view begins.
template <class Visible = Causal, class V = simd::Native>
class SoftmaxAttention {
public:
    static constexpr std::size_t chunk = 64;   //!< positions that share one maximum
    static constexpr std::size_t span = 1024;  //!< positions that one task of a split row covers

    explicit SoftmaxAttention(const AttentionShape& shape)
        : shape_(shape),
          group_(shape.heads / shape.kv_heads),
          state_floats_(group_ * (shape.head_dim + 2 * simd::lanes)),
          spans_((shape.capacity + span - 1) / span),
          scale_(1.0F / std::sqrt(static_cast<float>(shape.head_dim))),
          scratch_(shape.threads * (2 * state_floats_ + group_ * chunk)),
          parts_(shape.threads * spans_ * state_floats_) {}

    template <Team T, KvCache Cache>
    void attend(T& team, std::span<const Row> rows, std::size_t layer, const float* queries, const Cache& cache,
                float* output) {
        const std::size_t tasks = rows.size() * shape_.kv_heads;
        float* scratch = scratch_.data() + team.rank() * (2 * state_floats_ + group_ * chunk);
        const auto task_of = [&](std::size_t index) {
            const std::size_t r = index / shape_.kv_heads, kv_head = index % shape_.kv_heads;
            const std::size_t first_head = (r * shape_.heads + kv_head * group_) * shape_.head_dim;
            const auto position = static_cast<std::size_t>(rows[r].position);
            return Task{{layer, static_cast<std::size_t>(rows[r].sequence), kv_head},
                        queries + first_head,
                        output + first_head,
                        Visible::first_visible(position),
                        position + 1,
                        scratch + 2 * state_floats_};
        };

        if (tasks >= team.size()) {
            const Range mine = share(tasks, 1, team.rank(), team.size());
            for (std::size_t index = mine.first; index < mine.last; ++index) {
                const Task task = task_of(index);
                const State total = state(scratch), part = state(scratch + state_floats_);
                attend_span(task, cache, task.first_span(), total);
                for (std::size_t s = task.first_span() + 1; s <= task.last_span(); ++s) {
                    attend_span(task, cache, s, part);
                    fold(total, part);
                }
                finish(total, task.output);
            }
            return;
        }
        // Fewer heads than threads: share out the spans, then fold them in the same order.
        for (std::size_t index = 0; index < tasks; ++index) {
            const Task task = task_of(index);
            for (std::size_t s = task.first_span(); s <= task.last_span(); ++s) {
                if ((index + s) % team.size() == team.rank()) attend_span(task, cache, s, part_of(index, s));
            }
        }
        team.barrier();
        for (std::size_t index = team.rank(); index < tasks; index += team.size()) {
            const Task task = task_of(index);
            const State total = part_of(index, task.first_span());
            for (std::size_t s = task.first_span() + 1; s <= task.last_span(); ++s) fold(total, part_of(index, s));
            finish(total, task.output);
        }
    }

private:
    //! One row's query heads that share a key/value head, and the positions [first, last) they see.
    struct Task {
        KvHead head;
        const float* queries;  // [group, head_dim]
        float* output;         // [group, head_dim]
        std::size_t first, last;
        float* scores;  // [group, chunk]

        std::size_t first_span() const { return first / span; }
        std::size_t last_span() const { return (last - 1) / span; }
    };

    //! The running softmax of a group of heads: the maximum score, the sum of exponentials, the weighted values.
    struct State {
        float* maximum;  // [group]
        float* sum;      // [group]
        float* values;   // [group, head_dim]
    };
    State state(float* at) const { return {at, at + group_ * simd::lanes, at + 2 * group_ * simd::lanes}; }
    State part_of(std::size_t task, std::size_t s) {
        return state(parts_.data() + (task * spans_ + s) * state_floats_);
    }

    template <class Cache>
    void attend_span(const Task& task, const Cache& cache, std::size_t s, const State& to) const {
        std::fill_n(to.maximum, group_, -std::numeric_limits<float>::infinity());
        std::fill_n(to.sum, group_, 0.0F);
        std::fill_n(to.values, group_ * shape_.head_dim, 0.0F);
        const std::size_t end = std::min(task.last, (s + 1) * span);
        for (std::size_t at = std::max(task.first, s * span); at < end;) {
            const std::size_t next = std::min(end, (at / chunk + 1) * chunk);
            for_each_tile(group_, [&](auto tile, std::size_t h) {
                score<tile()>(task, cache, at, next, h);
                for (std::size_t i = h; i < h + tile(); ++i) exponentiate(task.scores + i * chunk, next - at, i, to);
                mix<tile()>(task, cache, at, next, h, to);
            });
            at = next;
        }
    }

    //! Scores of heads [h, h + Tile) against positions [at, next).
    template <std::size_t Tile, class Cache>
    void score(const Task& task, const Cache& cache, std::size_t at, std::size_t next, std::size_t h) const {
        const float* q = task.queries + h * shape_.head_dim;
        for (std::size_t position = at; position < next; ++position) {
            const auto key = cache.key(task.head, position);
            std::array<typename V::F32, Tile> products;
            products.fill(V::zero());
            for (std::size_t i = 0; i < shape_.head_dim; i += simd::lanes) {
                const auto k = key.template load<V>(i);
                for (std::size_t t = 0; t < Tile; ++t) {
                    products[t] = V::fma(V::load(q + t * shape_.head_dim + i), k, products[t]);
                }
            }
            for (std::size_t t = 0; t < Tile; ++t) {
                task.scores[(h + t) * chunk + position - at] = V::sum(products[t]) * scale_;
            }
        }
    }

    //! Turns one head's scores [count] into exponentials under the new maximum, and rescales what was summed before.
    void exponentiate(float* scores, std::size_t count, std::size_t h, const State& to) const {
        std::fill(scores + count, scores + (count + simd::lanes - 1) / simd::lanes * simd::lanes,
                  -std::numeric_limits<float>::infinity());
        const float maximum = std::max(to.maximum[h], *std::max_element(scores, scores + count));
        const float rescale = math::exp(to.maximum[h] - maximum);
        auto sums = V::zero();
        for (std::size_t i = 0; i < count; i += simd::lanes) {
            const auto e = math::exp<V>(V::sub(V::load(scores + i), V::set(maximum)));
            V::store(scores + i, e);
            sums = V::add(sums, e);
        }
        to.maximum[h] = maximum;
        to.sum[h] = std::fma(to.sum[h], rescale, V::sum(sums));
        scale_values(to, h, rescale);
    }

    //! Adds the values of positions [at, next), weighted by the exponentials of heads [h, h + Tile).
    template <std::size_t Tile, class Cache>
    void mix(const Task& task, const Cache& cache, std::size_t at, std::size_t next, std::size_t h,
             const State& to) const {
        float* values = to.values + h * shape_.head_dim;
        for (std::size_t i = 0; i < shape_.head_dim; i += simd::lanes) {
            std::array<typename V::F32, Tile> mixed;
            for (std::size_t t = 0; t < Tile; ++t) mixed[t] = V::load(values + t * shape_.head_dim + i);
            for (std::size_t position = at; position < next; ++position) {
                const auto v = cache.value(task.head, position).template load<V>(i);
                for (std::size_t t = 0; t < Tile; ++t) {
                    mixed[t] = V::fma(V::set(task.scores[(h + t) * chunk + position - at]), v, mixed[t]);
                }
            }
            for (std::size_t t = 0; t < Tile; ++t) V::store(values + t * shape_.head_dim + i, mixed[t]);
        }
    }

    //! total = the softmax over the positions of both.
    void fold(const State& total, const State& part) const {
        for (std::size_t h = 0; h < group_; ++h) {
            const float maximum = std::max(total.maximum[h], part.maximum[h]);
            const float keep = math::exp(total.maximum[h] - maximum), take = math::exp(part.maximum[h] - maximum);
            total.maximum[h] = maximum;
            total.sum[h] = std::fma(part.sum[h], take, total.sum[h] * keep);
            scale_values(total, h, keep);
            for (std::size_t i = h * shape_.head_dim; i < (h + 1) * shape_.head_dim; i += simd::lanes) {
                V::store(total.values + i, V::fma(V::load(part.values + i), V::set(take), V::load(total.values + i)));
            }
        }
    }

    void finish(const State& total, float* output) const {
        for (std::size_t h = 0; h < group_; ++h) scale_values(total, h, 1.0F / total.sum[h]);
        std::copy_n(total.values, group_ * shape_.head_dim, output);
    }

    void scale_values(const State& to, std::size_t h, float factor) const {
        for (std::size_t i = h * shape_.head_dim; i < (h + 1) * shape_.head_dim; i += simd::lanes) {
            V::store(to.values + i, V::mul(V::load(to.values + i), V::set(factor)));
        }
    }

    //! Calls tile_fn(constant, first) for tiles of 8, 4, 2 and 1 heads that cover [0, count), the size a constant.
    template <class F>
    static void for_each_tile(std::size_t count, F tile_fn) {
        std::size_t h = 0;
        const auto take = [&]<std::size_t Tile>() {
            for (; h + Tile <= count; h += Tile) tile_fn(std::integral_constant<std::size_t, Tile>{}, h);
        };
        take.template operator()<8>();
        take.template operator()<4>();
        take.template operator()<2>();
        take.template operator()<1>();
    }

    AttentionShape shape_;
    std::size_t group_, state_floats_, spans_;
    float scale_;
    Buffer<float> scratch_;  // [threads]: two states and the scores of a chunk
    Buffer<float> parts_;    // [task < threads, spans]: states of the spans of rows that are shared out
};

}  // namespace sluice::cpu
