// SPDX-License-Identifier: Apache-2.0
//! Grouped-query softmax attention over a KV cache, computed online (Milakov and Gimelshein 2018; Dao et al. 2022).
//!
//! Every (row, query head) is summed in one order, fixed by absolute positions: chunks of 64 positions are folded into
//! a span of 1024, spans are folded into the result. So the bits do not depend on threads, on companions in the batch,
//! or on how the prompt was cut.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>

#include "sluice/concepts/attention.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/core/checked.hpp"
#include "sluice/core/config.hpp"
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
    static_assert(Window > 0, "a window of no positions sees nothing, not even the token itself");
    static constexpr std::size_t first_visible(std::size_t position) {
        return position + 1 > Window ? position + 1 - Window : 0;
    }
};

//! Softmax attention; Visible says where a row's view begins.
template <class Visible = Causal, class V = simd::Native>
class SoftmaxAttention {
public:
    static constexpr std::size_t chunk = 64;      //!< positions that share one maximum
    static constexpr std::size_t span = 1024;     //!< positions that one task of a split row covers
    static constexpr std::size_t block_rows = 4;  //!< neighbours in a sequence that read each key and value together

    explicit SoftmaxAttention(const AttentionShape& shape)
        : shape_(shape),
          group_(shape.heads / shape.kv_heads),
          spans_((shape.capacity + span - 1) / span),
          scale_(1.0F / std::sqrt(static_cast<float>(shape.head_dim))),
          scratch_floats_(2 * state_floats(block_rows) + block_rows * group_ * (chunk + 1)),
          scratch_(array_size(shape.threads, scratch_floats_)),
          parts_(array_size(shape.threads, spans_, state_floats(1))) {}

    template <Team T, KvCache Cache>
    void attend(T& team, std::span<const Row> rows, std::size_t layer, const float* queries, const Cache& cache,
                float* output) {
        float* scratch = scratch_.data() + team.rank() * scratch_floats_;
        const auto task_of = [&](std::size_t r, std::size_t count, std::size_t kv_head) {
            const std::size_t first_head = (r * shape_.heads + kv_head * group_) * shape_.head_dim;
            const auto position = static_cast<std::size_t>(rows[r].position);
            float* scores = scratch + 2 * state_floats(block_rows);
            return Task{{layer, static_cast<std::size_t>(rows[r].sequence), kv_head},
                        count,
                        queries + first_head,
                        output + first_head,
                        Visible::first_visible(position),
                        position + 1,
                        scores,
                        scores + block_rows * group_ * chunk};
        };

        const std::size_t tasks = rows.size() * shape_.kv_heads;
        if (tasks >= team.size()) {
            // In turns: later rows of a prompt see more. Blocks never leave a thread without work.
            const std::size_t most = std::clamp<std::size_t>(tasks / (2 * team.size()), 1, block_rows);
            std::size_t index = 0;
            for (std::size_t r = 0, count = 0; r < rows.size(); r += count) {
                count = block_length(rows.subspan(r, std::min(most, rows.size() - r)));
                for (std::size_t kv_head = 0; kv_head < shape_.kv_heads; ++kv_head) {
                    if (index++ % team.size() != team.rank()) continue;
                    const Task task = task_of(r, count, kv_head);
                    const State total = state(scratch, count), part = state(scratch + state_floats(count), count);
                    attend_span(task, cache, task.first_span(), total);
                    for (std::size_t s = task.first_span() + 1; s <= task.last_span(); ++s) {
                        attend_span(task, cache, s, part);
                        fold(total, part, count);
                    }
                    finish(total, task);
                }
            }
            return;
        }
        // Fewer heads than threads: share out the spans, then fold them in the same order.
        const auto alone = [&](std::size_t index) {
            return task_of(index / shape_.kv_heads, 1, index % shape_.kv_heads);
        };
        for (std::size_t index = 0; index < tasks; ++index) {
            const Task task = alone(index);
            for (std::size_t s = task.first_span(); s <= task.last_span(); ++s) {
                if ((index + s) % team.size() == team.rank()) attend_span(task, cache, s, part_of(index, s));
            }
        }
        team.barrier();
        for (std::size_t index = team.rank(); index < tasks; index += team.size()) {
            const Task task = alone(index);
            const State total = part_of(index, task.first_span());
            for (std::size_t s = task.first_span() + 1; s <= task.last_span(); ++s) fold(total, part_of(index, s), 1);
            finish(total, task);
        }
    }

private:
    // Sums that the registers hold beside what they are made of: so many of them, of so many heads at most.
    static constexpr std::size_t tile = V::registers >= 32 ? 16 : 4;
    static constexpr std::size_t tile_heads = V::registers >= 32 ? 8 : 2;

