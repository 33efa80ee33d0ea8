// SPDX-License-Identifier: Apache-2.0
//! A device's caches and kernels of attention beside the CPU's, to the bit. For the emulated device and for a GPU.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <vector>

#include "cuda/as_policies.hpp"
#include "cuda/batch.hpp"
#include "cuda/caches.hpp"
#include "cuda/on_device.hpp"
#include "sluice/cpu/attention.hpp"
#include "sluice/cpu/kv_cache.hpp"
#include "sluice/cpu/norm.hpp"
#include "sluice/cpu/rope.hpp"
#include "sluice/cuda/attention.hpp"
#include "sluice/cuda/attention_tile.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/cuda/rope.hpp"
#include "support/numbers.hpp"

namespace sluice::test {

//! Two sequences on the CPU and on the device.
template <cuda::Device D, class Unit>
struct Caches {
    KvCacheShape shape;
    cpu::ContiguousKvCache<Unit> on_cpu;
    DeviceKvCache<D, Unit> on_device;

    explicit Caches(std::size_t capacity)
        : shape{.layers = 2, .kv_heads = 2, .head_dim = 32, .sequences = 2, .capacity = capacity},
          on_cpu(shape),
          on_device(shape) {}

    //! Rows [capacity, 2 * head_dim] of keys and values.
    void fill(D& device, std::size_t layer, const std::vector<float>& rows) {
        fill_caches(device, layer, rows, shape.capacity, on_cpu, on_device.view());
    }

    //! f(head, position) for every row.
    template <class F>
    void each_row(F f) const {
        for (std::size_t l = 0; l < shape.layers; ++l) {
            each_row_of(shape, l, shape.capacity, f);
        }
    }

