// SPDX-License-Identifier: Apache-2.0
//! A model's weights on the device: copied once, from where the file is mapped, into the planar layout.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/matrix.hpp"
#include "sluice/core/status.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/cuda/planes.hpp"
#include "sluice/cuda/tuning.hpp"
#include "sluice/model/batch.hpp"
#include "sluice/model/qwen3_moe.hpp"

namespace sluice::cuda {

//! Views into device memory, and what they look at. Matrix::row_bytes is device_row_bytes. The experts of layers that
//! were left out are views into the file.
template <Device D>
struct DeviceWeights {
    model::Weights views;
    std::vector<DeviceArray<D, std::byte>> arrays;
};

namespace detail {

//! matrix(m) and norm(span) for each weight of a model, the experts of its first `expert_layers` layers, the output
//! where it is not the embedding.
template <class Weights, class OnMatrix, class OnNorm>
Status each_weight(Weights& w, std::size_t expert_layers, OnMatrix matrix, OnNorm norm) {
    const bool tied = w.output.data == w.embedding.data;
    SLUICE_TRY(matrix(w.embedding));
    for (std::size_t i = 0; i < w.layers.size(); ++i) {
        auto& l = w.layers[i];
        for (auto* n : {&l.attention_norm, &l.q_norm, &l.k_norm, &l.ff_norm}) SLUICE_TRY(norm(*n));
        for (auto* m : {&l.q, &l.k, &l.v, &l.o, &l.router}) SLUICE_TRY(matrix(*m));
        if (i >= expert_layers) continue;
        for (auto* m : {&l.experts.gate, &l.experts.up, &l.experts.down}) SLUICE_TRY(matrix(*m));
    }
    SLUICE_TRY(norm(w.output_norm));
    return tied ? Status() : matrix(w.output);
}

template <Quantization Q>
std::size_t row_bytes_on_device(const Matrix& m) {
    return Q::visit(m.format, [&]<class F>() { return device_row_bytes<F>(m.cols); });
}

//! Rows [first, first + count) of `from`, copied to `staging` and from there, in the device's layout, to `to`.
template <BlockFormat F, Device D>
void upload_rows(D& device, const Matrix& from, std::size_t first, std::size_t count, std::byte* staging,
                 std::byte* to) {
    device.to_device(staging, from.data + first * from.row_bytes, count * from.row_bytes);
    const Repack<F> kernel{staging, to + first * device_row_bytes<F>(from.cols), count, from.cols / F::block_size};
    device.launch(kernel, kernel.grid());
}

}  // namespace detail

//! Bytes of device memory that the weights take.
struct UploadNeed {
    std::size_t kept = 0;     //!< by the copy
    std::size_t staging = 0;  //!< while it is made
};

//! What upload() will take.
template <Quantization Q>
UploadNeed upload_need(const model::Weights& weights, std::size_t expert_layers) {
    UploadNeed need;
    const auto keep = [&](std::size_t bytes) { need.kept += div_up(bytes, memory_alignment) * memory_alignment; };
    const auto matrix = [&](const Matrix& m) {
        keep(m.rows * detail::row_bytes_on_device<Q>(m));
        const std::size_t rows = std::max<std::size_t>(1, std::min(m.rows, tuning::upload_bytes / m.row_bytes));
        need.staging = std::max(need.staging, rows * m.row_bytes);
        return Status();
    };
    (void)detail::each_weight(weights, expert_layers, matrix, [&](std::span<const float> norm) {
        keep(norm.size_bytes());
        return Status();
    });
    return need;
}

//! Copies the weights, which must be as in the file, not interleaved; experts of the first `expert_layers` layers only.
//! `progress` hears of the matrices' bytes.
template <Quantization Q, Device D>
Expected<DeviceWeights<D>> upload(D& device, const model::Weights& weights, std::size_t expert_layers,
                                  const model::LoadProgress& progress) {
    DeviceWeights<D> copy;
    copy.views.embedding = weights.embedding;
    copy.views.layers = weights.layers;
    copy.views.output_norm = weights.output_norm;
    copy.views.output = weights.output;
    SLUICE_ASSIGN(const auto staging,
                  (DeviceArray<D, std::byte>::allocate(upload_need<Q>(weights, expert_layers).staging)));
    const auto allocate = [&](std::size_t bytes) -> Expected<std::byte*> {
        SLUICE_ASSIGN(auto array, (DeviceArray<D, std::byte>::allocate(bytes)));
        copy.arrays.push_back(std::move(array));
        return copy.arrays.back().data();
    };
    std::size_t done = 0, all = 0;
    const auto add = [&](const Matrix& m) {
        all += m.rows * m.row_bytes;
        return Status();
    };
    SLUICE_TRY(detail::each_weight(weights, expert_layers, add, [](std::span<const float>) { return Status(); }));
    const auto matrix = [&](Matrix& m) -> Status {
        const Matrix from = m;
        m.row_bytes = detail::row_bytes_on_device<Q>(from);
        SLUICE_ASSIGN(std::byte* const to, allocate(m.rows * m.row_bytes));
        m.data = to;
        const std::size_t most = staging.size() / from.row_bytes;
        for (std::size_t first = 0; first < from.rows; first += most) {
            const std::size_t count = std::min(most, from.rows - first);
            Q::visit(m.format,
                     [&]<class F>() { detail::upload_rows<F>(device, from, first, count, staging.data(), to); });
            done += count * from.row_bytes;
            if (progress) progress(done, all);
        }
        return {};
    };
    const auto norm = [&](std::span<const float>& n) -> Status {
        SLUICE_ASSIGN(std::byte* const to, allocate(n.size_bytes()));
        device.to_device(to, n.data(), n.size_bytes());
        n = {reinterpret_cast<const float*>(to), n.size()};
        return {};
    };
    SLUICE_TRY(detail::each_weight(copy.views, expert_layers, matrix, norm));
    if (weights.output.data == weights.embedding.data) copy.views.output = copy.views.embedding;
    SLUICE_TRY(device.finish());
    return copy;
}

}  // namespace sluice::cuda
