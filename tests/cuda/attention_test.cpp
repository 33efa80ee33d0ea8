// SPDX-License-Identifier: Apache-2.0
#include "sluice/cuda/attention.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <doctest/doctest.h>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "cuda/on_device.hpp"
#include "sluice/cpu/attention.hpp"
#include "sluice/cpu/kv_cache.hpp"
#include "sluice/cpu/norm.hpp"
#include "sluice/cpu/rope.hpp"
#include "sluice/cuda/attention_tile.hpp"
#include "sluice/cuda/kv_cache.hpp"
#include "sluice/cuda/rope.hpp"
#include "support/numbers.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Dim, cuda::Emulated, cuda::Order;

namespace {

//! Keys and values [positions, 2 * head_dim] go to the cache's first positions. A block, one warp, is a position of a
//! head of a sequence.
template <class Unit>
struct Fill {
    static constexpr unsigned threads = cuda::warp_size;
    const float* rows;
    std::size_t layer;
    unsigned positions;
    cuda::CacheView<Unit> cache;

    Dim grid() const {
        return {positions, static_cast<unsigned>(cache.shape.kv_heads), static_cast<unsigned>(cache.shape.sequences)};
    }
    void operator()(cuda::ThreadContext auto& t) const {
        const KvHead head = {layer, t.block().z, t.block().y};
        const float* row = rows + row_of(head, t.block().x, positions) * 2 * cache.shape.head_dim;
        const std::size_t to = cache.offset(head, t.block().x);
        cache.keys.store(t, to, row, cache.shape.head_dim);
        cache.values.store(t, to, row + cache.shape.head_dim, cache.shape.head_dim);
    }
    //! Which of the rows a head has at a position: another one each.
    static std::size_t row_of(KvHead head, std::size_t position, std::size_t positions) {
        return (position + 100 * head.kv_head + 50 * head.sequence) % positions;
    }
};

//! Two sequences on the CPU and on the device. 2100 positions are three spans, the last one short.
template <class Unit>
struct Caches {
    KvCacheShape shape;
    cpu::ContiguousKvCache<Unit> on_cpu;
    cuda::ContiguousKvCache<Emulated, Unit> on_device;

    explicit Caches(std::size_t capacity)
        : shape{.layers = 2, .kv_heads = 2, .head_dim = 32, .sequences = 2, .capacity = capacity},
          on_cpu(shape),
          on_device(std::move(*cuda::ContiguousKvCache<Emulated, Unit>::create(shape))) {}

    //! Rows [capacity, 2 * head_dim] of keys and values.
    void fill(std::size_t layer, const std::vector<float>& rows) {
        const OnDevice<float> from(rows);
        Emulated device;
        const Fill<Unit> kernel{from.data(), layer, static_cast<unsigned>(shape.capacity), on_device.view()};
        device.launch(kernel, kernel.grid());
        REQUIRE(device.finish().ok());
        each_row([&](KvHead head, std::size_t position) {
            if (head.layer != layer) return;
            const float* row = &rows[kernel.row_of(head, position, shape.capacity) * 2 * shape.head_dim];
            on_cpu.write(head, position, row, row + shape.head_dim);
        });
    }

    //! f(head, position) for every row.
    template <class F>
    void each_row(F f) const {
        for (std::size_t l = 0; l < shape.layers; ++l) {
            for (std::size_t s = 0; s < shape.sequences; ++s) {
                for (std::size_t h = 0; h < shape.kv_heads; ++h) {
                    for (std::size_t p = 0; p < shape.capacity; ++p) f(KvHead{l, s, h}, p);
                }
            }
        }
    }

