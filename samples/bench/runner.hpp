// SPDX-License-Identifier: Apache-2.0
//! Times forward passes: prompts in batches, or tokens one by one.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sluice/core/buffer.hpp"
#include "sluice/core/random.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/model/forward.hpp"
#include "sluice/model/model.hpp"
#include "sluice/pipeline/policies.hpp"

namespace sluice::bench {

//! What is timed: the first `tokens` after `depth` others.
struct Test {
    enum class Kind { prefill, decode };
    Kind kind = Kind::prefill;
    std::size_t tokens = 0;
    std::size_t depth = 0;

    //! "pp512", "tg128 @ d4096": llama-bench's names.
    std::string name() const {
        return (kind == Kind::prefill ? "pp" : "tg") + std::to_string(tokens) +
               (depth > 0 ? " @ d" + std::to_string(depth) : "");
    }
};

//! Bytes of weights, as the file holds them, that one token needs: all matrices but the experts not chosen, and one row
//! of the embedding.
inline std::uint64_t weights_per_token(const model::Weights& weights, const shape::Dynamic& shape) {
    const auto bytes = [](const Matrix& m) -> std::uint64_t {
        const quant::FormatInfo format = *quant::format_info(m.format);
        return m.rows * m.cols / format.block_size * format.block_bytes;
    };
    std::uint64_t total = weights.embedding.row_bytes + bytes(weights.output) + weights.output_norm.size_bytes();
    for (const model::LayerWeights& l : weights.layers) {
        for (const Matrix& m : {l.q, l.k, l.v, l.o, l.router}) total += bytes(m);
        for (const Matrix& m : {l.experts.gate, l.experts.up, l.experts.down}) {
            total += bytes(m) / shape.experts * shape.experts_used;
        }
        for (const auto& norm : {l.attention_norm, l.q_norm, l.k_norm, l.ff_norm}) total += norm.size_bytes();
    }
    return total;
}

//! A model with the memory to run tests of up to `capacity` positions on some threads. P is a policy bundle.
template <class P>
class Runner {
public:
    static Expected<Runner> create(const gguf::File& file, std::size_t threads, std::size_t batch, std::size_t capacity,
                                   std::size_t interleave_limit) {
        try {
            SLUICE_ASSIGN(model::Model<P> model, model::Model<P>::read(file, interleave_limit));
            const shape::Dynamic& s = model.hyperparameters.shape;
            const std::uint64_t bytes = weights_per_token(model.weights, s);
            const KvCacheShape cache{s.layers, s.kv_heads, s.head_dim, 1, capacity};
            const model::ForwardLimits limits{std::clamp<std::size_t>(batch, 1, capacity), capacity, threads};
            return Runner(typename P::Executor(threads), typename P::KvCache(cache),
                          model::Forward<P>(std::move(model), limits), bytes);
        } catch (const std::bad_alloc&) {
            return Status(Errc::out_of_capacity, file.name(),
                          "not enough memory for " + std::to_string(capacity) + " positions",
                          "choose a smaller depth, -p, -n or batch");
        }
    }

    //! Seconds that each repetition takes, after one that is not counted. `progress` is called before each.
    template <class Progress>
    Expected<std::vector<double>> time(const Test& test, std::size_t repetitions, Progress progress) {
        cache_.truncate(0, 0);
        SLUICE_TRY(compute(0, test.depth, forward_.max_rows(), false));
        std::vector<double> seconds;
        for (std::size_t i = 0; i <= repetitions; ++i) {
            progress(i);
            cache_.truncate(0, test.depth);
            const bool is_decode = test.kind == Test::Kind::decode;
            const auto start = std::chrono::steady_clock::now();
            SLUICE_TRY(compute(test.depth, test.tokens, is_decode ? 1 : forward_.max_rows(), is_decode));
            const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
            if (i > 0) seconds.push_back(taken.count());
        }
        return seconds;
    }

    typename P::Executor& executor() { return executor_; }
    std::uint64_t bytes_per_token() const { return bytes_per_token_; }

private:
    Runner(typename P::Executor executor, typename P::KvCache cache, model::Forward<P> forward, std::uint64_t bytes)
        : executor_(std::move(executor)),
          cache_(std::move(cache)),
          forward_(std::move(forward)),
          bytes_per_token_(bytes),
          logits_(forward_.vocab()) {}

    //! Forward passes of up to `batch` rows over random tokens at the positions from `first` on. Each pass gives its
    //! last row's logits, or only the last pass does.
    Status compute(std::size_t first, std::size_t count, std::size_t batch, bool every_pass) {
        const std::size_t end = first + count;
        while (first < end) {
            rows_.clear();
            for (const std::size_t last = std::min(first + batch, end); first < last; ++first) {
                const auto position = static_cast<std::uint32_t>(first);
                const auto token = static_cast<Token>(philox(0, {{position, 0, 0, 0}}).words[0] % forward_.vocab());
                const bool wants_logits = first + 1 == last && (every_pass || last == end);
                rows_.push_back({token, 0, static_cast<std::int32_t>(position), wants_logits});
            }
            SLUICE_TRY(forward_(executor_, cache_, rows_, logits_.span(0, logits_.size())));
        }
        return {};
    }

    typename P::Executor executor_;
    typename P::KvCache cache_;
    model::Forward<P> forward_;
    std::uint64_t bytes_per_token_;
    Buffer<float> logits_;  // [vocab]
    std::vector<Row> rows_;
};

}  // namespace sluice::bench
