// SPDX-License-Identifier: Apache-2.0
//! What a forward pass on a device launches, with the weights and the memory that it works in.
#pragma once

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
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

inline bool is_set(const std::atomic<bool>* flag) { return flag != nullptr && flag->load(std::memory_order_relaxed); }

//! The layers, in parts: at the end of each part but the last one a layer's experts are left to somebody else, a "hop".
//! The layers with hops are the last ones; without any there is one part. P is a policy bundle.
template <class P>
class Pass {
    using D = typename P::Executor;
    using Q = typename P::Quantization;
    using Cache = typename P::KvCache;
    using Unit = typename Cache::Unit;
    using Shape = typename P::Shape;

public:
    //! What of a batch is not in device memory.
    struct Batch {
        unsigned rows;
        unsigned tiles;               //!< cut for attention; 0: each row has attention of its own
        const std::uint32_t* wanted;  //!< on the device: those that want logits; nullptr: the first ones
        unsigned wanted_count;
    };
    static constexpr Batch one_row = {1, 0, nullptr, 1};

    //! Bytes of device memory that create() will take.
    static std::size_t need(const model::ModelOf<P>& model, std::size_t capacity, std::size_t max_rows,
                            std::size_t hops) {
        const UploadNeed weights = upload_need<Q>(model.weights, model.shape.layers - hops);
        return weights.kept + weights.staging + workspace_bytes(model, capacity, max_rows);
    }

    //! Copies the weights to the device, and makes room for batches of max_rows over caches of `capacity` positions.
    static Expected<Pass> create(D& device, const model::ModelOf<P>& model, std::size_t capacity, std::size_t max_rows,
                                 std::size_t hops, const model::LoadProgress& progress) {
        const model::Hyperparameters& h = model.hyperparameters;
        const model::RopeFrequencies rope(model.shape.head_dim, h.rope_theta, h.rope_scaling);
        Pass pass(model.shape, h.rms_eps, rope.magnitude(), hops, max_rows);
        SLUICE_ASSIGN(pass.memory_, (DeviceArray<D, std::byte>::allocate(workspace_bytes(model, capacity, max_rows))));
        Arena arena(pass.memory_.data());
        pass.w_ = Workspace::take(arena, model.shape, model::layer_forms<Q>(model.weights), max_rows, capacity);
        SLUICE_ASSIGN(pass.weights_, upload<Q>(device, model.weights, model.shape.layers - hops, progress));
        SLUICE_ASSIGN(pass.radians_, copy_to(device, rope.radians()));
        SLUICE_TRY(device.finish());
        return pass;
    }

    const Shape& shape() const { return shape_; }
    const Workspace& workspace() const { return w_; }
    std::size_t parts() const { return hops_ + 1; }

    //! Copies a batch to the device; `wanted`: the rows that want logits. Until the device has finished, the rows must
    //! live and this must not be called again.
    Batch send(D& device, std::span<const Row> rows, std::span<const std::size_t> wanted) {
        wanted_.assign(wanted.begin(), wanted.end());
        tiles_.clear();
        if (rows.size() > 1 && shape_.head_dim <= AttendTile<Unit>::most_head_dim)
            cut_tiles(rows, AttendTile<Unit>::tile_rows(shape_.heads / shape_.kv_heads), tiles_);
        device.to_device(w_.rows, rows.data(), rows.size_bytes());
        device.to_device(w_.wanted, wanted_.data(), wanted_.size() * sizeof(std::uint32_t));
        device.to_device(w_.tiles, tiles_.data(), tiles_.size() * sizeof(RowTile));
        return {static_cast<unsigned>(rows.size()), static_cast<unsigned>(tiles_.size()), w_.wanted,
                static_cast<unsigned>(wanted_.size())};
    }

    //! The first part begins with the embeddings, the last one ends with the logits. False, and nothing more is
    //! launched, once `cancel` is set.
    bool launch_part(D& device, std::size_t part, const Batch& batch, const Cache& cache,
                     const std::atomic<bool>* cancel) const {
        const std::size_t first_hop = shape_.layers - hops_;
        if (part == 0) {
            embed(device, batch.rows);
            for (std::size_t i = 0; i < first_hop; ++i) {
                if (is_set(cancel)) return false;
                attend_and_route(device, i, batch, cache);
                apply_experts<Q>(device, weights_.views.layers[i].experts, w_.normed, w_.choices, shape_.experts_used,
                                 batch.rows, w_.experts, w_.residual);
            }
        } else {
            launch(device, AddTo{w_.residual, w_.experts.results, batch.rows * shape_.hidden});
        }
        if (is_set(cancel)) return false;
        if (part < hops_) {
            attend_and_route(device, first_hop + part, batch, cache);
        } else {
            head(device, batch);
        }
        return true;
    }

