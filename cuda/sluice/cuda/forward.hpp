// SPDX-License-Identifier: Apache-2.0
//! The forward pass on a device: what model::Forward computes, to the bit. The batch lies in device memory, and nothing
//! is asked of the host between its copy to the device and the last logits, but for experts that are left to it.
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "sluice/concepts/sampler.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cuda/kv_cache.hpp"
#include "sluice/cuda/logits.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/cuda/pass.hpp"
#include "sluice/cuda/router.hpp"
#include "sluice/model/batch.hpp"
#include "sluice/model/logits.hpp"
#include "sluice/model/model.hpp"
#include "sluice/pipeline/policies.hpp"

namespace sluice::cuda {

//! P is a policy bundle (cuda/policies.hpp) whose Executor is the device.
template <class P>
class Forward {
    using D = typename P::Executor;
    using Cache = typename P::KvCache;
    using Shape = typename P::Shape;
    using Computed = Qwen3MoeCpu<typename P::Quantization>;  // what the kernels compute, too

    static_assert(std::same_as<typename P::Attention, typename Computed::Attention>,
                  "Qwen3MoeCuda: the Attention slot is the CPU's alone; see docs/cuda.md");
    static_assert(std::same_as<typename P::Router, typename Computed::Router>,
                  "Qwen3MoeCuda: the Router slot is the CPU's alone; see docs/cuda.md");
    static_assert(std::same_as<typename P::Experts, typename Computed::Experts> ||
                      !std::same_as<typename P::template Forward<P>, Forward>,
                  "Qwen3MoeCuda: the Experts slot is the CPU's alone; see docs/cuda.md");

public:
    static constexpr bool reads_interleaved = false;  //!< weights come as the file has them

    //! Copies the weights to the device and makes room for a cache and for batches of max_rows, if the device has the
    //! memory for all of that. The experts of the last `hops` layers are left out: see run().
    static Expected<model::Ready<typename P::KvCache, Forward>> create(D& device, const model::ModelOf<P>& model,
                                                                       const KvCacheShape& cache, std::size_t max_rows,
                                                                       const model::LoadProgress& progress = {},
                                                                       std::size_t hops = 0) {
        const auto& s = model.shape;
        SLUICE_TRY(model::check_head_dim<Cache>(cache.head_dim));
        SLUICE_TRY(check_kernels(std::span(model.weights.layers).first(s.layers - hops), s, max_rows));
        const std::size_t need = Pass<P>::need(model, cache.capacity, max_rows, hops) + Cache::bytes(cache);
        if (const MemoryUse memory = device.memory(); need > memory.free) {
            return Status(Errc::out_of_capacity, "cuda: memory",
                          "the model, a context of " + std::to_string(cache.capacity) + " positions and batches of " +
                              std::to_string(max_rows) + " rows need " + std::to_string(need) + " bytes, but " +
                              std::to_string(memory.free) + " of the device's " + std::to_string(memory.total) +
                              " are free",
                          "load with a smaller context or batch, with the experts of more layers on the CPU, or a "
                          "smaller model");
        }
        SLUICE_ASSIGN(auto kv, Cache::create(cache));
        SLUICE_ASSIGN(auto pass, Pass<P>::create(device, model, cache.capacity, max_rows, hops, progress));
        SLUICE_ASSIGN(auto mailbox, (Mailbox<D, Outcome>::create(max_rows)));
        return model::Ready<typename P::KvCache, Forward>{
            std::move(kv), Forward(std::move(pass), std::move(mailbox), max_rows, cache.capacity)};
    }

    std::size_t max_rows() const { return max_rows_; }
    std::size_t vocab() const { return pass_.shape().vocab; }

    //! Where P's sampler reads logits.
    using Logits = std::conditional_t<Sampler<typename P::Sampler>, model::HostLogits, DeviceLogits<D>>;
    //! Room for the logits of so many rows, which are max_rows at most.
    Logits make_logits(D& device, std::size_t rows) const {
        if constexpr (std::same_as<Logits, model::HostLogits>) {
            return {rows, vocab()};
        } else {
            return {device, sampler_};
        }
    }

