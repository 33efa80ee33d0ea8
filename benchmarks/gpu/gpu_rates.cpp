// SPDX-License-Identifier: Apache-2.0
//! Tokens a second on a GPU, as one line of JSON: gpu_rates MODEL PROMPT GENERATE ROWS. Prompts of PROMPT tokens, one
//! for each of ROWS sequences, in batches of 512; then GENERATE steps, each of the next token of all of them. As in the
//! pipeline and the server, tokens are drawn on the device, by temperature and top-p. The median of five.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sluice/concepts/sampler.hpp"
#include "sluice/cuda/gpu.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/model/model.hpp"

using namespace sluice;
using Policies = Qwen3MoeCuda<>;
extern template class sluice::cuda::Forward<Policies>;  // in tests/cuda/gpu/kernels.cu

namespace {

constexpr std::size_t batch = 512;

struct Sizes {
    std::size_t prompt, generate, rows;
};

class Rates {
    using Forward = cuda::Forward<Policies>;

public:
    Rates(cuda::Gpu& gpu, model::Ready<Policies::KvCache, Forward> ready, Policies::Sampler sampler, std::size_t rows)
        : gpu_(gpu),
          ready_(std::move(ready)),
          sampler_(std::move(sampler)),
          logits_(ready_.forward.make_logits(gpu, rows)),
          tokens_(rows) {}

    //! Seconds of the prompts and of the steps behind them.
    Expected<std::pair<double, double>> measure(const Sizes& sizes) {
        for (std::size_t s = 0; s < sizes.rows; ++s) ready_.cache.truncate(s, 0);
        const auto start = std::chrono::steady_clock::now();
        for (std::size_t s = 0; s < sizes.rows; ++s) {
            for (std::size_t at = 0; at < sizes.prompt; at += batch) {
                rows_.clear();
                for (std::size_t p = at; p < std::min(at + batch, sizes.prompt); ++p) {
                    const auto token = static_cast<Token>((p * 7919 + s * 104729) % ready_.forward.vocab());
                    add(token, s, p, p + 1 == sizes.prompt);
                }
                SLUICE_TRY(ready_.forward(gpu_, ready_.cache, rows_, logits_));
            }
            SLUICE_TRY(sampler_.start(logits_.row(0), context(s, false)));
            SLUICE_ASSIGN(tokens_[s], sampler_.wait(logits_.row(0)));
        }
        const auto middle = std::chrono::steady_clock::now();
        for (std::size_t i = 0; i < sizes.generate; ++i) {
            rows_.clear();
            for (std::size_t s = 0; s < sizes.rows; ++s) add(tokens_[s], s, ready_.cache.length(s), true);
            SLUICE_TRY(ready_.forward(gpu_, ready_.cache, rows_, logits_));
            const bool goes_on = sizes.rows == 1 && i + 1 < sizes.generate;
            for (std::size_t s = 0; s < sizes.rows; ++s) {
                SLUICE_TRY(sampler_.start(logits_.row(s), context(s, goes_on)));
            }
            for (std::size_t s = 0; s < sizes.rows; ++s) {
                SLUICE_ASSIGN(tokens_[s], sampler_.wait(logits_.row(s)));
            }
        }
        const std::chrono::duration<double> prompt = middle - start, steps = std::chrono::steady_clock::now() - middle;
        return std::pair(prompt.count(), steps.count());
    }

private:
    void add(Token token, std::size_t sequence, std::size_t position, bool wants_logits) {
        rows_.push_back(
            {token, static_cast<std::int32_t>(sequence), static_cast<std::int32_t>(position), wants_logits});
    }
    SampleContext context(std::size_t sequence, bool goes_on) const {
        return {.seed = 1,
                .sequence = static_cast<std::uint32_t>(sequence),
                .position = static_cast<std::uint32_t>(ready_.cache.length(sequence)),
                .goes_on = goes_on};
    }

    cuda::Gpu& gpu_;
    model::Ready<Policies::KvCache, Forward> ready_;
    Policies::Sampler sampler_;
    Forward::Logits logits_;
    std::vector<Token> tokens_;  // the newest of each sequence
    std::vector<Row> rows_;
};

Status run(const std::string& path, const Sizes& sizes) {
    SLUICE_ASSIGN(const gguf::File file, gguf::File::open(path));
    SLUICE_ASSIGN(const auto model, model::ModelOf<Policies>::read(file, 0));
    SLUICE_ASSIGN(cuda::Gpu gpu, cuda::Gpu::create());
    const auto& s = model.shape;
    const KvCacheShape cache{s.layers, s.kv_heads, s.head_dim, sizes.rows, sizes.prompt + sizes.generate};
    SLUICE_ASSIGN(auto ready, cuda::Forward<Policies>::create(gpu, model, cache, batch));
    SLUICE_ASSIGN(auto sampler, Policies::Sampler::make({.temperature = 0.8F, .top_p = 0.95F}));
    Rates rates(gpu, std::move(ready), std::move(sampler), sizes.rows);
    std::array<double, 5> prompt{}, steps{};
    SLUICE_TRY(rates.measure(sizes));  // the first one loads the kernels
    for (std::size_t i = 0; i < prompt.size(); ++i) {
        SLUICE_ASSIGN(const auto seconds, rates.measure(sizes));
        prompt[i] = seconds.first;
        steps[i] = seconds.second;
    }
    std::sort(prompt.begin(), prompt.end());
    std::sort(steps.begin(), steps.end());
    std::cout << "{\"prompt\": " << sizes.prompt << ", \"generate\": " << sizes.generate << ", \"rows\": " << sizes.rows
              << ", \"prompt_ts\": " << static_cast<double>(sizes.prompt * sizes.rows) / prompt[2]
              << ", \"generate_ts\": " << static_cast<double>(sizes.generate * sizes.rows) / steps[2] << "}"
              << std::endl;
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    const auto number = [&](int i) { return static_cast<std::size_t>(std::strtoull(argv[i], nullptr, 10)); };
    if (argc != 5 || number(2) == 0 || number(3) == 0 || number(4) == 0 || number(4) > batch) {
        std::cerr << "usage: gpu_rates MODEL PROMPT GENERATE ROWS\n";
        return 2;
    }
    const Status status = run(argv[1], {number(2), number(3), number(4)});
    if (!status.ok()) std::cerr << "gpu_rates: " << status.message() << "\n";
    return status.ok() ? 0 : 1;
}
