// SPDX-License-Identifier: Apache-2.0
//! The forward pass on a device: what model::Forward computes, to the bit. The batch lies in device memory, and nothing
//! is asked of the host between its copy to the device and that of the logits back.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "sluice/concepts/quantization.hpp"
#include "sluice/concepts/sampler.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cuda/attention.hpp"
#include "sluice/cuda/embed.hpp"
#include "sluice/cuda/experts.hpp"
#include "sluice/cuda/linear.hpp"
#include "sluice/cuda/logits.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/cuda/rope.hpp"
#include "sluice/cuda/router.hpp"
#include "sluice/cuda/weights.hpp"
#include "sluice/cuda/workspace.hpp"
#include "sluice/model/batch.hpp"
#include "sluice/model/logits.hpp"
#include "sluice/model/model.hpp"
#include "sluice/model/rope.hpp"

namespace sluice::cuda {

//! P is a policy bundle (cuda/policies.hpp) whose Executor is the device.
template <class P>
class Forward {
    using D = typename P::Executor;
    using Q = typename P::Quantization;
    using Cache = typename P::KvCache;
    using Element = typename Cache::Element;
    using Shape = typename P::Shape;

public:
    static constexpr bool reads_interleaved = false;  //!< weights come as the file has them

    //! Copies the weights to the device and makes room for a cache and for batches of max_rows, if the device has the
    //! memory for all of that.
    static Expected<model::Ready<P, Forward>> create(D& device, const model::Model<P>& model, const KvCacheShape& cache,
                                                     std::size_t max_rows, const model::LoadProgress& progress = {}) {
        const auto& s = model.shape;
        SLUICE_TRY(check_kernels(model.weights, s, max_rows));
        const model::LayerForms forms = model::layer_forms<Q>(model.weights);
        Arena count(nullptr);
        Workspace::take(count, s, forms, max_rows, cache.capacity);
        const UploadNeed upload_needs = upload_need<Q>(model.weights);
        const std::size_t need = upload_needs.kept + upload_needs.staging + Cache::bytes(cache) + count.used();
        if (const MemoryUse memory = device.memory(); need > memory.free) {
            return Status(Errc::out_of_capacity, "cuda: memory",
                          "the model, a context of " + std::to_string(cache.capacity) + " positions and batches of " +
                              std::to_string(max_rows) + " rows need " + std::to_string(need) + " bytes, but " +
                              std::to_string(memory.free) + " of the device's " + std::to_string(memory.total) +
                              " are free",
                          "load with a smaller context or batch, or a smaller model");
        }
        SLUICE_ASSIGN(auto kv, Cache::create(cache));
        SLUICE_ASSIGN(auto memory, (DeviceArray<D, std::byte>::allocate(count.used())));
        SLUICE_ASSIGN(auto weights, upload<Q>(device, model.weights, progress));
        const model::Hyperparameters& h = model.hyperparameters;
        const model::RopeFrequencies rope(s.head_dim, h.rope_theta, h.rope_scaling);
        SLUICE_ASSIGN(auto radians, copy_to(device, rope.radians()));
        SLUICE_TRY(device.finish());
        Arena arena(memory.data());
        Forward forward(s, h.rms_eps, max_rows, cache.capacity,
                        Workspace::take(arena, s, forms, max_rows, cache.capacity));
        forward.weights_ = std::move(weights);
        forward.memory_ = std::move(memory);
        forward.radians_ = std::move(radians);
        SLUICE_ASSIGN(auto mailbox, (Mailbox<D, Outcome>::create()));
        const Workspace& w = forward.w_;
        forward.sampler_ = std::make_shared<SamplerState<D>>(
            SamplerState<D>{w.logits, w.sampler, w.outcome, std::move(mailbox), w.rows, {}, {}, {}});
        forward.magnitude_ = rope.magnitude();
        return model::Ready<P, Forward>{std::move(kv), std::move(forward)};
    }

    std::size_t max_rows() const { return max_rows_; }
    std::size_t vocab() const { return shape_.vocab; }

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
        SLUICE_TRY(check(cache, rows, logits.size()));
        SLUICE_TRY(compute(device, cache, rows, cancel));
        device.to_host(logits.data(), w_.logits, wanted_.size() * vocab() * sizeof(float));
        SLUICE_TRY(device.finish());
        advance(cache, rows);
        return {};
    }

