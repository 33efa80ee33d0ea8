// SPDX-License-Identifier: Apache-2.0
//! Attention of a batch: neighbouring rows and the query heads that share a key/value head read each key and value
//! together. The bits are those of cuda/attention.hpp: each query keeps its own order of summation.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "sluice/core/math.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cuda/attention.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/kv_cache.hpp"
#include "sluice/cuda/tuning.hpp"

namespace sluice::cuda {

//! Rows [first, first + count) of a batch: of one sequence, position by position.
struct RowTile {
    std::uint32_t first, count;
};

//! tiles = a batch in tiles of `most` rows at most.
inline void cut_tiles(std::span<const Row> rows, std::size_t most, std::vector<RowTile>& tiles) {
    tiles.clear();
    for (std::size_t r = 0; r < rows.size(); ++r) {
        const bool goes_on = r > 0 && rows[r].sequence == rows[r - 1].sequence &&
                             rows[r].position == rows[r - 1].position + 1 && tiles.back().count < most;
        if (goes_on) {
            ++tiles.back().count;
        } else {
            tiles.push_back({static_cast<std::uint32_t>(r), 1});
        }
    }
}

namespace detail {

//! A lane keeps the half of `partial` [2 * Half] that its own number is in, and adds what the other lane gives of it.
template <unsigned Half, ThreadContext T>
SLUICE_HD void halve(T& t, float (&partial)[16]) {
    const bool upper = (t.thread() & Half) != 0;
    SLUICE_UNROLL
    for (unsigned i = 0; i < Half; ++i) {
        const float kept = upper ? partial[i + Half] : partial[i], given = upper ? partial[i] : partial[i + Half];
        partial[i] = kept + t.shuffle_xor(given, Half);
    }
}

//! Lane j of each half of a warp gets the sum of the sixteen lanes' partial[j], by math::sum_tree.
template <ThreadContext T>
SLUICE_HD float sum_sixteen(T& t, float (&partial)[16]) {
    halve<8>(t, partial);
    halve<4>(t, partial);
    halve<2>(t, partial);
    halve<1>(t, partial);
    return partial[0];
}

}  // namespace detail

//! The states of a span for a tile of rows and a group of query heads, sixteen of these queries a block.
template <class Unit>
struct AttendTile {
    static constexpr unsigned threads = tuning::row_threads, most_queries = 16;  //!< a lane each of half a warp
    static constexpr std::size_t most_head_dim = threads;  //!< a thread is an element of the values
    static_assert(threads == 8 * most_queries);

    const float* queries;  //!< [rows, heads, head_dim]
    CacheView<Unit> cache;
    std::size_t layer;
    float scale;  //!< of the scores: 1 / sqrt(head_dim)
    const Row* rows;
    const RowTile* tiles;
    unsigned tile_count;
    SpanStates out;

    //! How many rows a tile has at most, for so many query heads a key/value head.
    static constexpr std::size_t tile_rows(std::size_t group) { return std::max<std::size_t>(most_queries / group, 1); }

    Dim grid() const {
        return {static_cast<unsigned>(out.spans), static_cast<unsigned>(cache.shape.kv_heads * sets()), tile_count};
    }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const RowTile tile = tiles[t.block().z];
        const std::size_t span = t.block().x, kv_head = t.block().y / sets(),
                          first_query = t.block().y % sets() * most_queries;
        const Row& last_row = rows[tile.first + tile.count - 1];
        const std::size_t begin = span * attention_span, seen = static_cast<std::size_t>(last_row.position) + 1;
        if (begin >= seen) return;
        const std::size_t end = seen < begin + attention_span ? seen : begin + attention_span;
        const KvHead kv = {layer, static_cast<std::size_t>(last_row.sequence), kv_head};
        const std::size_t count = tile.count * group() - first_query, dim = out.head_dim;  // of queries
        const auto row_of = [&](std::size_t q) { return tile.first + (first_query + q) / group(); };
        const auto head_of = [&](std::size_t q) { return kv_head * group() + (first_query + q) % group(); };

        Shared& shared = t.template shared<Shared>();
        for (std::size_t q = 0; q < most_queries; ++q) {
            const float* from = queries + (row_of(q) * out.heads + head_of(q)) * dim;
            for (std::size_t i = t.thread(); i < dim; i += threads) shared.query[q][i] = q < count ? from[i] : 0.0F;
        }
        // Eight threads know the softmax of one query, one thread an element of all queries' values.
        const std::size_t mine = t.thread() / 8;
        const std::size_t mine_sees = mine < count ? static_cast<std::size_t>(rows[row_of(mine)].position) + 1 : seen;
        float maximum = -std::numeric_limits<float>::infinity(), sum = 0.0F, values[most_queries] = {};
        for (std::size_t at = begin; at < end; at += attention_chunk) {
            const std::size_t positions = end - at < attention_chunk ? end - at : attention_chunk;
            const std::size_t from = cache.offset(kv, at);
            t.barrier();
            score(t, shared, from, positions);
            t.barrier();
            const std::size_t used = mine_sees <= at ? 0 : mine_sees - at < positions ? mine_sees - at : positions;
            exponentiate(t, shared, mine, used, maximum, sum);
            t.barrier();
            if (t.thread() < dim) mix(shared, from + t.thread(), positions, values);
        }

