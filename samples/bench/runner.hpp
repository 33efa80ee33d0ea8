// SPDX-License-Identifier: Apache-2.0
//! Times forward passes: prompts in batches, or tokens one by one.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sluice/core/random.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/model/forward.hpp"
#include "sluice/model/model.hpp"
#include "sluice/pipeline/loaded_model.hpp"
#include "sluice/pipeline/policies.hpp"

namespace sluice::bench {

//! What is timed: the first `tokens` after `depth` others, of each of several sequences. Decoding advances them
//! together; prompts come one after the other.
struct Test {
    enum class Kind { prefill, decode };
    Kind kind = Kind::prefill;
    std::size_t tokens = 0;
    std::size_t depth = 0;
    std::size_t sequences = 1;

    //! "pp512", "tg128 @ d4096": llama-bench's names; "tg128 x 4" of four sequences.
    std::string name() const {
        return (kind == Kind::prefill ? "pp" : "tg") + std::to_string(tokens) +
               (sequences > 1 ? " x " + std::to_string(sequences) : "") +
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

//! A model with the memory to run tests of up to `capacity` positions in each of some sequences, on some threads. P is
//! a policy bundle.
template <class P>
class Runner {
    using Forward = typename P::template Forward<P>;

public:
    static Expected<Runner> create(const gguf::File& file, std::size_t threads, std::size_t batch,
                                   std::size_t sequences, std::size_t capacity, std::size_t interleave_limit,
                                   const model::LoadProgress& progress) {
        try {
            SLUICE_ASSIGN(auto executor, make_executor<typename P::Executor>(threads));
            SLUICE_ASSIGN(model::ModelOf<P> model,
                          model::ModelOf<P>::read(file, Forward::reads_interleaved ? interleave_limit : 0));
            const shape::Dynamic& s = model.hyperparameters.shape;
            const std::uint64_t bytes = weights_per_token(model.weights, s);
            const KvCacheShape cache{s.layers, s.kv_heads, s.head_dim, sequences, capacity};
            const std::size_t max_rows = std::max(sequences, std::clamp<std::size_t>(batch, 1, capacity));
            SLUICE_ASSIGN(auto ready, Forward::create(*executor, std::move(model), cache, max_rows, progress));
            return Runner(std::move(executor), std::move(ready), sequences, bytes);
        } catch (const std::bad_alloc&) {
            return Status(Errc::out_of_capacity, file.name(),
                          "not enough memory for " + std::to_string(capacity) + " positions",
                          "choose a smaller depth, -p, -n or batch");
        }
    }

    //! Seconds that each repetition takes, after one that is not counted. `progress` is called before each.
    template <class Progress>
    Expected<std::vector<double>> time(const Test& test, std::size_t repetitions, Progress progress) {
        rewind(test.sequences, 0);
        for (std::size_t s = 0; s < test.sequences; ++s) SLUICE_TRY(prefill(s, 0, test.depth));
        std::vector<double> seconds;
        for (std::size_t i = 0; i <= repetitions; ++i) {
            progress(i);
            rewind(test.sequences, test.depth);
            const auto start = std::chrono::steady_clock::now();
            if (test.kind == Test::Kind::decode) {
                SLUICE_TRY(decode(test));
            } else {
                for (std::size_t s = 0; s < test.sequences; ++s) SLUICE_TRY(prefill(s, test.depth, test.tokens));
            }
            const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
            if (i > 0) seconds.push_back(taken.count());
        }
        return seconds;
    }

    typename P::Executor& executor() { return *executor_; }
    std::uint64_t bytes_per_token() const { return bytes_per_token_; }

private:
    Runner(std::unique_ptr<typename P::Executor> executor, model::Ready<typename P::KvCache, Forward> ready,
           std::size_t sequences, std::uint64_t bytes)
        : executor_(std::move(executor)),
          cache_(std::move(ready.cache)),
          forward_(std::move(ready.forward)),
          bytes_per_token_(bytes),
          logits_(forward_.make_logits(*executor_, sequences)) {}

    void rewind(std::size_t sequences, std::size_t length) {
        for (std::size_t s = 0; s < sequences; ++s) cache_.truncate(s, length);
    }

    //! `count` random tokens from position `first` on, in the largest batches; logits for the last of them.
    Status prefill(std::size_t sequence, std::size_t first, std::size_t count) {
        const std::size_t end = first + count;
        while (first < end) {
            for (const std::size_t last = std::min(first + forward_.max_rows(), end); first < last; ++first)
                add_row(sequence, first, first + 1 == end);
            SLUICE_TRY(compute());
        }
        return {};
    }

    //! One random token of every sequence a pass, each with its logits.
    Status decode(const Test& test) {
        for (std::size_t position = test.depth; position < test.depth + test.tokens; ++position) {
            for (std::size_t s = 0; s < test.sequences; ++s) add_row(s, position, true);
            SLUICE_TRY(compute());
        }
        return {};
    }

    void add_row(std::size_t sequence, std::size_t position, bool wants_logits) {
        const std::uint64_t random =
            philox(sequence, {{static_cast<std::uint32_t>(position), 0, 0, 0}}).words[0] % forward_.vocab();
        rows_.push_back({static_cast<Token>(random), static_cast<std::int32_t>(sequence),
                         static_cast<std::int32_t>(position), wants_logits});
    }

    //! A forward pass of the rows.
    Status compute() {
        SLUICE_TRY(forward_(*executor_, cache_, rows_, logits_));
        rows_.clear();
        return {};
    }

    std::unique_ptr<typename P::Executor> executor_;
    typename P::KvCache cache_;
    Forward forward_;
    std::uint64_t bytes_per_token_;
    typename Forward::Logits logits_;  // of as many rows as sequences
    std::vector<Row> rows_;
};

}  // namespace sluice::bench
