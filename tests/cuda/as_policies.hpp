// SPDX-License-Identifier: Apache-2.0
//! The kernels of a device as models of the slots' concepts, so that law suites can be run on them. Rank 0 of a team
//! computes alone, on one device for all. What launches is no template of its own, and can be instantiated by nvcc.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "sluice/concepts/attention.hpp"
#include "sluice/concepts/experts.hpp"
#include "sluice/concepts/kv_cache.hpp"
#include "sluice/concepts/router.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/cuda/attention.hpp"
#include "sluice/cuda/attention_tile.hpp"
#include "sluice/cuda/experts.hpp"
#include "sluice/cuda/kv_cache.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/cuda/planes.hpp"
#include "sluice/cuda/router.hpp"
#include "sluice/quant/sets.hpp"

namespace sluice::test {

//! What the models below need of a D. Errors are exceptions, which end the test case.
template <cuda::Device D>
struct On {
    template <class T>
    using Array = cuda::DeviceArray<D, T>;

    static D& device() {
        static D one = [] {
            if constexpr (requires { D::create(); }) {
                return value(D::create());
            } else {
                return D();
            }
        }();
        return one;
    }
    template <class T>
    static T value(Expected<T> expected) {
        if (!expected.ok()) check(expected.status());
        return std::move(*expected);
    }
    static void check(const Status& status) {
        if (!status.ok()) throw std::runtime_error(status.message());
    }
    template <class T>
    static Array<T> allocate(std::size_t size) {
        return value(Array<T>::allocate(size));
    }
    template <class T>
    static Array<T> copy(std::span<const T> values) {
        return value(cuda::copy_to(device(), values));
    }
    template <class T>
    static void read(const Array<T>& from, T* to) {
        device().to_host(to, from.data(), from.size() * sizeof(T));
        check(device().finish());
    }
    template <class Kernel>
    static void launch(const Kernel& kernel) {
        device().launch(kernel, kernel.grid());
    }
};

template <cuda::Device D>
struct DeviceRouter {
    void route(std::span<float> logits, std::span<ExpertChoice> chosen) const {
        using On = test::On<D>;
        const auto x = On::template copy<float>(logits);
        const auto choices = On::template allocate<ExpertChoice>(chosen.size());
        On::launch(cuda::RouteRows{x.data(), logits.size(), chosen.size(), 1, choices.data()});
        On::read(choices, chosen.data());
    }
};

//! Stores a key and a value. A block of one warp.
template <class Unit>
struct StoreRow {
    static constexpr unsigned threads = cuda::warp_size;
    cuda::CacheView<Unit> cache;
    KvHead head;
    std::size_t position;
    const float *key, *value;

    cuda::Dim grid() const { return {}; }
    template <cuda::ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const std::size_t to = cache.offset(head, position);
        cache.keys.store(t, to, key, cache.shape.head_dim);
        cache.values.store(t, to, value, cache.shape.head_dim);
    }
};

//! Rows are written by the device, and read from a copy that the host has.
template <cuda::Device D, class Unit>
class DeviceKvCache {
    using On = test::On<D>;
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
        : cache_(On::value(Cache::create(shape))), keys_(Cache::bytes(shape) / 2), values_(Cache::bytes(shape) / 2) {}

    const KvCacheShape& shape() const { return cache_.shape(); }
    std::size_t length(std::size_t sequence) const { return cache_.length(sequence); }
    void advance(std::size_t sequence, std::size_t length) { cache_.advance(sequence, length); }
    void truncate(std::size_t sequence, std::size_t length) { cache_.truncate(sequence, length); }

    void write(KvHead head, std::size_t position, const float* key, const float* value) {
        const std::size_t n = shape().head_dim;
        const auto k = On::template copy<float>({key, n}), v = On::template copy<float>({value, n});
        On::launch(StoreRow<Unit>{cache_.view(), head, position, k.data(), v.data()});
        On::check(On::device().finish());
        is_copied_ = false;
    }
    Handle key(KvHead head, std::size_t position) const { return handle(keys_, head, position); }
    Handle value(KvHead head, std::size_t position) const { return handle(values_, head, position); }

    cuda::CacheView<Unit> view() const { return cache_.view(); }

private:
    Handle handle(Buffer<std::byte>& rows, KvHead head, std::size_t position) const {
        if (!is_copied_) copy();
        const KvCacheShape& s = shape();
        const std::size_t count = s.layers * s.sequences * s.kv_heads * s.capacity * s.head_dim;
        return {cuda::StoredRows<Unit>::in(rows.data(), count), view().offset(head, position)};
    }
    void copy() const {
        // The planes of a StoredRows lie one behind the other: the first begins where all of them do.
        const auto from = [](const auto& rows) {
            if constexpr (block == 1) return static_cast<const void*>(rows.elements);
            if constexpr (block > 1) return static_cast<const void*>(rows.levels);
        };
        On::device().to_host(keys_.data(), from(view().keys), keys_.size());
        On::device().to_host(values_.data(), from(view().values), values_.size());
        On::check(On::device().finish());
        is_copied_ = true;
    }

