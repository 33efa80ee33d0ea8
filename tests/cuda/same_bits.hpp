// SPDX-License-Identifier: Apache-2.0
//! One model on the CPU and on a device: their logits must be the same bits. For the emulated device and for a GPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <span>
#include <utility>
#include <vector>

#include "cuda/policies_on.hpp"
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

//! Q: the formats of the file; Unit: of the cache.
template <cuda::Device D, class Q, class Unit = Half>
class OnBoth {
    using P = PoliciesOn<D, Q, Unit>;

public:
    //! The last `cpu_moe` layers keep their experts on the CPU.
    OnBoth(const gguf::File& file, D& device, std::size_t sequences = 1, std::size_t capacity = 64,
           std::size_t cpu_moe = 0, std::size_t max_rows = 16)
        : cpu_(file, {.max_rows = max_rows, .capacity = capacity, .sequences = sequences}),
          device_(device),
          ready_(make(device, file, sequences, capacity, cpu_moe, max_rows)) {}

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

private:
    static model::Ready<typename P::KvCache, cuda::HybridForward<P>> make(D& device, const gguf::File& file,
                                                                          std::size_t sequences, std::size_t capacity,
                                                                          std::size_t cpu_moe, std::size_t max_rows) {
        const auto model = model::ModelOf<P>::read(file, 0);
        REQUIRE_MESSAGE(model.ok(), model.status().message());
        const auto& s = model->shape;
        auto ready =
            cuda::HybridForward<P>::create(device, *model, {s.layers, s.kv_heads, s.head_dim, sequences, capacity},
                                           max_rows, {}, {.layers = cpu_moe, .threads = 2});
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
    OnBoth<D, Q, Unit> both(file, device, 2, 64, cpu_moe);
    both.feed(std::vector<Row>{{5, 0, 0, true}, {6, 0, 1, false}, {7, 0, 2, true}});
    both.feed(std::vector<Row>{{8, 0, 3, true}});
    both.feed(std::vector<Row>{{9, 0, 4, true}});
    both.feed(std::vector<Row>{{9, 1, 0, true}, {5, 0, 5, false}, {9, 1, 1, true}});
    both.feed(std::vector<Row>{{6, 1, 2, true}});
}

}  // namespace sluice::test
