// SPDX-License-Identifier: Apache-2.0
//! Tokens a second of the forward pass on a GPU, as one line of JSON: gpu_rates MODEL PROMPT GENERATE ROWS. A prompt of
//! PROMPT tokens in batches of 512; then GENERATE steps, each of the next token of ROWS sequences. Logits come back to
//! the host; nothing is sampled. The median of five.
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
public:
    Rates(cuda::Gpu& gpu, model::Ready<Policies, cuda::Forward<Policies>> ready)
        : gpu_(gpu), ready_(std::move(ready)), logits_(batch * ready_.forward.vocab()) {}

    //! Seconds of the prompt and of the steps behind it, which all sequences have.
    Expected<std::pair<double, double>> measure(const Sizes& sizes) {
        for (std::size_t s = 0; s < sizes.rows; ++s) ready_.cache.truncate(s, 0);
        const auto start = std::chrono::steady_clock::now();
        for (std::size_t at = 0; at < sizes.prompt; at += batch) {
            rows_.clear();
            for (std::size_t p = at; p < std::min(at + batch, sizes.prompt); ++p) add(0, p, p + 1 == sizes.prompt);
            SLUICE_TRY(ready_.forward(gpu_, ready_.cache, rows_, logits_));
        }
        const auto middle = std::chrono::steady_clock::now();
        for (std::size_t i = 0; i < sizes.generate; ++i) {
            rows_.clear();
            for (std::size_t s = 0; s < sizes.rows; ++s) add(s, ready_.cache.length(s), true);
            SLUICE_TRY(ready_.forward(gpu_, ready_.cache, rows_, logits_));
        }
        const std::chrono::duration<double> prompt = middle - start, steps = std::chrono::steady_clock::now() - middle;
        return std::pair(prompt.count(), steps.count());
    }

private:
    void add(std::size_t sequence, std::size_t position, bool wants_logits) {
        const auto token = static_cast<Token>((position * 7919 + sequence * 104729) % ready_.forward.vocab());
        rows_.push_back(
            {token, static_cast<std::int32_t>(sequence), static_cast<std::int32_t>(position), wants_logits});
    }

    cuda::Gpu& gpu_;
    model::Ready<Policies, cuda::Forward<Policies>> ready_;
    std::vector<float> logits_;
    std::vector<Row> rows_;
};

Status run(const std::string& path, const Sizes& sizes) {
    SLUICE_ASSIGN(const gguf::File file, gguf::File::open(path));
    SLUICE_ASSIGN(const auto model, model::Model<Policies>::read(file, 0));
    SLUICE_ASSIGN(cuda::Gpu gpu, cuda::Gpu::create());
    const auto& s = model.shape;
    const KvCacheShape cache{s.layers, s.kv_heads, s.head_dim, sizes.rows, sizes.prompt + sizes.generate};
    SLUICE_ASSIGN(auto ready, cuda::Forward<Policies>::create(gpu, model, cache, batch));
    Rates rates(gpu, std::move(ready));
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
              << ", \"prompt_ts\": " << static_cast<double>(sizes.prompt) / prompt[2]
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
