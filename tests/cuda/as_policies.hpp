// SPDX-License-Identifier: Apache-2.0
//! The kernels of a device as what law suites are run on: models of the slots' concepts, and what else the suites ask
//! for. Rank 0 of a team computes alone, on one device for all.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "cuda/cache_kernels.hpp"
#include "cuda/on_device.hpp"
#include "cuda/repacked.hpp"
#include "sluice/concepts/attention.hpp"
#include "sluice/concepts/experts.hpp"
#include "sluice/concepts/kv_cache.hpp"
#include "sluice/concepts/quantization.hpp"
#include "sluice/concepts/router.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/cpu/activations.hpp"
#include "sluice/cpu/matmul.hpp"
#include "sluice/cpu/rope.hpp"
#include "sluice/cuda/activations.hpp"
#include "sluice/cuda/attention.hpp"
#include "sluice/cuda/attention_tile.hpp"
#include "sluice/cuda/embed.hpp"
#include "sluice/cuda/experts.hpp"
#include "sluice/cuda/kv_cache.hpp"
#include "sluice/cuda/linear.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/cuda/mma_linear.hpp"
#include "sluice/cuda/router.hpp"
#include "sluice/model/rope.hpp"
#include "sluice/quant/activation.hpp"
#include "sluice/quant/sets.hpp"

namespace sluice::test {

template <cuda::Device D>
struct DeviceRouter {
    void route(std::span<float> logits, std::span<ExpertChoice> chosen) const {
        D& device = shared_device<D>();
        const OnDevice<D, float> x(device, logits);
        const OnDevice<D, ExpertChoice> choices(device, chosen.size());
        launch(device, cuda::RouteRows{x.data(), logits.size(), chosen.size(), 1, choices.data()});
        std::ranges::copy(choices.read(), chosen.begin());
    }
};

//! Rows are written by the device, and read from a copy that the host has.
template <cuda::Device D, class Unit>
class DeviceKvCache {
    using Cache = cuda::ContiguousKvCache<D, Unit>;

public:
    static constexpr std::size_t block = Cache::block;

    struct Handle {
        cuda::StoredRows<Unit> rows;
        std::size_t first;

        template <class V>
        typename V::F32 load(std::size_t i) const {
            float numbers[16];
            rows.load(first + i, numbers);
            return V::load(numbers);
        }
    };

    explicit DeviceKvCache(const KvCacheShape& shape)
        : cache_(value_or_end(Cache::create(shape))),
          keys_(Cache::bytes(shape) / 2),
          values_(Cache::bytes(shape) / 2) {}

    const KvCacheShape& shape() const { return cache_.shape(); }
    std::size_t length(std::size_t sequence) const { return cache_.length(sequence); }
    void advance(std::size_t sequence, std::size_t length) { cache_.advance(sequence, length); }
    void truncate(std::size_t sequence, std::size_t length) { cache_.truncate(sequence, length); }

    void write(KvHead head, std::size_t position, const float* key, const float* value) {
        D& device = shared_device<D>();
        const OnDevice<D, float> k(device, std::span(key, shape().head_dim)),
            v(device, std::span(value, shape().head_dim));
        launch(device, StoreRow<Unit>{view(), head, position, k.data(), v.data()});
        end_if_bad(device.finish());
    }
    Handle key(KvHead head, std::size_t position) const { return handle(keys_, head, position); }
    Handle value(KvHead head, std::size_t position) const { return handle(values_, head, position); }

    //! For kernels, which may write.
    cuda::CacheView<Unit> view() const {
        is_copied_ = false;
        return cache_.view();
    }

private:
    Handle handle(Buffer<std::byte>& rows, KvHead head, std::size_t position) const {
        if (!is_copied_) copy();
        const KvCacheShape& s = shape();
        const std::size_t count = s.layers * s.sequences * s.kv_heads * s.capacity * s.head_dim;
        return {cuda::StoredRows<Unit>::in(rows.data(), count), cache_.view().offset(head, position)};
    }
    void copy() const {
        // The planes of a StoredRows lie one behind the other: the first begins where all of them do.
        const auto from = [](const auto& rows) {
            if constexpr (block == 1) return static_cast<const void*>(rows.elements);
            if constexpr (block > 1) return static_cast<const void*>(rows.levels);
        };
        D& device = shared_device<D>();
        device.to_host(keys_.data(), from(cache_.view().keys), keys_.size());
        device.to_host(values_.data(), from(cache_.view().values), values_.size());
        end_if_bad(device.finish());
        is_copied_ = true;
    }

    Cache cache_;
    mutable Buffer<std::byte> keys_, values_;  // what the host read last
    mutable bool is_copied_ = false;
};

//! By the kernel for one row, or by that for tiles of rows.
template <cuda::Device D, class Unit, bool in_tiles>
class DeviceAttention {
public:
    explicit DeviceAttention(const AttentionShape& shape) : shape_(shape) {}