        for (std::size_t q = 0; q < most_queries; ++q) {
            if (q >= count || static_cast<std::size_t>(rows[row_of(q)].position) < begin) continue;
            const std::size_t state = out.index(row_of(q), head_of(q), span);
            if (t.thread() < dim) out.values[state * dim + t.thread()] = values[q];
            if (t.thread() == 8 * q) {
                out.maximum[state] = maximum;
                out.sum[state] = sum;
            }
        }
    }

private:
    struct Shared {
        float query[most_queries][most_head_dim];
        float scores[most_queries][attention_chunk + 1];  // then their exponentials; one more: other banks
        float rescale[most_queries];                      // what the values so far are multiplied by
        std::size_t used[most_queries];                   // positions of the chunk that a query sees
    };

    SLUICE_HD std::size_t group() const { return out.heads / cache.shape.kv_heads; }
    SLUICE_HD std::size_t sets() const { return div_up(group(), most_queries); }

    //! Scores of all queries against the keys from an element of the cache on. Half a warp is a position.
    template <class T>
    SLUICE_HD void score(T& t, Shared& shared, std::size_t from, std::size_t positions) const {
        const unsigned lane = t.thread() % 16;
        for (std::size_t first = t.thread() / warp_size * 2; first < positions; first += threads / 16) {
            const std::size_t p = first + t.thread() / 16 % 2, key = p < positions ? p : positions - 1;
            float partial[most_queries] = {};
            for (std::size_t i = lane; i < out.head_dim; i += 16) {
                const float element = cache.keys.at(from + key * out.head_dim + i);
                SLUICE_UNROLL
                for (unsigned q = 0; q < most_queries; ++q) {
                    partial[q] = ::fmaf(shared.query[q][i], element, partial[q]);
                }
            }
            const float product = detail::sum_sixteen(t, partial);
            if (p < positions) shared.scores[lane][p] = product * scale;
        }
    }

    //! The scores of query `mine` become exponentials, as far as it sees; its maximum and sum go on.
    template <class T>
    static SLUICE_HD void exponentiate(T& t, Shared& shared, std::size_t mine, std::size_t used, float& maximum,
                                       float& sum) {
        float* scores = shared.scores[mine];
        const unsigned lane = t.thread() % 8;
        float higher = maximum;
        for (std::size_t p = lane; p < used; p += 8) higher = scores[p] > higher ? scores[p] : higher;
        for (unsigned mask = 4; mask > 0; mask /= 2) {
            const float other = t.shuffle_xor(higher, mask);
            higher = other > higher ? other : higher;
        }
        float low = 0.0F, high = 0.0F;  // partial sums lane and lane + 8 of math::sum_tree
        const auto take = [&](std::size_t p, float& partial) {
            if (p >= used) return;
            scores[p] = math::exp(scores[p] - higher);
            partial += scores[p];
        };
        for (std::size_t p = lane; p < used; p += 16) {
            take(p, low);
            take(p + 8, high);
        }
        float chunk_sum = low + high;
        for (unsigned mask = 4; mask > 0; mask /= 2) chunk_sum += t.shuffle_xor(chunk_sum, mask);
        const float rescale = used > 0 ? math::exp(maximum - higher) : 1.0F;
        if (used > 0) sum = ::fmaf(sum, rescale, chunk_sum);
        maximum = higher;
        if (lane == 0) {
            shared.rescale[mine] = rescale;
            shared.used[mine] = used;
        }
    }

    //! values += the exponentials times one element of the chunk's values, positions ascending.
    SLUICE_HD void mix(const Shared& shared, std::size_t from, std::size_t positions,
                       float (&values)[most_queries]) const {
        SLUICE_UNROLL
        for (unsigned q = 0; q < most_queries; ++q) values[q] *= shared.rescale[q];
        const std::size_t seen_by_all = shared.used[0];  // the first row sees least
        for (std::size_t p = 0; p < positions; ++p) {
            const float element = cache.values.at(from + p * out.head_dim);
            SLUICE_UNROLL
            for (unsigned q = 0; q < most_queries; ++q) {
                if (p < seen_by_all || p < shared.used[q]) {
                    values[q] = ::fmaf(shared.scores[q][p], element, values[q]);
                }
            }
        }
    }
};

}  // namespace sluice::cuda
