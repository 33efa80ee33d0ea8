// SPDX-License-Identifier: Apache-2.0
//! A model under test: forward pass, cache and executor, fed with tokens.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <span>
#include <utility>
#include <vector>

#include "sluice/core/types.hpp"
#include "sluice/cpu/kv_cache.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/model/forward.hpp"
#include "sluice/model/model.hpp"
#include "sluice/pipeline/pipeline.hpp"
#include "sluice/pipeline/policies.hpp"

namespace sluice::test {

//! The ready-made policies with this cache.
template <class Q = quant::Any, class Cache = cpu::KvCacheF32>
struct CoreOf : Qwen3MoeCpu<Q> {
    using KvCache = Cache;
};

struct RunnerLimits {
    std::size_t threads = 1;
    std::size_t max_rows = 64;
    std::size_t capacity = 256;
    std::size_t sequences = 1;
    std::size_t interleave_limit = LoadOptions().interleave_limit;
};

template <class P = CoreOf<>>
class Runner {
public:
    explicit Runner(const gguf::File& file, const RunnerLimits& limits = {})
        : Runner(value_of(model::ModelOf<P>::read(file, limits.interleave_limit)), limits) {}

    std::size_t vocab() const { return forward.vocab(); }

    //! Logits [rows that want them, vocab].
    std::vector<float> feed(std::span<const Row> rows) {
        const auto wanted = std::count_if(rows.begin(), rows.end(), [](const Row& row) { return row.wants_logits; });
        std::vector<float> logits(static_cast<std::size_t>(wanted) * vocab());
        const Status status = forward(executor, cache, rows, logits);
        REQUIRE_MESSAGE(status.ok(), status.message());
        return logits;
    }

    //! Continues a sequence by tokens in batches of `chunk`; their logits [tokens, vocab].
    std::vector<float> feed(std::span<const Token> tokens, std::size_t chunk = 64, std::int32_t sequence = 0) {
        std::vector<float> logits;
        while (!tokens.empty()) {
            const std::size_t n = std::min(chunk, tokens.size());
            std::vector<Row> rows;
            auto position = static_cast<std::int32_t>(cache.length(static_cast<std::size_t>(sequence)));
            for (const Token token : tokens.first(n)) rows.push_back({token, sequence, position++, true});
            const std::vector<float> more = feed(rows);
            logits.insert(logits.end(), more.begin(), more.end());
            tokens = tokens.subspan(n);
        }
        return logits;
    }

private:
    Runner(model::ModelOf<P> model, const RunnerLimits& limits)
        : cache({model.shape.layers, model.shape.kv_heads, model.shape.head_dim, limits.sequences, limits.capacity}),
          executor(limits.threads),
          forward(std::move(model), {limits.max_rows, limits.capacity, limits.threads}) {}

    template <class T>
    static T value_of(Expected<T> expected) {
        REQUIRE_MESSAGE(expected.ok(), expected.status().message());
        return std::move(*expected);
    }

public:
    typename P::KvCache cache;
    typename P::Executor executor;
    typename P::template Forward<P> forward;
};

}  // namespace sluice::test