    //! The hop behind a part: experts(weights, x, choices, rows, output), as Forward::run.
    template <class OnCpu>
    Status hop(std::size_t part, const Batch& batch, OnCpu experts) const {
        return experts(weights_.views.layers[shape_.layers - hops_ + part].experts, w_.normed.floats, w_.choices,
                       batch.rows, w_.experts.results);
    }

private:
    Pass(const Shape& shape, float rms_eps, double magnitude, std::size_t hops, std::size_t max_rows)
        : shape_(shape), rms_eps_(rms_eps), magnitude_(magnitude), hops_(hops) {
        wanted_.reserve(max_rows);
        tiles_.reserve(max_rows);
    }

    static std::size_t workspace_bytes(const model::ModelOf<P>& model, std::size_t capacity, std::size_t max_rows) {
        Arena count(nullptr);
        Workspace::take(count, model.shape, model::layer_forms<Q>(model.weights), max_rows, capacity);
        return count.used();
    }

    template <class Kernel>
    static void launch(D& device, const Kernel& kernel) {
        device.launch(kernel, kernel.grid());
    }

    //! residual = the rows' embeddings; and the rotations of their positions.
    void embed(D& device, unsigned count) const {
        const Matrix& e = weights_.views.embedding;
        Q::visit(e.format, [&]<class F>() { launch(device, Embed<F>{e, w_.rows, count, w_.residual}); });
        launch(device, Rotations{radians_.data(), magnitude_, radians_.size(), w_.rows, count, w_.cosines, w_.sines});
    }

    //! A layer as model::layer has it, up to its experts: residual += o(attention(q, k, v)); choices = route(residual).
    void attend_and_route(D& device, std::size_t index, const Batch& batch, const Cache& cache) const {
        const model::LayerWeights& l = weights_.views.layers[index];
        const auto view = cache.view();
        const unsigned count = batch.rows;
        const auto normalize = [&](std::span<const float> weight) {
            launch(device, NormalizeRows{w_.residual, nullptr, weight.data(), rms_eps_, w_.normed, count});
        };

        normalize(l.attention_norm);
        linear<Q>(device, {{{l.q, w_.q}, {l.k, w_.k}, {l.v, w_.v}}}, w_.normed, count);
        launch(device, RotateHeads<Unit>{w_.q, w_.k, w_.v, l.q_norm.data(), l.k_norm.data(), w_.cosines, w_.sines,
                                         rms_eps_, shape_.heads, index, w_.rows, count, view});
        const float scale = 1.0F / std::sqrt(static_cast<float>(shape_.head_dim));
        if (batch.tiles > 0) {
            launch(device, AttendTile<Unit>{w_.q, view, index, scale, w_.rows, w_.tiles, batch.tiles, w_.spans});
        } else {
            launch(device, AttendSpans<Unit>{w_.q, view, index, scale, w_.rows, count, w_.spans});
        }
        launch(device, FoldSpans{w_.spans, w_.rows, count, w_.mixed});
        linear<Q>(device, {{{l.o, w_.residual}}}, w_.mixed, count, true);

        normalize(l.ff_norm);
        linear<Q>(device, {{{l.router, w_.router_logits}}}, w_.normed, count);
        launch(device, RouteRows{w_.router_logits, shape_.experts, shape_.experts_used, count, w_.choices});
    }

    //! logits = output(norm(residual)) of the rows that want them.
    void head(D& device, const Batch& batch) const {
        if (batch.wanted_count == 0) return;
        launch(device, NormalizeRows{w_.residual, batch.wanted, weights_.views.output_norm.data(), rms_eps_, w_.normed,
                                     batch.wanted_count});
        linear<Q>(device, {{{weights_.views.output, w_.logits}}}, w_.normed, batch.wanted_count);
    }

    Shape shape_;
    float rms_eps_;
    double magnitude_;  // of RoPE
    std::size_t hops_;
    Workspace w_ = {};  // in memory_
    DeviceArray<D, std::byte> memory_;
    DeviceWeights<D> weights_;
    DeviceArray<D, double> radians_;
    std::vector<std::uint32_t> wanted_;  // as they are copied
    std::vector<RowTile> tiles_;         // likewise
};

}  // namespace sluice::cuda