    template <Team T>
    void attend(T& team, std::span<const Row> rows, std::size_t layer, const float* queries,
                const DeviceKvCache<D, Unit>& cache, float* output) {
        if (team.rank() == 0) compute(rows, layer, queries, cache.view(), output);
    }

    void compute(std::span<const Row> rows, std::size_t layer, const float* queries, const cuda::CacheView<Unit>& cache,
                 float* output) {
        const std::size_t width = rows.size() * shape_.heads * shape_.head_dim;
        const std::size_t spans = cuda::div_up(shape_.capacity, cuda::attention_span);
        const std::size_t states = rows.size() * shape_.heads * spans;
        D& device = shared_device<D>();
        const OnDevice<D, float> q(device, std::span(queries, width)), maximum(device, states), sum(device, states),
            values(device, states * shape_.head_dim), mixed(device, width);
        const OnDevice<D, Row> batch(device, rows);
        const cuda::SpanStates parts{maximum.data(), sum.data(), values.data(), shape_.heads, spans, shape_.head_dim};
        const auto count = static_cast<unsigned>(rows.size());
        const float scale = 1.0F / std::sqrt(static_cast<float>(shape_.head_dim));
        if constexpr (in_tiles) {
            std::vector<cuda::RowTile> cut;
            cuda::cut_tiles(rows, cuda::AttendTile<Unit>::tile_rows(shape_.heads / shape_.kv_heads), cut);
            const OnDevice<D, cuda::RowTile> tiles(device, cut);
            launch(device, cuda::AttendTile<Unit>{q.data(), cache, layer, scale, batch.data(), tiles.data(),
                                                  static_cast<unsigned>(cut.size()), parts});
        } else {
            launch(device, cuda::AttendSpans<Unit>{q.data(), cache, layer, scale, batch.data(), count, parts});
        }
        launch(device, cuda::FoldSpans{parts, batch.data(), count, {shape_.heads * shape_.head_dim, mixed.data()}});
        std::ranges::copy(mixed.read(), output);
    }

private:
    AttentionShape shape_;
};

//! With weights of floats.
template <cuda::Device D>
class DeviceExperts {
public:
    DeviceExperts(const ExpertsShape& shape, cpu::ActivationForms /*none: floats*/) : shape_(shape) {}

    template <class Q, Team T, class V>
    void apply(T& team, const ExpertWeights& weights, const cpu::Activations<V>& x,
               std::span<const ExpertChoice> choices, float* output) {
        if (team.rank() == 0) compute(weights, x.row(0), choices, output);
    }

    void compute(const ExpertWeights& weights, const float* x, std::span<const ExpertChoice> choices, float* output) {
        const std::size_t rows = choices.size() / shape_.used, entries = choices.size();
        D& device = shared_device<D>();
        const auto gate = upload(device, weights.gate), up = upload(device, weights.up),
                   down = upload(device, weights.down);
        const OnDevice<D, float> on_x(device, std::span(x, rows * shape_.hidden)), inner(device, entries * shape_.ff),
            results(device, entries * shape_.hidden), residual(device, std::vector<float>(rows * shape_.hidden));
        const OnDevice<D, ExpertChoice> on_choices(device, choices);
        const OnDevice<D, std::uint32_t> begin(device, shape_.experts + 1), sorted(device, entries),
            tile_count(device, 1);
        const OnDevice<D, cuda::ExpertTile> tiles(device, cuda::ExpertGroups::most_tiles(shape_.experts, entries));
        cuda::apply_experts<quant::OneOf<quant::F32>>(
            device, {gate.matrix(), up.matrix(), down.matrix()}, {shape_.hidden, on_x.data()}, on_choices.data(),
            shape_.used, static_cast<unsigned>(rows),
            {{shape_.ff, inner.data()}, {begin.data(), sorted.data(), tiles.data(), tile_count.data()}, results.data()},
            residual.data());
        std::ranges::copy(residual.read(), output);
    }

private:
    static Repacked<D, quant::F32> upload(D& device, const Matrix& m) {
        return {device, std::span(m.data, m.rows * m.row_bytes), m.rows, m.cols};
    }

    ExpertsShape shape_;
};

//! What multiplies batches: by what cuda::linear chooses, or always by tensor cores.
template <cuda::Device D, bool on_tensor_cores = false>
struct DeviceKernels {
    template <BlockFormat F>
    static void multiply(const Matrix& weights, std::size_t first_row, std::size_t last_row,
                         std::span<const cpu::Column<typename F::Activation>> columns) {
        if (first_row == last_row) return;  // no launch is that empty
        D& device = shared_device<D>();
        const std::size_t rows = last_row - first_row, k = weights.cols;
        const Repacked<D, F> matrix(
            device, std::span(weights.data + first_row * weights.row_bytes, rows * weights.row_bytes), rows, k);
        const Columns<F> x(device, columns, k);
        const OnDevice<D, float> y(device, columns.size() * rows);
        const cuda::Projections of{{{matrix.matrix(), y.data()}}};
        const auto count = static_cast<unsigned>(columns.size());
        if constexpr (on_tensor_cores) {
            launch(device, cuda::MmaLinear<F>{of, x.rows, count, false});
        } else {
            cuda::linear<quant::OneOf<F>>(device, of, x.rows, count);
        }
        const std::vector<float> products = y.read();
        for (std::size_t c = 0; c < columns.size(); ++c) {
            std::copy_n(&products[c * rows], rows, columns[c].y + first_row);
        }
    }

private:
    //! Columns of k elements as rows of a batch, in the form that F reads.
    template <BlockFormat F>
    struct Columns {
        using View = typename F::Activation;
        OnDevice<D, float> floats;
        OnDevice<D, std::byte> levels;
        cuda::ActivationRows rows;