    //! The keys and values of one row are the CPU's.
    void check_row(KvHead head, std::size_t position) const {
        CAPTURE(head.kv_head);
        CAPTURE(position);
        const auto check = [&](const auto& wanted, const cuda::StoredRows<Unit>& got) {
            const std::size_t at = on_device.view().offset(head, position);
            for (std::size_t i = 0; i < shape.head_dim; i += 16) {
                const auto numbers = wanted.template load<simd::Scalar>(i);
                float loaded[16];
                got.load(at + i, loaded);
                for (std::size_t j = 0; j < 16; ++j) {
                    CHECK(same_bits(loaded[j], numbers.v[j]));
                    CHECK(same_bits(got.at(at + i + j), numbers.v[j]));
                }
            }
        };
        check(on_cpu.key(head, position), on_device.view().keys);
        check(on_cpu.value(head, position), on_device.view().values);
    }
};

//! The states, folded, are the wanted rows; their int8 forms those of QuantizeRows.
void check_fold(Emulated& device, const cuda::SpanStates& states, const OnDevice<Row>& rows,
                const std::vector<float>& wanted) {
    const std::size_t width = states.heads * states.head_dim;
    const Batch quantized(device, wanted, width), folded(device, std::vector<float>(wanted.size()), width);
    const cuda::FoldSpans fold{states, rows.data(), static_cast<unsigned>(wanted.size() / width), folded.rows};
    device.launch(fold, fold.grid());
    REQUIRE(device.finish().ok());
    CHECK(same_bits(folded.floats.span(), wanted));
    const auto same = [](std::span<const std::byte> a, std::span<const std::byte> b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end());
    };
    CHECK(same(folded.q8_32.span(), quantized.q8_32.span()));
    CHECK(same(folded.q8_256.span(), quantized.q8_256.span()));
}

}  // namespace

TEST_CASE_TEMPLATE("cuda kv cache: stores the CPU's numbers, and only there; not finite, huge and tiny ones too", Unit,
                   float, Half, quant::Q8_0::Block) {
    constexpr float huge = std::numeric_limits<float>::infinity();
    Caches<Unit> caches(9);
    std::vector<float> rows = random_floats(9 * 64, 21);
    rows[0] = std::nanf("");
    rows[64 + 5] = huge;
    rows[64 + 32 + 31] = -huge;
    for (std::size_t i = 0; i < 64; ++i) {
        rows[2 * 64 + i] *= 1e7F;    // the scale is beyond a half
        rows[3 * 64 + i] *= 3e-6F;   // it is a subnormal half, and rounded a lot
        rows[4 * 64 + i] *= 1e-30F;  // it is 0
        rows[5 * 64 + i] = i % 2 == 0 ? 0.0F : -0.0F;
        rows[6 * 64 + i] = static_cast<float>(i) - 32.5F;
    }
    rows[6 * 64] = -127.0F;  // a scale of one: ties
    rows[6 * 64 + 32] = 127.0F;
    caches.fill(0, rows);
    caches.fill(1, random_floats(9 * 64, 22));
    caches.each_row([&](KvHead head, std::size_t position) { caches.check_row(head, position); });
}

TEST_CASE_TEMPLATE("cuda attention: the CPU's bits at chunk and span edges, several rows at once", Unit, float, Half,
                   quant::Q8_0::Block) {
    constexpr std::size_t heads = 6, dim = 32, layer = 1;
    const std::vector<Row> rows = {{0, 0, 0, true},    {0, 1, 63, true},   {0, 0, 64, true},
                                   {0, 1, 1023, true}, {0, 0, 1024, true}, {0, 1, 2099, true}};
    Caches<Unit> caches(2100);
    caches.fill(layer, random_floats(2 * dim * caches.shape.capacity, 11));
    const std::vector<float> queries = random_floats(rows.size() * heads * dim, 12, 3.0);
    std::vector<float> wanted(queries.size());
    cpu::SoftmaxAttention<> attention({heads, 2, dim, caches.shape.capacity, 1});
    detail::AnyTeam team;
    attention.attend(team, rows, layer, queries.data(), caches.on_cpu, wanted.data());

    for (const Order order : {Order::ascending, Order::descending}) {
        Emulated device({.order = order});
        const std::size_t spans = 3, states = rows.size() * heads * spans;
        const OnDevice<float> maximum(states), sum(states), values(states * dim), q(queries);
        const OnDevice<Row> batch(rows);
        const cuda::SpanStates parts{maximum.data(), sum.data(), values.data(), heads, spans, dim};
        const auto count = static_cast<unsigned>(rows.size());
        const float scale = 1.0F / std::sqrt(static_cast<float>(dim));
        const cuda::AttendSpans<Unit> attend{q.data(), caches.on_device.view(), layer, scale, batch.data(), count,
                                             parts};
        device.launch(attend, attend.grid());
        check_fold(device, parts, batch, wanted);
    }
}

