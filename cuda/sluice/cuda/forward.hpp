// SPDX-License-Identifier: Apache-2.0
//! The forward pass on a device: what model::Forward computes, to the bit. The batch lies in device memory, and nothing
//! is asked of the host between its copy to the device and that of the logits back.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cuda/attention.hpp"
#include "sluice/cuda/attention_tile.hpp"
#include "sluice/cuda/embed.hpp"
#include "sluice/cuda/experts.hpp"
#include "sluice/cuda/linear.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/cuda/rope.hpp"
#include "sluice/cuda/router.hpp"
#include "sluice/cuda/weights.hpp"
#include "sluice/cuda/workspace.hpp"
#include "sluice/model/batch.hpp"
#include "sluice/model/model.hpp"
#include "sluice/model/rope.hpp"

namespace sluice::cuda {

//! P is a policy bundle (cuda/policies.hpp) whose Executor is the device.
template <class P>
class Forward {
    using D = typename P::Executor;
    using Q = typename P::Quantization;
    using Cache = typename P::KvCache;
    using Unit = typename Cache::Unit;
    using Shape = typename P::Shape;

public:
    static constexpr bool reads_interleaved = false;  //!< weights come as the file has them

    //! Copies the weights to the device and makes room for a cache and for batches of max_rows, if the device has the
    //! memory for all of that. The experts of the last `hops` layers are left out: see run().
    static Expected<model::Ready<P, Forward>> create(D& device, const model::Model<P>& model, const KvCacheShape& cache,
                                                     std::size_t max_rows, std::size_t hops = 0) {
        const auto& s = model.shape;
        const std::size_t expert_layers = s.layers - hops;
        SLUICE_TRY(model::check_head_dim<Cache>(cache.head_dim));
        SLUICE_TRY(check_kernels(std::span(model.weights.layers).first(expert_layers), s, max_rows));
        const model::LayerForms forms = model::layer_forms<Q>(model.weights);
        Arena count(nullptr);
        Workspace::take(count, s, forms, max_rows, cache.capacity);
        const UploadNeed upload_needs = upload_need<Q>(model.weights, expert_layers);
        const std::size_t need = upload_needs.kept + upload_needs.staging + Cache::bytes(cache) + count.used();
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
        SLUICE_ASSIGN(auto memory, (DeviceArray<D, std::byte>::allocate(count.used())));
        SLUICE_ASSIGN(auto weights, upload<Q>(device, model.weights, expert_layers));
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
        forward.magnitude_ = rope.magnitude();
        forward.parts_.resize(hops + 1);
        return model::Ready<P, Forward>{std::move(kv), std::move(forward)};
    }

    std::size_t max_rows() const { return max_rows_; }
    std::size_t vocab() const { return shape_.vocab; }

    //! As model::Forward; `cancel` is polled as the layers of a batch are launched.
    Status operator()(D& device, Cache& cache, std::span<const Row> rows, std::span<float> logits,
                      const std::atomic<bool>* cancel = nullptr) {
        return run(device, cache, rows, logits, cancel, [](auto&&...) {
            return Status(Errc::unsupported, "forward", "has layers without experts", "call run()");
        });
    }

    //! The same, where `hops` is not 0: experts(weights, x, choices, rows, output) is called for each of the last
    //! layers, in order. It fills output [rows, hidden] with the weighted sums of the chosen experts' results for x
    //! [rows, hidden]; choices [rows, used]. All three are on the device, and the device may be still at work on them;
    //! the weights are where the model was read.
    template <class OnCpu>
    Status run(D& device, Cache& cache, std::span<const Row> rows, std::span<float> logits,
               const std::atomic<bool>* cancel, OnCpu experts) {
        SLUICE_TRY(model::check_cache(cache.shape(), shape_));
        if (cache.shape().capacity > capacity_) {
            return Status(Errc::invalid_argument, "forward",
                          std::to_string(cache.shape().capacity) + " positions, but it was built for " +
                              std::to_string(capacity_),
                          "build it with a larger capacity");
        }
        SLUICE_TRY(model::select_wanted(cache, rows, vocab(), max_rows(), logits.size(), wanted_));
        wanted_on_device_.assign(wanted_.begin(), wanted_.end());

        const auto count = static_cast<unsigned>(rows.size());
        device.to_device(w_.rows, rows.data(), rows.size_bytes());
        device.to_device(w_.wanted, wanted_on_device_.data(), wanted_on_device_.size() * sizeof(std::uint32_t));
        cut_tiles(rows, AttendTile<Unit>::tile_rows(shape_.heads / shape_.kv_heads), tiles_);
        device.to_device(w_.tiles, tiles_.data(), tiles_.size() * sizeof(RowTile));
        const bool recorded = count == 1 && wanted_.size() == 1 && !is_set(cancel);
        if (recorded) record(device, cache);
        for (std::size_t part = 0; part < parts_.size(); ++part) {
            if (part > 0) {
                const ExpertWeights& weights = weights_.views.layers[first_hop() + part - 1].experts;
                SLUICE_TRY(experts(weights, w_.normed.floats, w_.choices, count, w_.experts.results));
            }
            if (recorded && !is_set(cancel)) {
                device.launch(parts_[part]);
            } else if (!launch_part(device, part, count, cache, cancel)) {
                SLUICE_TRY(device.finish());
                return Status(Errc::cancelled, "forward", "was asked to stop");
            }
        }
        device.to_host(logits.data(), w_.logits, wanted_.size() * vocab() * sizeof(float));
        SLUICE_TRY(device.finish());
        for (const Row& row : rows) {
            cache.advance(static_cast<std::size_t>(row.sequence), static_cast<std::size_t>(row.position) + 1);
        }
        return {};
    }

private:
    Forward(const Shape& shape, float rms_eps, std::size_t max_rows, std::size_t capacity, const Workspace& workspace)
        : shape_(shape), rms_eps_(rms_eps), max_rows_(max_rows), capacity_(capacity), w_(workspace) {
        wanted_.reserve(max_rows);
        wanted_on_device_.reserve(max_rows);
        tiles_.reserve(max_rows);
    }

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