        Columns(D& device, std::span<const cpu::Column<View>> columns, std::size_t k)
            : floats(device, floats_of(columns, k)), levels(device, levels_of(columns, k)), rows{k, floats.data()} {
            if constexpr (IntegerFormat<F>) (View::block_size == 32 ? rows.q8_32 : rows.q8_256) = levels.data();
        }

    private:
        static std::vector<float> floats_of(std::span<const cpu::Column<View>> columns, std::size_t k) {
            std::vector<float> floats;
            if constexpr (FloatFormat<F>) {
                for (const auto& column : columns) floats.insert(floats.end(), column.x.x, column.x.x + k);
            }
            return floats;
        }
        static std::vector<std::byte> levels_of(std::span<const cpu::Column<View>> columns, std::size_t k) {
            std::vector<std::byte> levels(columns.size() * View::row_bytes(k));
            if constexpr (IntegerFormat<F>) {
                for (std::size_t c = 0; c < columns.size(); ++c) {
                    const quant::Q8Row<View::block_size> row(&levels[c * View::row_bytes(k)], k);
                    std::copy_n(columns[c].x.q, k, row.q);
                    std::copy_n(columns[c].x.d, k / View::block_size, row.d);
                    std::copy_n(columns[c].x.sums, k / View::sum_size, row.sums);
                    row.pad(k);
                }
            }
            return levels;
        }
    };
};

//! A block as the embeddings decode it: [block_size].
template <cuda::Device D, BlockFormat F>
std::vector<float> decode_on_device(std::span<const std::byte> block) {
    D& device = shared_device<D>();
    const Repacked<D, F> matrix(device, block, 1, F::block_size);
    const OnDevice<D, Row> rows(device, std::vector{Row{0, 0, 0, false}});
    const OnDevice<D, float> out(device, F::block_size);
    launch(device, cuda::Embed<F>{matrix.matrix(), rows.data(), 1, out.data()});
    return out.read();
}

template <cuda::Device D>
struct DeviceQuantizer {
    template <std::size_t N>
    static quant::Q8View<N> quantize(std::span<const float> x, std::byte* storage) {
        D& device = shared_device<D>();
        const std::size_t bytes = quant::Q8View<N>::row_bytes(x.size());
        const OnDevice<D, float> from(device, x);
        const OnDevice<D, std::byte> to(device, std::span<const std::byte>(storage, bytes));
        cuda::ActivationRows rows{x.size(), from.data()};
        (N == 32 ? rows.q8_32 : rows.q8_256) = to.data();
        launch(device, cuda::QuantizeRows{rows, 1});
        std::ranges::copy(to.read(), storage);
        return quant::Q8View<N>::at(storage, x.size());
    }
};

template <cuda::Device D>
struct DeviceRmsNorm {
    static void normalize(const float* x, const float* weight, std::size_t n, float eps, float* y) {
        D& device = shared_device<D>();
        const OnDevice<D, float> on_x(device, std::span(x, n)), on_weight(device, std::span(weight, n)),
            on_y(device, n);
        launch(device, cuda::NormalizeRows{on_x.data(), nullptr, on_weight.data(), eps, {n, on_y.data()}, 1});
        std::ranges::copy(on_y.read(), y);
    }
};

//! By the device's cosines and sines. The CPU turns the head: the device's kernel normalizes it as well.
template <cuda::Device D>
class DeviceRope {
public:
    DeviceRope(std::size_t head_dim, double theta, const model::RopeScaling& scaling)
        : frequencies_(head_dim, theta, scaling) {}

    void turn(float* head, std::int32_t position) const {
        D& device = shared_device<D>();
        const std::size_t pairs = frequencies_.pairs();
        const OnDevice<D, double> radians(device, frequencies_.radians());
        const OnDevice<D, Row> rows(device, std::vector{Row{0, 0, position, false}});
        const OnDevice<D, float> cosines(device, pairs), sines(device, pairs);
        launch(device, cuda::Rotations{radians.data(), frequencies_.magnitude(), pairs, rows.data(), 1, cosines.data(),
                                       sines.data()});
        cpu::rotate_half(head, cosines.read().data(), sines.read().data(), pairs);
    }

private:
    model::RopeFrequencies frequencies_;
};

}  // namespace sluice::test
