// SPDX-License-Identifier: Apache-2.0
#include "sluice/cuda/attention.hpp"

#include <cmath>
#include <cstddef>
#include <doctest/doctest.h>
#include <span>
#include <vector>

#include "cuda/on_device.hpp"
#include "sluice/cpu/attention.hpp"
#include "sluice/cpu/kv_cache.hpp"
#include "sluice/cpu/norm.hpp"
#include "sluice/cpu/rope.hpp"
#include "sluice/cuda/rope.hpp"
#include "support/numbers.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Emulated, cuda::Order;

namespace {

//! Two sequences of 2100 positions on the CPU and on the device: three spans, the last one short.
template <class Element>
struct Caches {
    static constexpr KvCacheShape shape{.layers = 2, .kv_heads = 2, .head_dim = 32, .sequences = 2, .capacity = 2100};
    cpu::ContiguousKvCache<Element> on_cpu{shape};
    OnDevice<Element> keys{cpu_elements()}, values{cpu_elements()};
    cuda::CacheView<Element> view{shape, keys.data(), values.data()};

    static constexpr std::size_t cpu_elements() { return 2 * 2 * 2 * 2100 * 32; }

    //! Large keys at the first positions, so that the maximum is not the last one.
    void fill(std::size_t layer) {
        const std::vector<float> numbers = random_floats(2 * shape.head_dim * shape.capacity, 11);
        for (std::size_t s = 0; s < shape.sequences; ++s) {
            for (std::size_t h = 0; h < shape.kv_heads; ++h) {
                for (std::size_t p = 0; p < shape.capacity; ++p) {
                    const std::size_t at = (p + 100 * h + 50 * s) % shape.capacity * shape.head_dim;
                    const float *key = &numbers[at], *value = &numbers[at + shape.head_dim * shape.capacity];
                    on_cpu.write({layer, s, h}, p, key, value);
                    for (std::size_t i = 0; i < shape.head_dim; ++i) {
                        cuda::write_element(keys.data()[view.offset({layer, s, h}, p) + i], key[i]);
                        cuda::write_element(values.data()[view.offset({layer, s, h}, p) + i], value[i]);
                    }
                }
            }
        }
    }
};

}  // namespace

TEST_CASE_TEMPLATE("cuda attention: the CPU's bits at chunk and span edges, several rows at once", Element, float,
                   Half) {
    constexpr std::size_t heads = 6, dim = 32, layer = 1;
    const std::vector<Row> rows = {{0, 0, 0, true},    {0, 1, 63, true},   {0, 0, 64, true},
                                   {0, 1, 1023, true}, {0, 0, 1024, true}, {0, 1, 2099, true}};
    Caches<Element> caches;
    caches.fill(layer);
    const std::vector<float> queries = random_floats(rows.size() * heads * dim, 12, 3.0);
    std::vector<float> wanted(queries.size());
    cpu::SoftmaxAttention<> attention({heads, 2, dim, caches.shape.capacity, 1});
    detail::AnyTeam team;
    attention.attend(team, rows, layer, queries.data(), caches.on_cpu, wanted.data());

    for (const Order order : {Order::ascending, Order::descending}) {
        Emulated device({.order = order});
        const std::size_t spans = 3, states = rows.size() * heads * spans;
        const OnDevice<float> maximum(states), sum(states), values(states * dim), q(queries), output(queries.size());
        const OnDevice<Row> batch(rows);
        const cuda::SpanStates parts{maximum.data(), sum.data(), values.data(), heads, spans, dim};
        const auto count = static_cast<unsigned>(rows.size());
        const cuda::AttendSpans<Element> attend{
            q.data(), caches.view, layer, 1.0F / std::sqrt(static_cast<float>(dim)), batch.data(), count, parts};
        device.launch(attend, attend.grid());
        const cuda::FoldSpans fold{parts, batch.data(), count, output.data()};
        device.launch(fold, fold.grid());
        REQUIRE(device.finish().ok());
        CHECK(same_bits(output.span(), wanted));
    }
}

TEST_CASE("cuda attention: heads are normalized, rotated and cached as on the CPU") {
    constexpr std::size_t heads = 4, dim = 32, half = dim / 2, layer = 0;
    Caches<Half> caches;
    const std::vector<Row> rows = {{0, 1, 5, true}, {0, 0, 9, true}};
    std::vector<float> q = random_floats(rows.size() * heads * dim, 1), k = random_floats(rows.size() * 2 * dim, 2);
    const std::vector<float> v = random_floats(rows.size() * 2 * dim, 3),
                             cosines = random_floats(rows.size() * half, 4),
                             sines = random_floats(rows.size() * half, 5), q_norm = random_floats(dim, 6),
                             k_norm = random_floats(dim, 7);
    const OnDevice<float> on_q(q), on_k(k), on_v(v), on_c(cosines), on_s(sines), on_qn(q_norm), on_kn(k_norm);
    const OnDevice<Row> batch(rows);
    Emulated device({.order = Order::descending});
    const cuda::RotateHeads<Half> kernel{on_q.data(),  on_k.data(), on_v.data(), on_qn.data(), on_kn.data(),
                                         on_c.data(),  on_s.data(), 1e-6F,       heads,        layer,
                                         batch.data(), 2,           caches.view};
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
            const std::size_t at = caches.view.offset({layer, static_cast<std::size_t>(rows[r].sequence), h},
                                                      static_cast<std::size_t>(rows[r].position));
            for (std::size_t i = 0; i < dim; ++i) {
                CHECK(caches.keys.data()[at + i].bits == to_half(key[i]).bits);
                CHECK(caches.values.data()[at + i].bits == to_half(v[(r * 2 + h) * dim + i]).bits);
            }
        }
    }
    CHECK(same_bits(on_q.span(), q));
}
