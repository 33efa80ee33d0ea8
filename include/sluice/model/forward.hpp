// SPDX-License-Identifier: Apache-2.0
//! The forward pass: a batch of rows (token, sequence, position) to logits. Prefill, decode, several sequences at once
//! and the checking of guessed tokens are all this one function.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sluice/concepts/attention.hpp"
#include "sluice/concepts/executor.hpp"
#include "sluice/concepts/experts.hpp"
#include "sluice/concepts/kv_cache.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/model/batch.hpp"
#include "sluice/model/layer.hpp"
#include "sluice/model/logits.hpp"
#include "sluice/model/model.hpp"
#include "sluice/model/qwen3_moe.hpp"
#include "sluice/model/rope.hpp"
#include "sluice/quant/row.hpp"

namespace sluice::model {

//! How large a Forward is built.
struct ForwardLimits {
    std::size_t max_rows = 1;  //!< rows of the largest batch
    std::size_t capacity = 1;  //!< positions of the longest sequence
    std::size_t threads = 1;   //!< of the executor
};

//! The computation of one model on threads of the CPU. P has the slots of sluice::ComputeSlots. A row's logits depend
//! on its own sequence alone, to the bit: not on the other rows, nor on how its prefix was cut into batches, nor on the
//! number of threads.
template <class P>
class Forward {
    using Q = typename P::Quantization;

public:
    static constexpr bool reads_interleaved = true;  //!< see model/interleave.hpp

    using Logits = HostLogits;
    //! Room for the logits of so many rows.
    template <Executor E>
    Logits make_logits(E& /*executor*/, std::size_t rows) const {
        return {rows, vocab()};
    }

    //! What a pipeline loads: with an empty cache, for batches of max_rows. Error: heads that are not whole blocks of
    //! the cache. Throws std::bad_alloc where there is not enough memory.
    template <Executor E>
    static Expected<Ready<typename P::KvCache, Forward>> create(E& executor, ModelOf<P> model,
                                                                const KvCacheShape& cache, std::size_t max_rows,
                                                                const LoadProgress& /*progress*/ = {}) {
        SLUICE_TRY(check_head_dim<typename P::KvCache>(cache.head_dim));
        const ForwardLimits limits{max_rows, cache.capacity, executor.size()};
        return Ready<typename P::KvCache, Forward>{typename P::KvCache(cache), Forward(std::move(model), limits)};
    }

    //! Allocates all that passes within `limits` need. The model's file must outlive it.
    Forward(ModelOf<P> model, const ForwardLimits& limits)
        : weights_(std::move(model.weights)),
          rope_(model.shape.head_dim, model.hyperparameters.rope_theta, model.hyperparameters.rope_scaling),
          limits_(limits),
          w_(workspace(model.shape, model.hyperparameters.rms_eps, weights_, limits)) {
        wanted_.reserve(limits.max_rows);
    }

    std::size_t max_rows() const { return limits_.max_rows; }  //!< of a pass
    std::size_t vocab() const { return w_.shape.vocab; }       //!< logits of a row

    //! The policies at work, for what they have to tell: counts, statistics.
    const typename P::Attention& attention() const { return w_.attention; }
    const typename P::Router& router() const { return w_.router; }
    const typename P::Experts& experts() const { return w_.experts; }

    //! Computes the rows, in order; those of one sequence continue it at its cached length. logits [rows that want
    //! them, vocab], in the order of the rows. When it returns ok the cache holds the rows; else its lengths are as
    //! before. `cancel`, if given, is polled in every layer. Error: rows, a cache, an executor or room for logits that
    //! do not fit, a full context (out_of_capacity), or a pass that was cancelled (cancelled).
    //!
    //! Defined below the class, and so not inline: `extern template` keeps a program's other translation units from
    //! compiling the kernels once more (samples/compiled_once does so).
    template <Executor E>
    Status operator()(E& executor, typename P::KvCache& cache, std::span<const Row> rows, std::span<float> logits,
                      const std::atomic<bool>* cancel = nullptr);

private:
    //! The buffers were made for `limits_`, and the cache must be one of this model.
    Status check_fit(const KvCacheShape& cache, std::size_t threads) const {
        SLUICE_TRY(check_cache(cache, w_.shape));
        SLUICE_TRY(check_head_dim<typename P::KvCache>(cache.head_dim));
        if (cache.capacity > limits_.capacity || threads > limits_.threads) {
            return Status(Errc::invalid_argument, "forward",
                          std::to_string(cache.capacity) + " positions and " + std::to_string(threads) +
                              " threads, but it was built for " + std::to_string(limits_.capacity) + " and " +
                              std::to_string(limits_.threads),
                          "build it with larger limits");
        }
        return {};
    }