    Cache cache_;
    mutable Buffer<std::byte> keys_, values_;  // what the host read last
    mutable bool is_copied_ = false;
};

//! By the kernel for one row, or by that for tiles of rows.
template <cuda::Device D, class Unit, bool in_tiles>
class DeviceAttention {
    using On = test::On<D>;

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
        const auto q = On::template copy<float>({queries, width});
        const auto batch = On::template copy<Row>(rows);
        const auto maximum = On::template allocate<float>(states), sum = On::template allocate<float>(states),
                   values = On::template allocate<float>(states * shape_.head_dim),
                   mixed = On::template allocate<float>(width);
        const cuda::SpanStates parts{maximum.data(), sum.data(), values.data(), shape_.heads, spans, shape_.head_dim};
        const auto count = static_cast<unsigned>(rows.size());
        const float scale = 1.0F / std::sqrt(static_cast<float>(shape_.head_dim));
        if constexpr (in_tiles) {
            std::vector<cuda::RowTile> cut;
            cuda::cut_tiles(rows, cuda::AttendTile<Unit>::tile_rows(shape_.heads / shape_.kv_heads), cut);
            const auto tiles = On::template copy<cuda::RowTile>(cut);
            On::launch(cuda::AttendTile<Unit>{q.data(), cache, layer, scale, batch.data(), tiles.data(),
                                              static_cast<unsigned>(cut.size()), parts});
        } else {
            On::launch(cuda::AttendSpans<Unit>{q.data(), cache, layer, scale, batch.data(), count, parts});
        }
        On::launch(cuda::FoldSpans{parts, batch.data(), count, {shape_.heads * shape_.head_dim, mixed.data()}});
        On::read(mixed, output);
    }

private:
    AttentionShape shape_;
};

//! With weights of floats.
template <cuda::Device D>
class DeviceExperts {
    using On = test::On<D>;

public:
    DeviceExperts(const ExpertsShape& shape, cpu::ActivationForms /*none: floats*/) : shape_(shape) {}

    template <class Q, Team T, class V>
    void apply(T& team, const ExpertWeights& weights, const cpu::Activations<V>& x,
               std::span<const ExpertChoice> choices, float* output) {
        if (team.rank() == 0) compute(weights, x.row(0), choices, output);
    }

    void compute(const ExpertWeights& weights, const float* x, std::span<const ExpertChoice> choices, float* output) {
        const std::size_t rows = choices.size() / shape_.used, entries = choices.size();
        const auto gate = upload(weights.gate), up = upload(weights.up), down = upload(weights.down);
        const auto on_x = On::template copy<float>({x, rows * shape_.hidden});
        const auto on_choices = On::template copy<ExpertChoice>(choices);
        const auto inner = On::template allocate<float>(entries * shape_.ff),
                   results = On::template allocate<float>(entries * shape_.hidden);
        const auto begin = On::template allocate<std::uint32_t>(shape_.experts + 1),
                   sorted = On::template allocate<std::uint32_t>(entries),
                   tile_count = On::template allocate<std::uint32_t>(1);
        const auto tiles =
            On::template allocate<cuda::ExpertTile>(cuda::ExpertGroups::most_tiles(shape_.experts, entries));
        const std::vector<float> zeros(rows * shape_.hidden);
        const auto residual = On::template copy<float>(zeros);
        const auto view = [](const Matrix& m, const cuda::DeviceArray<D, std::byte>& on_device) {
            Matrix copy = m;
            copy.data = on_device.data();
            copy.row_bytes = cuda::device_row_bytes<quant::F32>(m.cols);
            return copy;
        };
        cuda::apply_experts<quant::OneOf<quant::F32>>(
            On::device(), {view(weights.gate, gate), view(weights.up, up), view(weights.down, down)},
            {shape_.hidden, on_x.data()}, on_choices.data(), shape_.used, static_cast<unsigned>(rows),
            {{shape_.ff, inner.data()}, {begin.data(), sorted.data(), tiles.data(), tile_count.data()}, results.data()},
            residual.data());
        On::read(residual, output);
    }

private:
    static cuda::DeviceArray<D, std::byte> upload(const Matrix& m) {
        const auto from = On::template copy<std::byte>({m.data, m.rows * m.row_bytes});
        auto to = On::template allocate<std::byte>(m.rows * cuda::device_row_bytes<quant::F32>(m.cols));
        On::launch(cuda::Repack<quant::F32>{from.data(), to.data(), m.rows, m.cols});
        On::check(On::device().finish());
        return to;
    }

    ExpertsShape shape_;
};

}  // namespace sluice::test
