// SPDX-License-Identifier: Apache-2.0
//! One transformer layer of Qwen3-MoE, as every thread of the team runs it.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "sluice/concepts/executor.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cpu/activations.hpp"
#include "sluice/cpu/linear.hpp"
#include "sluice/cpu/norm.hpp"
#include "sluice/cpu/rope.hpp"
#include "sluice/model/qwen3_moe.hpp"

namespace sluice::model {

//! What a forward pass works in, allocated once for the largest batch. P is a policy bundle (pipeline/policies.hpp).
template <class P>
struct Workspace {
    typename P::Shape shape;
    float rms_eps;

    Buffer<float> residual;             //!< [rows, hidden]: the stream that every layer adds to
    cpu::Activations<> normed;          //!< [rows, hidden]: its normalization, what the matrices read
    Buffer<float> q, k, v;              //!< [rows, heads * head_dim], [rows, kv_heads * head_dim] twice
    Buffer<float> cosines, sines;       //!< [rows, head_dim / 2]: the rotation of each row's position
    cpu::Activations<> mixed;           //!< [rows, heads * head_dim]: what attention gives
    Buffer<float> update;               //!< [rows, hidden]: what is added to the residual next
    Buffer<float> router_logits;        //!< [rows, experts]
    std::vector<ExpertChoice> choices;  //!< [rows, experts_used]

    typename P::Attention attention;
    typename P::Router router;
    typename P::Experts experts;
};

//! residual += o(attention(q, k, v)); residual += experts(residual): each on the normalized residual of the batch
//! `rows`. Reads and extends the cache. Work on rows is shared by rows, work on matrices by matrix rows; there
//! is a barrier wherever one member reads what another wrote.
template <class P, Team T>
void layer(T& team, std::size_t index, const LayerWeights& weights, std::span<const Row> rows, Workspace<P>& w,
           typename P::KvCache& cache) {
    using Q = typename P::Quantization;
    const auto& s = w.shape;
    const std::size_t half = s.head_dim / 2, group = s.heads / s.kv_heads, n = rows.size();
    const Range mine = share(n, 1, team.rank(), team.size());

    // Attention
    for (std::size_t r = mine.first; r < mine.last; ++r) {
        cpu::rms_norm(&w.residual[r * s.hidden], weights.attention_norm.data(), s.hidden, w.rms_eps, w.normed.row(r));
        w.normed.quantize(r);
    }
    team.barrier();

    cpu::linear<Q>(team, weights.q, w.normed, n, w.q.data(), &weights.k);
    cpu::linear<Q>(team, weights.k, w.normed, n, w.k.data(), &weights.v);
    cpu::linear<Q>(team, weights.v, w.normed, n, w.v.data(), &weights.o);
    team.barrier();

    const Range heads = share(n * s.kv_heads, 1, team.rank(), team.size());
    for (std::size_t h = heads.first; h < heads.last; ++h) {
        const std::size_t r = h / s.kv_heads;
        const float *cosines = &w.cosines[r * half], *sines = &w.sines[r * half];
        const auto norm_and_rotate = [&](float* head, std::span<const float> norm) {
            cpu::rms_norm(head, norm.data(), s.head_dim, w.rms_eps, head);
            cpu::rotate_half(head, cosines, sines, half);
        };
        for (std::size_t g = h * group; g < (h + 1) * group; ++g) norm_and_rotate(&w.q[g * s.head_dim], weights.q_norm);
        norm_and_rotate(&w.k[h * s.head_dim], weights.k_norm);
        cache.write({index, static_cast<std::size_t>(rows[r].sequence), h % s.kv_heads},
                    static_cast<std::size_t>(rows[r].position), &w.k[h * s.head_dim], &w.v[h * s.head_dim]);
    }
    team.barrier();

    w.attention.attend(team, rows, index, w.q.data(), cache, w.mixed.row(0));
    team.barrier();

    for (std::size_t r = mine.first; r < mine.last; ++r) w.mixed.quantize(r);
    team.barrier();

    cpu::linear<Q>(team, weights.o, w.mixed, n, w.update.data(), &weights.router);
    team.barrier();

    // Experts
    for (std::size_t r = mine.first; r < mine.last; ++r) {
        cpu::add(&w.residual[r * s.hidden], &w.update[r * s.hidden], s.hidden);
        cpu::rms_norm(&w.residual[r * s.hidden], weights.ff_norm.data(), s.hidden, w.rms_eps, w.normed.row(r));
        w.normed.quantize(r);
    }
    team.barrier();

    cpu::linear<Q>(team, weights.router, w.normed, n, w.router_logits.data());
    team.barrier();

    for (std::size_t r = mine.first; r < mine.last; ++r) {
        w.router.route(w.router_logits.span(r * s.experts, s.experts),
                       std::span(w.choices).subspan(r * s.experts_used, s.experts_used));
    }
    team.barrier();

    w.experts.template apply<Q>(team, weights.experts, w.normed, std::span(w.choices).first(n * s.experts_used),
                                w.update.data());
    team.barrier();

    for (std::size_t r = mine.first; r < mine.last; ++r) {
        cpu::add(&w.residual[r * s.hidden], &w.update[r * s.hidden], s.hidden);
    }
}

}  // namespace sluice::model