TEST_CASE("cuda attention: a batch is cut where a sequence or its positions do not go on, and where a tile is full") {
    const std::vector<Row> rows = {{0, 0, 5, true}, {0, 0, 6, true}, {0, 0, 7, true}, {0, 1, 8, true},
                                   {0, 1, 3, true}, {0, 1, 4, true}, {0, 0, 8, true}};
    std::vector<cuda::RowTile> tiles;
    cuda::cut_tiles(rows, 2, tiles);
    std::vector<std::size_t> cuts;
    for (const cuda::RowTile& tile : tiles) cuts.insert(cuts.end(), {tile.first, tile.count});
    CHECK(cuts == std::vector<std::size_t>{0, 2, 2, 1, 3, 1, 4, 2, 6, 1});
}

// Tiles that begin or end in, before and behind the first span; rows that see a chunk in part or not at all.
TEST_CASE_TEMPLATE("cuda attention: tiles of rows have the CPU's bits, for few and many heads a key", Unit, float, Half,
                   quant::Q8_0::Block) {
    constexpr std::size_t dim = 32, layer = 1;
    std::vector<Row> all = {{0, 1, 0, true}, {0, 0, 1089, true}};
    for (std::int32_t p = 1020; p < 1028; ++p) all.push_back({0, 0, p, true});
    for (std::int32_t p = 62; p < 67; ++p) all.push_back({0, 1, p, true});
    Caches<Unit> caches(1090);
    caches.fill(layer, random_floats(2 * dim * caches.shape.capacity, 11));
    for (const std::size_t group : {3UL, 8UL, 17UL}) {  // widths of 192, 512 and 1088
        const std::size_t heads = 2 * group;
        const std::vector<Row> rows(all.begin(), group == 3 ? all.end() : all.begin() + 2);
        const std::vector<float> queries = random_floats(rows.size() * heads * dim, 12, 3.0);
        std::vector<float> wanted(queries.size());
        cpu::SoftmaxAttention<> attention({heads, 2, dim, caches.shape.capacity, 1});
        detail::AnyTeam team;
        attention.attend(team, rows, layer, queries.data(), caches.on_cpu, wanted.data());

        std::vector<cuda::RowTile> cut;
        cuda::cut_tiles(rows, cuda::AttendTile<Unit>::tile_rows(group), cut);
        for (const Order order : {Order::ascending, Order::descending}) {
            Emulated device({.order = order});
            const std::size_t spans = 2, states = rows.size() * heads * spans;
            const OnDevice<float> maximum(states), sum(states), values(states * dim), q(queries);
            const OnDevice<Row> batch(rows);
            const OnDevice<cuda::RowTile> tiles(cut);
            const cuda::SpanStates parts{maximum.data(), sum.data(), values.data(), heads, spans, dim};
            const cuda::AttendTile<Unit> attend{q.data(),
                                                caches.on_device.view(),
                                                layer,
                                                1.0F / std::sqrt(static_cast<float>(dim)),
                                                batch.data(),
                                                tiles.data(),
                                                static_cast<unsigned>(cut.size()),
                                                parts};
            device.launch(attend, attend.grid());
            check_fold(device, parts, batch, wanted);
        }
    }
}

TEST_CASE_TEMPLATE("cuda attention: heads are normalized, rotated and cached as on the CPU", Unit, Half,
                   quant::Q8_0::Block) {
    constexpr std::size_t heads = 4, dim = 32, half = dim / 2, layer = 0;
    Caches<Unit> caches(10);
    const std::vector<Row> rows = {{0, 1, 5, true}, {0, 0, 9, true}};
    std::vector<float> q = random_floats(rows.size() * heads * dim, 1), k = random_floats(rows.size() * 2 * dim, 2);
    const std::vector<float> v = random_floats(rows.size() * 2 * dim, 3),
                             cosines = random_floats(rows.size() * half, 4),
                             sines = random_floats(rows.size() * half, 5), q_norm = random_floats(dim, 6),
                             k_norm = random_floats(dim, 7);
    const OnDevice<float> on_q(q), on_k(k), on_v(v), on_c(cosines), on_s(sines), on_qn(q_norm), on_kn(k_norm);
    const OnDevice<Row> batch(rows);
    Emulated device({.order = Order::descending});
    const cuda::RotateHeads<Unit> kernel{on_q.data(),
                                         on_k.data(),
                                         on_v.data(),
                                         on_qn.data(),
                                         on_kn.data(),
                                         on_c.data(),
                                         on_s.data(),
                                         1e-6F,
                                         heads,
                                         layer,
                                         batch.data(),
                                         2,
                                         caches.on_device.view()};
    device.launch(kernel, kernel.grid());
    REQUIRE(device.finish().ok());

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
    CHECK(same_bits(on_q.span(), q));
}