    //! The query heads that share a key/value head, of `rows` neighbouring rows. The first row sees the positions
    //! [first, last), each further row one more.
    struct Task {
        KvHead head;
        std::size_t rows;
        const float* queries;  // [rows, heads, head_dim], from the group's first head on
        float* output;         // the same
        std::size_t first, last;
        float* scores;   // [rows, group, chunk]
        float* rescale;  // [rows, group]: what the values so far are multiplied by

        std::size_t first_span() const { return first / span; }
        std::size_t last_span() const { return (last - 1) / span; }
    };

    //! The running softmax of each row's group of heads: the maximum score, the sum of exponentials, the weighted
    //! values.
    struct State {
        float* maximum;  // [rows, group]
        float* sum;      // [rows, group]
        float* values;   // [rows, group, head_dim]
    };
    std::size_t state_floats(std::size_t rows) const { return rows * group_ * (shape_.head_dim + 2 * simd::lanes); }
    State state(float* at, std::size_t rows) const {
        return {at, at + rows * group_ * simd::lanes, at + 2 * rows * group_ * simd::lanes};
    }
    State part_of(std::size_t task, std::size_t s) {
        return state(parts_.data() + (task * spans_ + s) * state_floats(1), 1);
    }

    //! How many of the rows can be computed together: one sequence, position by position, in the same span, and all
    //! with the same beginning of their view.
    static std::size_t block_length(std::span<const Row> rows) {
        const auto first = static_cast<std::size_t>(rows[0].position);
        std::size_t count = 1;
        while (count < rows.size() && rows[count].sequence == rows[0].sequence &&
               static_cast<std::size_t>(rows[count].position) == first + count && (first + count) % span != 0 &&
               Visible::first_visible(first + count) == Visible::first_visible(first)) {
            ++count;
        }
        return count;
    }

    template <class Cache>
    void attend_span(const Task& task, const Cache& cache, std::size_t s, const State& to) const {
        std::fill_n(to.maximum, task.rows * group_, -std::numeric_limits<float>::infinity());
        std::fill_n(to.sum, task.rows * group_, 0.0F);
        std::fill_n(to.values, task.rows * group_ * shape_.head_dim, 0.0F);
        const std::size_t end = std::min(task.last + task.rows - 1, (s + 1) * span);
        for (std::size_t at = std::max(task.first, s * span); at < end;) {
            const std::size_t next = std::min(end, (at / chunk + 1) * chunk);
            score(task, cache, at, next);
            exponentiate(task, at, next, to);
            mix(task, cache, at, next, to);
            at = next;
        }
    }

    //! Scores of all rows' heads against positions [at, next).
    template <class Cache>
    void score(const Task& task, const Cache& cache, std::size_t at, std::size_t next) const {
        for_each_tile<tile_heads, 4, 2, 1>(task.rows * group_, [&](auto count, std::size_t m) {
            const float* queries[count()];
            for (std::size_t t = 0; t < count(); ++t) {
                queries[t] = task.queries + ((m + t) / group_ * shape_.heads + (m + t) % group_) * shape_.head_dim;
            }
            constexpr std::size_t positions = simd::lanes / count();
            for (std::size_t first = at; first < next; first += positions) {
                if (m == 0) fetch(task, cache, first, std::min(first + positions, next));
                score_tile(task, cache, queries, first, next - 1, task.scores + m * chunk + first - at);
            }
        });
    }

    //! Asks for what is needed soon: the values of positions [first, last), and the keys a chunk later. Inlined, since
    //! g++ drops calls of functions that do nothing but prefetch.
    template <class Cache>
    SLUICE_INLINE void fetch(const Task& task, const Cache& cache, std::size_t first, std::size_t last) const {
        using Stored = decltype(cache.key(task.head, first));
        if constexpr (requires(const Stored& row, std::size_t n) { row.template prefetch<V>(n); }) {
            for (std::size_t position = first; position < last; ++position) {
                cache.value(task.head, position).template prefetch<V>(shape_.head_dim);
                const std::size_t later = std::min(position + chunk, task.last + task.rows - 2);
                cache.key(task.head, later).template prefetch<V>(shape_.head_dim);
            }
        }
    }