    //! residual = the rows' embeddings; and the rotations of their positions. The same rows as layer() gives a member.
    template <Team T>
    void embed(T& team, std::span<const Row> rows) {
        const Matrix& e = weights_.embedding;
        const Range mine = share(rows.size(), 1, team.rank(), team.size());
        for (std::size_t r = mine.first; r < mine.last; ++r) {
            const std::byte* row = e.row(static_cast<std::size_t>(rows[r].token));
            Q::visit(e.format, [&]<class F>() { quant::decode_row<F>(row, e.cols, &w_.residual[r * e.cols]); });
            rope_.at(rows[r].position, &w_.cosines[r * rope_.pairs()], &w_.sines[r * rope_.pairs()]);
        }
    }

    //! logits = output(norm(residual)) of the rows that want them.
    template <Team T>
    void head(T& team, std::span<const Row> rows, std::span<float> logits) {
        const std::size_t hidden = w_.shape.hidden;
        const Range mine = share(rows.size(), 1, team.rank(), team.size());
        for (std::size_t i = 0; i < wanted_.size(); ++i) {
            if (wanted_[i] < mine.first || wanted_[i] >= mine.last) continue;
            cpu::rms_norm(&w_.residual[wanted_[i] * hidden], weights_.output_norm.data(), hidden, w_.rms_eps,
                          w_.normed.row(i));
            w_.normed.quantize(i);
        }
        team.barrier();
        if (!wanted_.empty()) cpu::linear<Q>(team, weights_.output, w_.normed, wanted_.size(), logits.data());
    }

    static Workspace<P> workspace(const typename P::Shape& s, float rms_eps, const Weights& weights,
                                  const ForwardLimits& limits);

    Weights weights_;
    RopeFrequencies rope_;
    ForwardLimits limits_;
    Workspace<P> w_;
    std::vector<std::size_t> wanted_;  // the rows that want logits, in order
};

//! Whether F is a Forward of this header, whatever its slots.
template <class F>
inline constexpr bool is_cpu_forward = false;
template <class P>
inline constexpr bool is_cpu_forward<Forward<P>> = true;

template <class P>
Workspace<P> Forward<P>::workspace(const typename P::Shape& s, float rms_eps, const Weights& weights,
                                   const ForwardLimits& limits) {
    const LayerForms forms = layer_forms<Q>(weights);
    const std::size_t n = limits.max_rows, q_width = s.heads * s.head_dim, kv_width = s.kv_heads * s.head_dim;
    using Floats = Buffer<float>;
    return {
        .shape = s,
        .rms_eps = rms_eps,
        .residual = Floats(n * s.hidden),
        .normed = cpu::Activations<>(n, s.hidden, forms.normed),
        .q = Floats(n * q_width),
        .k = Floats(n * kv_width),
        .v = Floats(n * kv_width),
        .cosines = Floats(n * s.head_dim / 2),
        .sines = Floats(n * s.head_dim / 2),
        .mixed = cpu::Activations<>(n, q_width, forms.mixed),
        .update = Floats(n * s.hidden),
        .router_logits = Floats(n * s.experts),
        .choices = std::vector<ExpertChoice>(n * s.experts_used),
        .attention =
            typename P::Attention(AttentionShape{s.heads, s.kv_heads, s.head_dim, limits.capacity, limits.threads}),
        .router = {},
        .experts = typename P::Experts(ExpertsShape{s.hidden, s.expert_ff, s.experts, s.experts_used, n}, forms.inner),
    };
}

template <class P>
template <Executor E>
Status Forward<P>::operator()(E& executor, typename P::KvCache& cache, std::span<const Row> rows,
                              std::span<float> logits, const std::atomic<bool>* cancel) {
    SLUICE_TRY(check_fit(cache.shape(), executor.size()));
    SLUICE_TRY(select_wanted(cache, rows, vocab(), max_rows(), logits.size(), wanted_));
    std::array<bool, 2> stop = {false, false};  // by the layer's parity: written by rank 0, read a barrier later
    executor.run([&](auto& team) {
        embed(team, rows);
        for (std::size_t i = 0; i < weights_.layers.size(); ++i) {
            if (team.rank() == 0) stop[i % 2] = cancel != nullptr && cancel->load(std::memory_order_relaxed);
            layer<P>(team, i, weights_.layers[i], rows, w_, cache);
            if (stop[i % 2]) return;
        }
        head(team, rows, logits);
    });
    if (stop[0] || stop[1]) return Status(Errc::cancelled, "forward", "was asked to stop");
    for (const Row& row : rows) {
        cache.advance(static_cast<std::size_t>(row.sequence), static_cast<std::size_t>(row.position) + 1);
    }
    return {};
}

}  // namespace sluice::model
