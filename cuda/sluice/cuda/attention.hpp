// SPDX-License-Identifier: Apache-2.0
//! Grouped-query softmax attention on the device, in the order of cpu/attention.hpp: chunks of 64 positions folded into
//! spans of 1024, spans folded into the result, so the bits are the CPU's. A span is a block of its own: split-KV.
#pragma once

#include <cstddef>
#include <limits>

#include "sluice/core/math.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cuda/activations.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/kv_cache.hpp"
#include "sluice/cuda/tuning.hpp"
#include "sluice/quant/activation.hpp"

namespace sluice::cuda {

inline constexpr std::size_t attention_chunk = 64;   //!< positions that share one maximum
inline constexpr std::size_t attention_span = 1024;  //!< positions of a block

//! The softmax over a span, as far as it goes: [rows, heads, spans] of each.
struct SpanStates {
    float *maximum, *sum;
    float* values;  //!< and [head_dim]
    std::size_t heads, spans, head_dim;

    SLUICE_HD std::size_t index(std::size_t row, std::size_t head, std::size_t span) const {
        return (row * heads + head) * spans + span;
    }
};

//! The states of all spans of all rows' heads.
template <class Unit>
struct AttendSpans {
    static constexpr unsigned threads = tuning::row_threads;
    static constexpr std::size_t chunks = attention_span / attention_chunk;

    const float* queries;  //!< [rows, heads, head_dim]
    CacheView<Unit> cache;
    std::size_t layer;
    float scale;  //!< of the scores: 1 / sqrt(head_dim)
    const Row* rows;
    unsigned count;
    SpanStates out;

    Dim grid() const { return {static_cast<unsigned>(out.spans), static_cast<unsigned>(out.heads), count}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const std::size_t span = t.block().x, head = t.block().y, r = t.block().z;
        const std::size_t first = span * attention_span, seen = static_cast<std::size_t>(rows[r].position) + 1;
        if (first >= seen) return;
        const std::size_t positions = seen - first < attention_span ? seen - first : attention_span;
        const KvHead kv = {layer, static_cast<std::size_t>(rows[r].sequence),
                           head / (out.heads / cache.shape.kv_heads)};
        const std::size_t from = cache.offset(kv, first);
        const float* query = queries + (r * out.heads + head) * out.head_dim;
        const std::size_t at = out.index(r, head, span), used_chunks = div_up(positions, attention_chunk);

        struct Shared {
            float scores[attention_span];  // then their exponentials
            float highest[chunks];         // score of each chunk
            float sum[chunks];             // of its exponentials
        };
        Shared& shared = t.template shared<Shared>();
        for (std::size_t p = t.thread(); p < positions; p += threads) {
            shared.scores[p] = dot(query, from + p * out.head_dim) * scale;
        }
        t.barrier();
        for (std::size_t c = t.thread(); c < used_chunks; c += threads) {
            float highest = -std::numeric_limits<float>::infinity();
            for (std::size_t p = c * attention_chunk; p < end_of(c, positions); ++p) {
                highest = shared.scores[p] > highest ? shared.scores[p] : highest;
            }
            shared.highest[c] = highest;
        }
        t.barrier();
        for (std::size_t p = t.thread(); p < positions; p += threads) {
            shared.scores[p] = math::exp(shared.scores[p] - maximum_after(shared.highest, p / attention_chunk));
        }
        t.barrier();
        for (std::size_t c = t.thread(); c < used_chunks; c += threads) {
            float partial[16] = {};
            for (std::size_t p = c * attention_chunk; p < end_of(c, positions); p += 16) {
                for (std::size_t j = 0; j < 16; ++j) partial[j] += p + j < positions ? shared.scores[p + j] : 0.0F;
            }
            shared.sum[c] = math::sum_tree(partial);
        }
        t.barrier();
        // A thread is an element of the values; the first one keeps the sum too.
        for (std::size_t i = t.thread(); i < out.head_dim; i += threads) {
            float maximum = -std::numeric_limits<float>::infinity(), sum = 0.0F, value = 0.0F;
            for (std::size_t c = 0; c < used_chunks; ++c) {
                const float higher = shared.highest[c] > maximum ? shared.highest[c] : maximum;
                const float rescale = math::exp(maximum - higher);
                maximum = higher;
                sum = ::fmaf(sum, rescale, shared.sum[c]);
                value *= rescale;
                for (std::size_t p = c * attention_chunk; p < end_of(c, positions); ++p) {
                    value = ::fmaf(shared.scores[p], cache.values.at(from + p * out.head_dim + i), value);
                }
            }
            out.values[at * out.head_dim + i] = value;
            if (i == 0) {
                out.maximum[at] = maximum;
                out.sum[at] = sum;
            }
        }
    }

private:
    static SLUICE_HD std::size_t end_of(std::size_t chunk, std::size_t positions) {
        return (chunk + 1) * attention_chunk < positions ? (chunk + 1) * attention_chunk : positions;
    }

    //! The highest score of chunks 0 .. chunk.
    static SLUICE_HD float maximum_after(const float* highest, std::size_t chunk) {
        float maximum = highest[0];
        for (std::size_t c = 1; c <= chunk; ++c) maximum = highest[c] > maximum ? highest[c] : maximum;
        return maximum;
    }

    //! The query times the key that begins at an element of the cache.
    SLUICE_HD float dot(const float* query, std::size_t key) const {
        float partial[16] = {}, elements[16];
        for (std::size_t i = 0; i < out.head_dim; i += 16) {
            cache.keys.load(key + i, elements);
            for (std::size_t j = 0; j < 16; ++j) partial[j] = ::fmaf(query[i + j], elements[j], partial[j]);
        }
        return math::sum_tree(partial);
    }
};

//! output [rows, heads * head_dim] = the spans' states folded, in ascending order, and its int8 forms. A thread is an
//! element, a block 256 neighbouring ones of one row: as many as the largest block of an int8 form has.
struct FoldSpans {
    static constexpr unsigned threads = quant::Q8View<256>::block_size;

    SpanStates states;
    const Row* rows;
    unsigned count;
    ActivationRows output;

    Dim grid() const { return {grid_size(output.k, threads), count}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const std::size_t r = t.block().y, dim = states.head_dim, begin = std::size_t{t.block().x} * threads;
        const std::size_t end = begin + threads < output.k ? begin + threads : output.k, element = begin + t.thread();
        if (element < end) {
            const std::size_t i = element % dim, first = states.index(r, element / dim, 0),
                              last = first + static_cast<std::size_t>(rows[r].position) / attention_span;
            float maximum = states.maximum[first], sum = states.sum[first], value = states.values[first * dim + i];
            for (std::size_t at = first + 1; at <= last; ++at) {
                const float higher = maximum < states.maximum[at] ? states.maximum[at] : maximum;
                const float keep = math::exp(maximum - higher), take = math::exp(states.maximum[at] - higher);
                maximum = higher;
                sum = ::fmaf(states.sum[at], take, sum * keep);
                value = ::fmaf(states.values[at * dim + i], take, value * keep);
            }
            output.row(r)[element] = value * (1.0F / sum);
        }
        t.barrier();
        detail::quantize_forms(t, threads, output, r, begin, end);
    }
};

}  // namespace sluice::cuda
