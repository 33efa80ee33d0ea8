// SPDX-License-Identifier: Apache-2.0
//! One model on the CPU and on a device: their logits must be the same bits. For the emulated device and for a GPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <span>
#include <utility>
#include <vector>

#include "cuda/caches.hpp"
#include "cuda/policies_on.hpp"
#include "sluice/concepts/kv_cache.hpp"
#include "sluice/core/float16.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cpu/kv_cache.hpp"
#include "sluice/cuda/hop.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/model/batch.hpp"
#include "sluice/model/model.hpp"
#include "sluice/quant/sets.hpp"
#include "support/numbers.hpp"
#include "support/runner.hpp"

namespace sluice::test {

//! What the emulated tests' models are made of: one set, which is compiled once.
using Formats = quant::OneOf<quant::Q4_K, quant::Q6_K, quant::F32, quant::BF16>;

struct BothLimits {
    std::size_t sequences = 1, capacity = 64, max_rows = 16;
    std::size_t cpu_moe = 0;  //!< so many of the last layers keep their experts on the CPU
};

//! Q: the formats of the file; Unit: of the cache.
template <cuda::Device D, class Q, class Unit = Half>
class OnBoth {
    using P = PoliciesOn<D, Q, Unit>;

public:
    OnBoth(const gguf::File& file, D& device, const BothLimits& limits = {})
        : cpu_(file, {.max_rows = limits.max_rows, .capacity = limits.capacity, .sequences = limits.sequences}),
          device_(device),
          ready_(make(device, file, limits)) {}

    //! The same rows go to both. Returns the logits.
    std::vector<float> feed(std::span<const Row> rows) {
        const std::vector<float> wanted = cpu_.feed(rows);
        std::vector<float> got(wanted.size());
        const Status status = ready_.forward(device_, ready_.cache, rows, got);
        REQUIRE_MESSAGE(status.ok(), status.message());
        CHECK(same_bits(got, wanted));
        return got;
    }

    //! Continues sequence 0 by tokens, in one batch; their logits [tokens, vocab].
    std::vector<float> feed(std::span<const Token> tokens) {
        std::vector<Row> rows;
        auto position = static_cast<std::int32_t>(ready_.cache.length(0));
        for (const Token token : tokens) rows.push_back({token, 0, position++, true});
        return feed(rows);
    }

    //! Sequence 0 as if it had so many positions: of random keys and values.
    void pretend(std::size_t positions) {
        const KvCacheShape& shape = cpu_.cache.shape();
        for (std::size_t layer = 0; layer < shape.layers; ++layer) {
            const auto seed = static_cast<std::uint32_t>(70 + layer);
            fill_caches(device_, layer, random_floats(positions * 2 * shape.head_dim, seed), positions, cpu_.cache,
                        ready_.cache.view());
        }
        cpu_.cache.advance(0, positions);
        ready_.cache.advance(0, positions);
    }

private:
    static model::Ready<typename P::KvCache, cuda::HybridForward<P>> make(D& device, const gguf::File& file,
                                                                          const BothLimits& limits) {
        const auto model = model::ModelOf<P>::read(file, 0);
        REQUIRE_MESSAGE(model.ok(), model.status().message());
        const auto& s = model->shape;
        auto ready = cuda::HybridForward<P>::create(
            device, *model, {s.layers, s.kv_heads, s.head_dim, limits.sequences, limits.capacity}, limits.max_rows, {},
            {.layers = limits.cpu_moe, .threads = 2});
        REQUIRE_MESSAGE(ready.ok(), ready.status().message());
        return std::move(*ready);
    }

    Runner<CoreOf<Q, cpu::ContiguousKvCache<Unit>>> cpu_;
    D& device_;
    model::Ready<typename P::KvCache, cuda::HybridForward<P>> ready_;
};

//! A prompt, tokens behind it one by one, then two sequences in one batch, one of which wants no logits; then the
//! second one alone.
template <class Q, class Unit = Half, cuda::Device D>
void check_same_bits(const gguf::File& file, D& device, std::size_t cpu_moe = 0) {
    OnBoth<D, Q, Unit> both(file, device, {.sequences = 2, .cpu_moe = cpu_moe});
    both.feed(std::vector<Row>{{5, 0, 0, true}, {6, 0, 1, false}, {7, 0, 2, true}});
    both.feed(std::vector<Row>{{8, 0, 3, true}});
    both.feed(std::vector<Row>{{9, 0, 4, true}});
    both.feed(std::vector<Row>{{9, 1, 0, true}, {5, 0, 5, false}, {9, 1, 1, true}});
    both.feed(std::vector<Row>{{6, 1, 2, true}});
}

//! Rows that attend to three spans, the last one begun: one alone, as it is recorded, and sixteen of a batch.
template <class Q, class Unit = Half, cuda::Device D>
void check_long_context(const gguf::File& file, D& device) {
    constexpr std::size_t positions = 2046;
    OnBoth<D, Q, Unit> both(file, device, {.capacity = positions + 20});
    both.pretend(positions);
    both.feed(random_tokens(1, 1, 200));
    both.feed(random_tokens(16, 2, 200));
    both.feed(random_tokens(1, 3, 200));
}

}  // namespace sluice::test
