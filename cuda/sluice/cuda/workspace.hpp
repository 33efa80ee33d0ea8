// SPDX-License-Identifier: Apache-2.0
//! What a forward pass works in on the device, in one allocation made for the largest batch.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "sluice/core/types.hpp"
#include "sluice/cpu/activations.hpp"
#include "sluice/cuda/activations.hpp"
#include "sluice/cuda/attention.hpp"
#include "sluice/cuda/attention_tile.hpp"
#include "sluice/cuda/candidates.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/draw.hpp"
#include "sluice/cuda/expert_groups.hpp"
#include "sluice/cuda/experts.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/model/batch.hpp"
#include "sluice/model/shape.hpp"
#include "sluice/quant/activation.hpp"

namespace sluice::cuda {

//! Hands out parts of one allocation, one behind the other. Begun at nullptr it only counts.
class Arena {
public:
    explicit Arena(std::byte* begin) : begin_(begin) {}

    template <class T>
    T* take(std::size_t count) {
        const std::size_t at = used_;
        used_ += div_up(count * sizeof(T), memory_alignment) * memory_alignment;
        return begin_ == nullptr ? nullptr : reinterpret_cast<T*>(begin_ + at);
    }
    ActivationRows take_rows(std::size_t rows, std::size_t k, cpu::ActivationForms forms) {
        using Q8_32 = quant::Q8View<32>;
        using Q8_256 = quant::Q8View<256>;
        return {k, take<float>(rows * k), forms.q8_32 ? take<std::byte>(rows * Q8_32::row_bytes(k)) : nullptr,
                forms.q8_256 ? take<std::byte>(rows * Q8_256::row_bytes(k)) : nullptr};
    }
    std::size_t used() const { return used_; }

private:
    std::byte* begin_;
    std::size_t used_ = 0;
};

struct Workspace {
    Row* rows;               //!< [rows]: the batch
    RowTile* tiles;          //!< [rows]: the batch, cut for attention
    std::uint32_t* wanted;   //!< [rows]: those that want logits
    float* residual;         //!< [rows, hidden]: the stream that every layer adds to
    ActivationRows normed;   //!< [rows, hidden]: its normalization, what the matrices read
    float *q, *k, *v;        //!< [rows, heads * head_dim], [rows, kv_heads * head_dim] twice
    float *cosines, *sines;  //!< [rows, head_dim / 2]
    SpanStates spans;
    ActivationRows mixed;   //!< [rows, heads * head_dim]: what attention gives
    float* router_logits;   //!< [rows, experts]
    ExpertChoice* choices;  //!< [rows, experts_used]
    ExpertsWorkspace experts;
    float* logits;  //!< [rows, vocab]
    SamplerWorkspace sampler;
    Outcome* outcomes;  //!< [rows]: of sampling

    //! For batches of `n` rows and sequences of `capacity` positions.
    template <shape::Shape S>
    static Workspace take(Arena& arena, const S& s, const model::LayerForms& forms, std::size_t n,
                          std::size_t capacity) {
        const std::size_t q_width = s.heads * s.head_dim, kv_width = s.kv_heads * s.head_dim;
        const std::size_t spans = div_up(capacity, attention_span), states = n * s.heads * spans;
        Workspace w = {};
        w.rows = arena.take<Row>(n);
        w.tiles = arena.take<RowTile>(n);
        w.wanted = arena.take<std::uint32_t>(n);
        w.residual = arena.take<float>(n * s.hidden);
        w.normed = arena.take_rows(n, s.hidden, forms.normed);
        w.q = arena.take<float>(n * q_width);
        w.k = arena.take<float>(n * kv_width);
        w.v = arena.take<float>(n * kv_width);
        w.cosines = arena.take<float>(n * s.head_dim / 2);
        w.sines = arena.take<float>(n * s.head_dim / 2);
        w.spans = {arena.take<float>(states),
                   arena.take<float>(states),
                   arena.take<float>(states * s.head_dim),
                   s.heads,
                   spans,
                   s.head_dim};
        w.mixed = arena.take_rows(n, q_width, forms.mixed);
        w.router_logits = arena.take<float>(n * s.experts);
        w.choices = arena.take<ExpertChoice>(n * s.experts_used);
        const std::size_t entries = n * s.experts_used;
        w.experts.inner = arena.take_rows(entries, s.expert_ff, forms.inner);
        w.experts.groups = {arena.take<std::uint32_t>(s.experts + 1), arena.take<std::uint32_t>(entries),
                            arena.take<ExpertTile>(ExpertGroups::most_tiles(s.experts, entries)),
                            arena.take<std::uint32_t>(1)};
        w.experts.results = arena.take<float>(entries * s.hidden);
        w.logits = arena.take<float>(n * s.vocab);
        const std::size_t tiles = div_up(s.vocab, SamplerWorkspace::tile_size);
        w.sampler = {s.vocab,
                     arena.take<RankKey>(tiles),
                     arena.take<std::uint32_t>(tiles),
                     arena.take<std::uint64_t>(tiles),
                     arena.take<RankKey>(s.vocab),
                     arena.take<std::uint32_t>(1),
                     arena.take<RankKey>(1)};
        w.outcomes = arena.take<Outcome>(n);
        return w;
    }
};

}  // namespace sluice::cuda