    template <class Kernel>
    static void launch(D& device, const Kernel& kernel) {
        device.launch(kernel, kernel.grid());
    }

    //! One row that wants logits: recorded once for a cache, then launched as a whole, or in parts
    //! between hops. What differs from token to token, the row, is in device memory.
    void record(D& device, const Cache& cache) {
        if (recorded_for_ == cache.view()) return;
        for (std::size_t part = 0; part < parts_.size(); ++part) {
            device.record(parts_[part], [&] { launch_part(device, part, 1, cache, nullptr); });
        }
        recorded_for_ = cache.view();
    }

    static bool is_set(const std::atomic<bool>* flag) {
        return flag != nullptr && flag->load(std::memory_order_relaxed);
    }

    //! What lies between two hops: the first part begins with the embeddings, the last one ends with the logits.
    //! False, and nothing more is launched, once `cancel` is set.
    bool launch_part(D& device, std::size_t part, unsigned count, const Cache& cache, const std::atomic<bool>* cancel) {
        if (part == 0) {
            embed(device, count);
            for (std::size_t i = 0; i < first_hop(); ++i) {
                if (is_set(cancel)) return false;
                attend_and_route(device, i, count, cache);
                apply_experts<Q>(device, weights_.views.layers[i].experts, w_.normed, w_.choices, shape_.experts_used,
                                 count, w_.experts, w_.residual);
            }
        } else {
            launch(device, AddTo{w_.residual, w_.experts.results, count * shape_.hidden});
        }
        if (is_set(cancel)) return false;
        if (part + 1 < parts_.size()) {
            attend_and_route(device, first_hop() + part, count, cache);
        } else {
            head(device);
        }
        return true;
    }

    //! The first layer whose experts are left out.
    std::size_t first_hop() const { return weights_.views.layers.size() + 1 - parts_.size(); }

    //! residual = the rows' embeddings; and the rotations of their positions.
    void embed(D& device, unsigned count) {
        const Matrix& e = weights_.views.embedding;
        Q::visit(e.format, [&]<class F>() { launch(device, Embed<F>{e, w_.rows, count, w_.residual}); });
        launch(device, Rotations{radians_.data(), magnitude_, radians_.size(), w_.rows, count, w_.cosines, w_.sines});
    }

    //! A layer as model::layer has it, up to its experts: residual += o(attention(q, k, v)); choices = route(residual).
    void attend_and_route(D& device, std::size_t index, unsigned count, const Cache& cache) {
        const model::LayerWeights& l = weights_.views.layers[index];
        const auto view = cache.view();
        const auto normalize = [&](std::span<const float> weight) {
            launch(device, NormalizeRows{w_.residual, nullptr, weight.data(), rms_eps_, w_.normed, count});
        };

        normalize(l.attention_norm);
        linear<Q>(device, l.q, w_.normed, count, w_.q);
        linear<Q>(device, l.k, w_.normed, count, w_.k);
        linear<Q>(device, l.v, w_.normed, count, w_.v);
        launch(device, RotateHeads<Unit>{w_.q, w_.k, w_.v, l.q_norm.data(), l.k_norm.data(), w_.cosines, w_.sines,
                                         rms_eps_, shape_.heads, index, w_.rows, count, view});
        const float scale = 1.0F / std::sqrt(static_cast<float>(shape_.head_dim));
        if (count > 1 && shape_.head_dim <= AttendTile<Unit>::most_head_dim) {
            launch(device, AttendTile<Unit>{w_.q, view, index, scale, w_.rows, w_.tiles,
                                            static_cast<unsigned>(tiles_.size()), w_.spans});
        } else {
            launch(device, AttendSpans<Unit>{w_.q, view, index, scale, w_.rows, count, w_.spans});
        }
        launch(device, FoldSpans{w_.spans, w_.rows, count, w_.mixed.floats});
        launch(device, QuantizeRows{w_.mixed, count});
        linear<Q>(device, l.o, w_.mixed, count, w_.residual, true);

        normalize(l.ff_norm);
        linear<Q>(device, l.router, w_.normed, count, w_.router_logits);
        launch(device, RouteRows{w_.router_logits, shape_.experts, shape_.experts_used, count, w_.choices});
    }

    //! logits = output(norm(residual)) of the rows that want them.
    void head(D& device) {
        const auto count = static_cast<unsigned>(wanted_.size());
        if (count == 0) return;
        launch(device,
               NormalizeRows{w_.residual, w_.wanted, weights_.views.output_norm.data(), rms_eps_, w_.normed, count});
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
    std::vector<typename D::Graph> parts_;  // [hops + 1]: of record()
    CacheView<Unit> recorded_for_;
    std::vector<std::size_t> wanted_;              // the rows that want logits, in order
    std::vector<std::uint32_t> wanted_on_device_;  // the same, as they are copied
    std::vector<RowTile> tiles_;                   // the batch, cut for attention
};

}  // namespace sluice::cuda