    //! The keys and values of one row are the CPU's.
    void check_row(KvHead head, std::size_t position) const {
        CAPTURE(head.kv_head);
        CAPTURE(position);
        const auto check = [&](const auto& wanted, const auto& got) {
            for (std::size_t i = 0; i < shape.head_dim; i += 16) {
                const auto numbers = wanted.template load<simd::Scalar>(i), loaded = got.template load<simd::Scalar>(i);
                for (std::size_t j = 0; j < 16; ++j) {
                    CHECK(same_bits(loaded.v[j], numbers.v[j]));
                    CHECK(same_bits(got.rows.at(got.first + i + j), numbers.v[j]));
                }
            }
        };
        check(on_cpu.key(head, position), on_device.key(head, position));
        check(on_cpu.value(head, position), on_device.value(head, position));
    }
};

//! The states, folded, are the wanted rows; their int8 forms those of QuantizeRows.
template <cuda::Device D>
void check_fold(D& device, const cuda::SpanStates& states, const OnDevice<D, Row>& rows,
                const std::vector<float>& wanted) {
    const std::size_t width = states.heads * states.head_dim;
    const Batch<D> quantized(device, wanted, width), folded(device, std::vector<float>(wanted.size()), width);
    launch(device, cuda::FoldSpans{states, rows.data(), static_cast<unsigned>(wanted.size() / width), folded.rows});
    const ReadBatch got = folded.read();
    CHECK(same_bits(got.floats, wanted));
    CHECK(got.q8_32 == quantized.q8_32.read());
    CHECK(got.q8_256 == quantized.q8_256.read());
}

//! The CPU's attention: [rows, heads * head_dim].
template <class Unit>
std::vector<float> attention_on_cpu(const std::vector<Row>& rows, std::size_t layer, const std::vector<float>& queries,
                                    const cpu::ContiguousKvCache<Unit>& cache) {
    const KvCacheShape& s = cache.shape();
    std::vector<float> wanted(queries.size());
    cpu::SoftmaxAttention<> attention(
        {queries.size() / rows.size() / s.head_dim, s.kv_heads, s.head_dim, s.capacity, 1});
    detail::AnyTeam team;
    attention.attend(team, rows, layer, queries.data(), cache, wanted.data());
    return wanted;
}

//! The cache stores the CPU's numbers, and only there; not finite, huge and tiny ones too.
template <class Unit, cuda::Device D>
void check_stored_rows(D& device) {
    Caches<D, Unit> caches(9);
    std::vector<float> rows = random_floats(9 * 64, 21);
    rows[0] = std::nanf("");
    rows[64 + 5] = infinity;
    rows[64 + 32 + 31] = -infinity;
    for (std::size_t i = 0; i < 64; ++i) {
        rows[2 * 64 + i] *= 1e7F;    // the scale is beyond a half
        rows[3 * 64 + i] *= 3e-6F;   // it is a subnormal half, and rounded a lot
        rows[4 * 64 + i] *= 1e-30F;  // it is 0
        rows[5 * 64 + i] = i % 2 == 0 ? 0.0F : -0.0F;
        rows[6 * 64 + i] = static_cast<float>(i) - 32.5F;
    }
    rows[6 * 64] = -127.0F;  // a scale of one: ties
    rows[6 * 64 + 32] = 127.0F;
    caches.fill(device, 0, rows);
    caches.fill(device, 1, random_floats(9 * 64, 22));
    caches.each_row([&](KvHead head, std::size_t position) { caches.check_row(head, position); });
}

//! Several rows at once, at the edges of chunks and spans. 2100 positions are three spans, the last one short.
template <class Unit, cuda::Device D>
void check_spans(D& device) {
    constexpr std::size_t heads = 6, dim = 32, layer = 1, spans = 3;
    const std::vector<Row> rows = {{0, 0, 0, true},    {0, 1, 63, true},   {0, 0, 64, true},
                                   {0, 1, 1023, true}, {0, 0, 1024, true}, {0, 1, 2099, true}};
    Caches<D, Unit> caches(2100);
    caches.fill(device, layer, random_floats(2 * dim * caches.shape.capacity, 11));
    const std::vector<float> queries = random_floats(rows.size() * heads * dim, 12, 3.0);
    const std::size_t states = rows.size() * heads * spans;
    const OnDevice<D, float> maximum(device, states), sum(device, states), values(device, states * dim),
        q(device, queries);
    const OnDevice<D, Row> batch(device, rows);
    const cuda::SpanStates parts{maximum.data(), sum.data(), values.data(), heads, spans, dim};
    const float scale = 1.0F / std::sqrt(static_cast<float>(dim));
    launch(device, cuda::AttendSpans<Unit>{q.data(), caches.on_device.view(), layer, scale, batch.data(),
                                           static_cast<unsigned>(rows.size()), parts});
    check_fold(device, parts, batch, attention_on_cpu(rows, layer, queries, caches.on_cpu));
}

//! Tiles that begin or end in, before and behind the first span; rows that see a chunk in part or not at all; few and
//! many heads a key.
template <class Unit, cuda::Device D>
void check_tiles(D& device) {
    constexpr std::size_t dim = 32, layer = 1, spans = 2;
    std::vector<Row> all = {{0, 1, 0, true}, {0, 0, 1089, true}};
    for (std::int32_t p = 1020; p < 1028; ++p) all.push_back({0, 0, p, true});
    for (std::int32_t p = 62; p < 67; ++p) all.push_back({0, 1, p, true});
    Caches<D, Unit> caches(1090);
    caches.fill(device, layer, random_floats(2 * dim * caches.shape.capacity, 11));
    for (const std::size_t group : {3UL, 8UL, 17UL}) {  // widths of 192, 512 and 1088
        CAPTURE(group);
        const std::size_t heads = 2 * group;
        const std::vector<Row> rows(all.begin(), group == 3 ? all.end() : all.begin() + 2);
        const std::vector<float> queries = random_floats(rows.size() * heads * dim, 12, 3.0);
        std::vector<cuda::RowTile> cut;
        cuda::cut_tiles(rows, cuda::AttendTile<Unit>::tile_rows(group), cut);
        const std::size_t states = rows.size() * heads * spans;
        const OnDevice<D, float> maximum(device, states), sum(device, states), values(device, states * dim),
            q(device, queries);
        const OnDevice<D, Row> batch(device, rows);
        const OnDevice<D, cuda::RowTile> tiles(device, cut);
        const cuda::SpanStates parts{maximum.data(), sum.data(), values.data(), heads, spans, dim};
        const float scale = 1.0F / std::sqrt(static_cast<float>(dim));
        launch(device, cuda::AttendTile<Unit>{q.data(), caches.on_device.view(), layer, scale, batch.data(),
                                              tiles.data(), static_cast<unsigned>(cut.size()), parts});
        check_fold(device, parts, batch, attention_on_cpu(rows, layer, queries, caches.on_cpu));
    }
}

//! Heads are normalized, rotated and cached.
template <class Unit, cuda::Device D>
void check_rotated_heads(D& device) {
    constexpr std::size_t heads = 4, dim = 32, half = dim / 2, layer = 0;
    Caches<D, Unit> caches(10);
    const std::vector<Row> rows = {{0, 1, 5, true}, {0, 0, 9, true}};
    std::vector<float> q = random_floats(rows.size() * heads * dim, 1), k = random_floats(rows.size() * 2 * dim, 2);
    const std::vector<float> v = random_floats(rows.size() * 2 * dim, 3),
                             cosines = random_floats(rows.size() * half, 4),
                             sines = random_floats(rows.size() * half, 5), q_norm = random_floats(dim, 6),
                             k_norm = random_floats(dim, 7);
    const OnDevice<D, float> on_q(device, q), on_k(device, k), on_v(device, v), on_c(device, cosines),
        on_s(device, sines), on_qn(device, q_norm), on_kn(device, k_norm);
    const OnDevice<D, Row> batch(device, rows);
    launch(device,
           cuda::RotateHeads<Unit>{on_q.data(), on_k.data(), on_v.data(), on_qn.data(), on_kn.data(), on_c.data(),
                                   on_s.data(), 1e-6F, heads, layer, batch.data(), 2, caches.on_device.view()});
    const std::vector<float> got = on_q.read();

    const auto turn = [&](float* head, const std::vector<float>& norm, std::size_t r) {
        cpu::rms_norm(head, norm.data(), dim, 1e-6F, head);
        cpu::rotate_half(head, &cosines[r * half], &sines[r * half], half);
    };
    for (std::size_t r = 0; r < rows.size(); ++r) {
        for (std::size_t h = 0; h < heads; ++h) turn(&q[(r * heads + h) * dim], q_norm, r);
        for (std::size_t h = 0; h < 2; ++h) {
            float* key = &k[(r * 2 + h) * dim];
            turn(key, k_norm, r);
            const KvHead head = {layer, static_cast<std::size_t>(rows[r].sequence), h};
            const auto position = static_cast<std::size_t>(rows[r].position);
            caches.on_cpu.write(head, position, key, &v[(r * 2 + h) * dim]);
            caches.check_row(head, position);
        }
    }
    CHECK(same_bits(got, q));
}

}  // namespace sluice::test