    //! Sixteen scores, [head, chunk]: of so many heads, times so many positions from `first` on. Behind position `last`
    //! they are any numbers.
    template <std::size_t Heads, class Cache>
    void score_tile(const Task& task, const Cache& cache, const float* const (&queries)[Heads], std::size_t first,
                    std::size_t last, float* scores) const {
        constexpr std::size_t positions = simd::lanes / Heads, width = tile / Heads;
        typename V::F32 products[simd::lanes];  // [head, position]
        SLUICE_UNROLL
        for (std::size_t p = 0; p < positions; p += width) {
            using Stored = decltype(cache.key(task.head, first));
            Stored keys[width];
            SLUICE_UNROLL
            for (std::size_t w = 0; w < width; ++w) keys[w] = cache.key(task.head, std::min(first + p + w, last));
            typename V::F32 dots[Heads][width];
            SLUICE_UNROLL
            for (auto& of_head : dots) {
                SLUICE_UNROLL
                for (auto& dot : of_head) dot = V::zero();
            }
            for (std::size_t i = 0; i < shape_.head_dim; i += simd::lanes) {
                typename V::F32 k[width];
                SLUICE_UNROLL
                for (std::size_t w = 0; w < width; ++w) k[w] = keys[w].template load<V>(i);
                SLUICE_UNROLL
                for (std::size_t t = 0; t < Heads; ++t) {
                    const auto q = V::load(queries[t] + i);
                    SLUICE_UNROLL
                    for (std::size_t w = 0; w < width; ++w) dots[t][w] = V::fma(q, k[w], dots[t][w]);
                }
            }
            SLUICE_UNROLL
            for (std::size_t t = 0; t < Heads; ++t) {
                SLUICE_UNROLL
                for (std::size_t w = 0; w < width; ++w) products[t * positions + p + w] = dots[t][w];
            }
        }
        float of_heads[simd::lanes];
        V::store(of_heads, V::mul(V::sums(products), V::set(scale_)));
        SLUICE_UNROLL
        for (std::size_t t = 0; t < Heads; ++t) std::copy_n(of_heads + t * positions, positions, scores + t * chunk);
    }

    //! Turns the scores of positions [at, next) into exponentials under each head's new maximum, and rescales what was
    //! summed before.
    void exponentiate(const Task& task, std::size_t at, std::size_t next, const State& to) const {
        const std::size_t heads = task.rows * group_;
        const auto seen = [&](std::size_t m) {  // none, where an earlier row's view ends before this chunk
            return std::max(at, std::min(next, task.last + m / group_)) - at;
        };
        for (std::size_t m = 0; m < heads; ++m) {
            float* scores = task.scores + m * chunk;
            const std::size_t count = seen(m), padded = (count + simd::lanes - 1) / simd::lanes * simd::lanes;
            std::fill(scores + count, scores + padded, -std::numeric_limits<float>::infinity());
            auto highest = V::set(to.maximum[m]);
            for (std::size_t i = 0; i < count; i += simd::lanes) highest = V::max(V::load(scores + i), highest);
            const float maximum = V::max_lane(highest);
            task.rescale[m] = to.maximum[m] - maximum;
            to.maximum[m] = maximum;
        }
        for (std::size_t m = 0; m < heads; m += simd::lanes) {
            const std::size_t count = std::min(simd::lanes, heads - m);
            V::store_first(task.rescale + m, math::exp<V>(V::load_first(task.rescale + m, count)), count);
        }
        for (std::size_t m = 0; m < heads; ++m) {
            float* scores = task.scores + m * chunk;
            const auto maximum = V::set(to.maximum[m]);
            auto sums = V::zero();
            for (std::size_t i = 0; i < seen(m); i += simd::lanes) {
                const auto e = math::exp<V>(V::sub(V::load(scores + i), maximum));
                V::store(scores + i, e);
                sums = V::add(sums, e);
            }
            to.sum[m] = std::fma(to.sum[m], task.rescale[m], V::sum(sums));
            if (task.rescale[m] != 1.0F) scale_values(to, m, task.rescale[m]);
        }
    }

    //! Adds the values of positions [at, next), weighted by the exponentials of all heads: together as far as all rows
    //! see, then row by row.
    template <class Cache>
    void mix(const Task& task, const Cache& cache, std::size_t at, std::size_t next, const State& to) const {
        const std::size_t common = std::max(at, std::min(next, task.last));
        mix_heads(task, cache, {at, common}, at, {0, task.rows * group_}, to);
        for (std::size_t r = 1; r < task.rows; ++r) {
            mix_heads(task, cache, {common, std::min(next, task.last + r)}, at, {r * group_, (r + 1) * group_}, to);
        }
    }