    //! As model::Forward; `cancel` is polled as the layers of a batch are launched.
    Status operator()(D& device, Cache& cache, std::span<const Row> rows, std::span<float> logits,
                      const std::atomic<bool>* cancel = nullptr) {
        return run(device, cache, rows, logits, cancel, NoExperts());
    }

    //! The same, but the logits stay on the device, for a sampler there.
    Status operator()(D& device, Cache& cache, std::span<const Row> rows, DeviceLogits<D>& logits,
                      const std::atomic<bool>* cancel = nullptr) {
        return run(device, cache, rows, logits, cancel, NoExperts());
    }

    //! The first of these, where `hops` is not 0: experts(weights, x, choices, rows, output) is called for each of the
    //! last layers, in order. It fills output [rows, hidden] with the weighted sums of the chosen experts' results for
    //! x [rows, hidden]; choices [rows, used]. All three are on the device, and the device may be still at work on
    //! them; the weights are where the model was read.
    template <class OnCpu>
    Status run(D& device, Cache& cache, std::span<const Row> rows, std::span<float> logits,
               const std::atomic<bool>* cancel, OnCpu experts) {
        SLUICE_TRY(check(cache, rows, logits.size()));
        SLUICE_TRY(compute(device, cache, rows, cancel, experts));
        device.to_host(logits.data(), pass_.workspace().logits, wanted_.size() * vocab() * sizeof(float));
        SLUICE_TRY(device.finish());
        advance(cache, rows);
        return {};
    }

    //! The second. The row to which the sampler has let the device go on is not computed again; any other is, and what
    //! the device did in vain is overwritten.
    template <class OnCpu>
    Status run(D& device, Cache& cache, std::span<const Row> rows, DeviceLogits<D>& /*of make_logits()*/,
               const std::atomic<bool>* cancel, OnCpu experts) {
        SLUICE_TRY(check(cache, rows, max_rows_ * vocab()));
        const bool is_ahead = sampler_->ahead && rows.size() == 1 && rows[0] == *sampler_->ahead;
        if (!is_ahead || !(recorded_for_ == cache.view()) || is_set(cancel)) {
            SLUICE_TRY(compute(device, cache, rows, cancel, experts));
            SLUICE_TRY(device.finish());
        }
        advance(cache, rows);
        foresee(device, cache, rows);
        return {};
    }

private:
    Forward(Pass<P> pass, Mailbox<D, Outcome> mailbox, std::size_t max_rows, std::size_t capacity)
        : pass_(std::move(pass)), max_rows_(max_rows), capacity_(capacity) {
        wanted_.reserve(max_rows);
        const Workspace& w = pass_.workspace();
        sampler_ = std::make_shared<SamplerState<D>>(
            SamplerState<D>{w.logits, w.sampler, w.outcomes, std::move(mailbox), w.rows, {}, {}, {}, false});
        sampler_->step.resize(pass_.parts());
    }

    //! For run(), where all experts are on the device.
    struct NoExperts {
        Status operator()(auto&&...) const {
            return {Errc::unsupported, "forward", "has layers without experts", "call run()"};
        }
    };

    //! What the kernels of this backend cannot do. `layers`: those whose experts are on the device.
    static Status check_kernels(std::span<const model::LayerWeights> layers, const Shape& s, std::size_t max_rows) {
        constexpr std::size_t most_blocks = 65535;  // of a grid's second and third dimension
        if (max_rows * s.experts_used > most_blocks) {
            return Status(Errc::unsupported, "cuda: batch",
                          std::to_string(max_rows) + " rows of " + std::to_string(s.experts_used) +
                              " experts are more than " + std::to_string(most_blocks) + " together",
                          "load with a smaller batch");
        }
        if (s.experts > RouteRows::most_experts) {
            return Status(Errc::unsupported, "cuda: expert_count",
                          "is " + std::to_string(s.experts) + ", but the router's kernel has room for " +
                              std::to_string(RouteRows::most_experts),
                          "run the model on the CPU");
        }
        for (const model::LayerWeights& l : layers) {
            if (l.experts.gate.format == l.experts.up.format) continue;
            return Status(Errc::unsupported, "cuda: ffn_gate_exps and ffn_up_exps",
                          "are " + std::string(quant::format_name(l.experts.gate.format)) + " and " +
                              std::string(quant::format_name(l.experts.up.format)) + ", but one kernel multiplies both",
                          "quantize both to one format, or run the model on the CPU");
        }
        return {};
    }