    //! The same, but the logits stay on the device, for a sampler there. The row to which that has let the device go on
    //! is not computed again; any other is, and what the device did in vain is overwritten.
    Status operator()(D& device, Cache& cache, std::span<const Row> rows, DeviceLogits<D>& /*of make_logits()*/,
                      const std::atomic<bool>* cancel = nullptr) {
        SLUICE_TRY(check(cache, rows, max_rows_ * vocab()));
        const bool is_ahead = sampler_->ahead && rows.size() == 1 && rows[0] == *sampler_->ahead;
        if (!is_ahead || !(recorded_for_ == cache.view()) || is_set(cancel)) {
            SLUICE_TRY(compute(device, cache, rows, cancel));
            SLUICE_TRY(device.finish());
        }
        advance(cache, rows);
        foresee(device, cache, rows);
        return {};
    }

private:
    static bool is_set(const std::atomic<bool>* cancel) {
        return cancel != nullptr && cancel->load(std::memory_order_relaxed);
    }

    //! Fills wanted_.
    Status check(const Cache& cache, std::span<const Row> rows, std::size_t room) {
        SLUICE_TRY(model::check_cache(cache.shape(), shape_));
        if (cache.shape().capacity > capacity_) {
            return Status(Errc::invalid_argument, "forward",
                          std::to_string(cache.shape().capacity) + " positions, but it was built for " +
                              std::to_string(capacity_),
                          "build it with a larger capacity");
        }
        return model::select_wanted(cache, rows, vocab(), max_rows(), room, wanted_);
    }

    //! Launches a forward pass.
    Status compute(D& device, const Cache& cache, std::span<const Row> rows, const std::atomic<bool>* cancel) {
        sampler_->ahead.reset();
        sampler_->next.reset();
        wanted_on_device_.assign(wanted_.begin(), wanted_.end());
        const auto count = static_cast<unsigned>(rows.size());
        device.to_device(w_.rows, rows.data(), rows.size_bytes());
        device.to_device(w_.wanted, wanted_on_device_.data(), wanted_on_device_.size() * sizeof(std::uint32_t));
        if (count == 1 && wanted_.size() == 1 && !is_set(cancel)) {
            record_step(device, cache);
            device.launch(sampler_->step);
            return {};
        }
        embed(device, count);
        for (std::size_t i = 0; i < weights_.views.layers.size(); ++i) {
            if (is_set(cancel)) {
                SLUICE_TRY(device.finish());
                return Status(Errc::cancelled, "forward", "was asked to stop");
            }
            layer(device, i, count, cache);
        }
        head(device, w_.wanted, wanted_.size());
        return {};
    }

    static void advance(Cache& cache, std::span<const Row> rows) {
        for (const Row& row : rows) {
            cache.advance(static_cast<std::size_t>(row.sequence), static_cast<std::size_t>(row.position) + 1);
        }
    }

    //! Tells the sampler which row comes behind the last logits, if there is one, and has the step ready that computes
    //! it.
    void foresee(D& device, const Cache& cache, std::span<const Row> rows) {
        sampler_->ahead.reset();
        sampler_->next.reset();
        if (wanted_.size() != 1) return;
        const Row& last = rows[wanted_.front()];
        const auto position = static_cast<std::size_t>(last.position) + 1;
        if (position != cache.length(static_cast<std::size_t>(last.sequence)) || position == cache.shape().capacity)
            return;
        record_step(device, cache);
        sampler_->next = Row{0, last.sequence, last.position + 1, true};
    }

    Forward(const Shape& shape, float rms_eps, std::size_t max_rows, std::size_t capacity, const Workspace& workspace)
        : shape_(shape), rms_eps_(rms_eps), max_rows_(max_rows), capacity_(capacity), w_(workspace) {
        wanted_.reserve(max_rows);
        wanted_on_device_.reserve(max_rows);
    }