    //! The same for some positions and some of the rows' heads; the scores begin at position `at`. A tile is so many
    //! heads, times so many vectors of a head.
    template <class Cache>
    void mix_heads(const Task& task, const Cache& cache, Range positions, std::size_t at, Range heads,
                   const State& to) const {
        if (positions.first >= positions.last) return;
        const std::size_t vectors = shape_.head_dim / simd::lanes;
        for_each_tile<tile_heads, 4, 2, 1>(heads.last - heads.first, [&](auto count, std::size_t h) {
            for_each_tile<std::min<std::size_t>(4, tile / count()), 1>(vectors, [&](auto width, std::size_t first) {
                mix_tile<count(), width()>(task, cache, positions, at, heads.first + h, first * simd::lanes, to);
            });
        });
    }

    //! The same for heads [m, m + Heads) and elements [i, i + 16 * Width) of each.
    template <std::size_t Heads, std::size_t Width, class Cache>
    void mix_tile(const Task& task, const Cache& cache, Range positions, std::size_t at, std::size_t m, std::size_t i,
                  const State& to) const {
        const auto element = [&](std::size_t t, std::size_t w) {
            return to.values + (m + t) * shape_.head_dim + i + w * simd::lanes;
        };
        typename V::F32 mixed[Heads][Width];
        SLUICE_UNROLL
        for (std::size_t t = 0; t < Heads; ++t) {
            SLUICE_UNROLL
            for (std::size_t w = 0; w < Width; ++w) mixed[t][w] = V::load(element(t, w));
        }
        for (std::size_t position = positions.first; position < positions.last; ++position) {
            const auto value = cache.value(task.head, position);
            typename V::F32 v[Width];
            SLUICE_UNROLL
            for (std::size_t w = 0; w < Width; ++w) v[w] = value.template load<V>(i + w * simd::lanes);
            SLUICE_UNROLL
            for (std::size_t t = 0; t < Heads; ++t) {
                const auto weight = V::set(task.scores[(m + t) * chunk + position - at]);
                SLUICE_UNROLL
                for (std::size_t w = 0; w < Width; ++w) mixed[t][w] = V::fma(weight, v[w], mixed[t][w]);
            }
        }
        SLUICE_UNROLL
        for (std::size_t t = 0; t < Heads; ++t) {
            SLUICE_UNROLL
            for (std::size_t w = 0; w < Width; ++w) V::store(element(t, w), mixed[t][w]);
        }
    }

    //! total = the softmax over the positions of both.
    void fold(const State& total, const State& part, std::size_t rows) const {
        for (std::size_t m = 0; m < rows * group_; ++m) {
            const float maximum = std::max(total.maximum[m], part.maximum[m]);
            const float keep = math::exp(total.maximum[m] - maximum), take = math::exp(part.maximum[m] - maximum);
            total.maximum[m] = maximum;
            total.sum[m] = std::fma(part.sum[m], take, total.sum[m] * keep);
            scale_values(total, m, keep);
            for (std::size_t i = m * shape_.head_dim; i < (m + 1) * shape_.head_dim; i += simd::lanes) {
                V::store(total.values + i, V::fma(V::load(part.values + i), V::set(take), V::load(total.values + i)));
            }
        }
    }

    void finish(const State& total, const Task& task) const {
        const std::size_t width = group_ * shape_.head_dim;
        for (std::size_t m = 0; m < task.rows * group_; ++m) scale_values(total, m, 1.0F / total.sum[m]);
        for (std::size_t r = 0; r < task.rows; ++r) {
            std::copy_n(total.values + r * width, width, task.output + r * shape_.heads * shape_.head_dim);
        }
    }

    void scale_values(const State& to, std::size_t m, float factor) const {
        for (std::size_t i = m * shape_.head_dim; i < (m + 1) * shape_.head_dim; i += simd::lanes) {
            V::store(to.values + i, V::mul(V::load(to.values + i), V::set(factor)));
        }
    }

    //! Covers [0, count) with tiles of the given sizes, the largest first: f(size as a constant, where it begins).
    template <std::size_t... Sizes, class F>
    static void for_each_tile(std::size_t count, F f) {
        std::size_t at = 0;
        const auto cover = [&](auto size) {
            for (; at + size() <= count; at += size()) f(size, at);
        };
        (cover(std::integral_constant<std::size_t, Sizes>()), ...);
    }

    AttentionShape shape_;
    std::size_t group_, spans_;
    float scale_;
    std::size_t scratch_floats_;
    Buffer<float> scratch_;  // [threads]: two states of a block of rows, its scores of a chunk and factors
    Buffer<float> parts_;    // [task < threads, spans]: states of the spans of rows that are shared out
};

}  // namespace sluice::cpu