    //! Fills wanted_.
    Status check(const Cache& cache, std::span<const Row> rows, std::size_t room) {
        SLUICE_TRY(model::check_cache(cache.shape(), pass_.shape()));
        if (cache.shape().capacity > capacity_) {
            return Status(Errc::invalid_argument, "forward",
                          std::to_string(cache.shape().capacity) + " positions, but it was built for " +
                              std::to_string(capacity_),
                          "build it with a larger capacity");
        }
        return model::select_wanted(cache, rows, vocab(), max_rows(), room, wanted_);
    }

    //! Launches a forward pass; between its parts the CPU computes experts.
    template <class OnCpu>
    Status compute(D& device, const Cache& cache, std::span<const Row> rows, const std::atomic<bool>* cancel,
                   OnCpu experts) {
        sampler_->ahead.reset();
        sampler_->next.reset();
        const auto batch = pass_.send(device, rows, wanted_);
        const bool is_step = rows.size() == 1 && wanted_.size() == 1 && !is_set(cancel);
        if (is_step) record_step(device, cache);
        for (std::size_t part = 0; part < pass_.parts(); ++part) {
            if (part > 0) SLUICE_TRY(pass_.hop(part - 1, batch, experts));
            if (is_step && !is_set(cancel)) {
                device.launch(sampler_->step[part]);
            } else if (!launch_part(device, part, batch, cache, cancel)) {
                SLUICE_TRY(device.finish());
                return Status(Errc::cancelled, "forward", "was asked to stop");
            }
        }
        return {};
    }

    // Below the class, and so not inline: where `extern template` says that nvcc compiles them, no other compiler does.
    //! As Pass::launch_part.
    bool launch_part(D& device, std::size_t part, const typename Pass<P>::Batch& batch, const Cache& cache,
                     const std::atomic<bool>* cancel) const;
    //! One row that wants logits is recorded once for a cache, then launched as a whole, or in parts between hops. What
    //! differs from token to token, the row, is in device memory.
    void record_step(D& device, const Cache& cache);

    static void advance(Cache& cache, std::span<const Row> rows) {
        for (const Row& row : rows) {
            cache.advance(static_cast<std::size_t>(row.sequence), static_cast<std::size_t>(row.position) + 1);
        }
    }

    //! Tells the sampler which row comes behind the last logits, if there is one that the device can compute alone, and
    //! has the step ready that computes it.
    void foresee(D& device, const Cache& cache, std::span<const Row> rows) {
        sampler_->ahead.reset();
        sampler_->next.reset();
        if (wanted_.size() != 1 || pass_.parts() > 1) return;
        const Row& last = rows[wanted_.front()];
        const auto position = static_cast<std::size_t>(last.position) + 1;
        if (position != cache.length(static_cast<std::size_t>(last.sequence)) || position == cache.shape().capacity)
            return;
        record_step(device, cache);
        sampler_->next = Row{0, last.sequence, last.position + 1, true};
    }

    Pass<P> pass_;
    std::size_t max_rows_, capacity_;
    std::shared_ptr<SamplerState<D>> sampler_;  // with the graphs of record_step()
    CacheView<typename Cache::Unit> recorded_for_;
    std::vector<std::size_t> wanted_;  // the rows that want logits, in order
};

template <class P>
bool Forward<P>::launch_part(D& device, std::size_t part, const typename Pass<P>::Batch& batch, const Cache& cache,
                             const std::atomic<bool>* cancel) const {
    return pass_.launch_part(device, part, batch, cache, cancel);
}

template <class P>
void Forward<P>::record_step(D& device, const Cache& cache) {
    if (recorded_for_ == cache.view()) return;
    for (std::size_t part = 0; part < pass_.parts(); ++part) {
        device.record(sampler_->step[part], [&] { pass_.launch_part(device, part, Pass<P>::one_row, cache, nullptr); });
    }
    recorded_for_ = cache.view();
}

}  // namespace sluice::cuda