    //! What the kernels of this backend cannot do.
    static Status check_kernels(const model::Weights& weights, const Shape& s, std::size_t max_rows) {
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
        for (const model::LayerWeights& l : weights.layers) {
            if (l.experts.gate.format == l.experts.up.format) continue;
            return Status(Errc::unsupported, "cuda: ffn_gate_exps and ffn_up_exps",
                          "are " + std::string(quant::format_name(l.experts.gate.format)) + " and " +
                              std::string(quant::format_name(l.experts.up.format)) + ", but one kernel multiplies both",
                          "quantize both to one format, or run the model on the CPU");
        }
        return {};
    }

    template <class Kernel>
    static void launch(D& device, const Kernel& kernel) {
        device.launch(kernel, kernel.grid());
    }

    //! One row that wants logits is recorded once for a cache, then launched as a whole. What differs from token to
    //! token, the row, is in device memory.
    void record_step(D& device, const Cache& cache) {
        if (recorded_for_ == cache.view()) return;
        device.record(sampler_->step, [&] {
            embed(device, 1);
            for (std::size_t i = 0; i < weights_.views.layers.size(); ++i) layer(device, i, 1, cache);
            head(device, nullptr, 1);
        });
        recorded_for_ = cache.view();
    }

    //! residual = the rows' embeddings; and the rotations of their positions.
    void embed(D& device, unsigned count) {
        const Matrix& e = weights_.views.embedding;
        Q::visit(e.format, [&]<class F>() { launch(device, Embed<F>{e, w_.rows, count, w_.residual}); });
        launch(device, Rotations{radians_.data(), magnitude_, radians_.size(), w_.rows, count, w_.cosines, w_.sines});
    }

    //! As model::layer: residual += o(attention(q, k, v)); residual += experts(residual).
    void layer(D& device, std::size_t index, unsigned count, const Cache& cache) {
        const model::LayerWeights& l = weights_.views.layers[index];
        const auto view = cache.view();
        const auto normalize = [&](std::span<const float> weight) {
            launch(device, NormalizeRows{w_.residual, nullptr, weight.data(), rms_eps_, w_.normed, count});
        };

        normalize(l.attention_norm);
        linear<Q>(device, l.q, w_.normed, count, w_.q);
        linear<Q>(device, l.k, w_.normed, count, w_.k);
        linear<Q>(device, l.v, w_.normed, count, w_.v);
        launch(device, RotateHeads<Element>{w_.q, w_.k, w_.v, l.q_norm.data(), l.k_norm.data(), w_.cosines, w_.sines,
                                            rms_eps_, shape_.heads, index, w_.rows, count, view});
        const float scale = 1.0F / std::sqrt(static_cast<float>(shape_.head_dim));
        launch(device, AttendSpans<Element>{w_.q, view, index, scale, w_.rows, count, w_.spans});
        launch(device, FoldSpans{w_.spans, w_.rows, count, w_.mixed.floats});
        launch(device, QuantizeRows{w_.mixed, count});
        linear<Q>(device, l.o, w_.mixed, count, w_.residual, true);

        normalize(l.ff_norm);
        linear<Q>(device, l.router, w_.normed, count, w_.router_logits);
        launch(device, RouteRows{w_.router_logits, shape_.experts, shape_.experts_used, count, w_.choices});
        apply_experts<Q>(device, l.experts, w_.normed, w_.choices, shape_.experts_used, count, w_.experts, w_.residual);
    }

    //! logits = output(norm(residual)) of `wanted` rows; nullptr: of the first ones.
    void head(D& device, const std::uint32_t* wanted, std::size_t wanted_count) {
        const auto count = static_cast<unsigned>(wanted_count);
        if (count == 0) return;
        launch(device,
               NormalizeRows{w_.residual, wanted, weights_.views.output_norm.data(), rms_eps_, w_.normed, count});
        linear<Q>(device, weights_.views.output, w_.normed, count, w_.logits);
    }

    Shape shape_;
    float rms_eps_;
    std::size_t max_rows_, capacity_;
    Workspace w_;  // in memory_
    DeviceWeights<D> weights_;
    DeviceArray<D, std::byte> memory_;
    DeviceArray<D, double> radians_;
    double magnitude_ = 1.0;
    std::shared_ptr<SamplerState<D>> sampler_;  // with the graph of record_step()
    CacheView<Element> recorded_for_;
    std::vector<std::size_t> wanted_;              // the rows that want logits, in order
    std::vector<std::uint32_t> wanted_on_device_;  // the same, as they are copied
};

}  // namespace sluice::cuda
