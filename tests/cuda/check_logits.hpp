// SPDX-License-Identifier: Apache-2.0
//! Steps of a model whose logits stay on the device, beside the CPU's: the rows that the device computes without being
//! asked, and those that it computes in vain. For the emulated device and for a GPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "cuda/on_device.hpp"
#include "sluice/concepts/sampler.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cpu/kv_cache.hpp"
#include "sluice/cuda/forward.hpp"
#include "sluice/cuda/logits.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/cuda/policies.hpp"
#include "sluice/cuda/sampler.hpp"
#include "sluice/model/model.hpp"
#include "sluice/sampler/standard.hpp"
#include "support/numbers.hpp"
#include "support/runner.hpp"
#include "support/tiny_model.hpp"

namespace sluice::test {

//! A tiny model on the device, and the same on the CPU, with a sampler each. Q: formats, Q4_K among them. Two
//! sequences of eight positions.
template <cuda::Device D, class Q>
class Sampled {
    using P = Qwen3MoeOn<D, Q>;
    static constexpr std::size_t sequences = 2, capacity = 8, max_rows = 4;

public:
    explicit Sampled(D& device)
        : device_(device), ready_(make()), logits_(ready_.forward.make_logits(device, max_rows)) {}

    //! The rows go to both.
    void feed(const std::vector<Row>& rows) {
        on_cpu_ = cpu_.feed(rows);
        const std::size_t before = launches(device_);
        const Status status = ready_.forward(device_, ready_.cache, rows, logits_);
        REQUIRE_MESSAGE(status.ok(), status.message());
        launched_ = launches(device_) - before;
        check_logits();
    }
    //! A row at which the device has been already: its logits are there before anybody asks for them.
    void feed_foreseen(const Row& row) {
        on_cpu_ = cpu_.feed(std::vector{row});
        check_logits();
        const std::size_t cached = length(), before = launches(device_);
        const Status status = ready_.forward(device_, ready_.cache, {&row, 1}, logits_);
        REQUIRE_MESSAGE(status.ok(), status.message());
        if constexpr (counts_launches<D>) CHECK(launches(device_) == before);
        CHECK(length() == cached + 1);
        check_logits();
    }
    //! The token after row `i` of the logits, which is the CPU's.
    Token sample(bool goes_on, std::size_t i = 0) {
        const SampleContext context{.seed = 5, .position = ++position_, .goes_on = goes_on};
        const std::size_t before = launches(device_);
        const auto token = sampler_.sample(logits_.row(i), context);
        REQUIRE_MESSAGE(token.ok(), token.status().message());
        launched_ = launches(device_) - before;
        std::vector<float> row = row_on_cpu(i);
        CHECK(*token == *cpu_sampler_.sample(row, context));
        return *token;
    }
    //! The outcome of other parameters, after which the device may go on.
    Expected<Token> sample_with(const SamplingParams& params) {
        return cuda::DeviceSampler::make(params)->sample(logits_.row(0), {.goes_on = true});
    }
    //! The last logits, as the device has them.
    void check_logits() const {
        std::vector<float> row(cpu_.vocab());
        for (std::size_t i = 0; (i + 1) * row.size() <= on_cpu_.size(); ++i) {
            const Status status = logits_.read(i, row);
            REQUIRE_MESSAGE(status.ok(), status.message());
            CHECK(same_bits(row, row_on_cpu(i)));
        }
    }
    //! A row whose logits go to the host, and which is forgotten.
    void compute_aside(const Row& row) {
        std::vector<float> on_host(cpu_.vocab());
        REQUIRE(ready_.forward(device_, ready_.cache, {&row, 1}, std::span<float>(on_host)).ok());
        ready_.cache.truncate(0, static_cast<std::size_t>(row.position));
    }
    void truncate(std::size_t length) {
        ready_.cache.truncate(0, length);
        cpu_.cache.truncate(0, length);
    }

    std::size_t vocab() const { return cpu_.vocab(); }
    std::size_t length() const { return ready_.cache.length(0); }

    //! Kernels in the last feed() and sample(), where the device counts them.
    std::size_t launched() const { return launched_; }
    void check_launched(std::size_t wanted) const {
        if constexpr (counts_launches<D>) CHECK(launched_ == wanted);
    }

private:
    static SamplingParams params() { return {.temperature = 1.0F, .top_p = 0.95F}; }

    //! A copy, as samplers overwrite it.
    std::vector<float> row_on_cpu(std::size_t i) const {
        const auto row = on_cpu_.begin() + static_cast<std::ptrdiff_t>(i * vocab());
        return {row, row + static_cast<std::ptrdiff_t>(vocab())};
    }

    model::Ready<typename P::KvCache, cuda::Forward<P>> make() {
        const auto model = model::ModelOf<P>::read(*file_, 0);
        REQUIRE(model.ok());
        const auto& s = model->shape;
        std::size_t copied = 0, all = 1;
        auto made = cuda::Forward<P>::create(device_, *model, {s.layers, s.kv_heads, s.head_dim, sequences, capacity},
                                             max_rows, [&](std::size_t done, std::size_t total) {
                                                 CHECK(done > copied);
                                                 copied = done;
                                                 all = total;
                                             });
        CHECK(copied == all);
        REQUIRE_MESSAGE(made.ok(), made.status().message());
        return std::move(*made);
    }

    MemoryFile file_{TinyModel{.layers = 1}.in(quant::Format::Q4_K).draft()};
    D& device_;
    model::Ready<typename P::KvCache, cuda::Forward<P>> ready_;
    typename cuda::Forward<P>::Logits logits_;
    cuda::DeviceSampler sampler_ = *cuda::DeviceSampler::make(params());
    Runner<CoreOf<Q, cpu::KvCacheF16>> cpu_{*file_,
                                            {.max_rows = max_rows, .capacity = capacity, .sequences = sequences}};
    StandardSampler cpu_sampler_ = *make_standard_sampler(params());
    std::vector<float> on_cpu_;  // the last logits
    std::uint32_t position_ = 0;
    std::size_t launched_ = 0;
};

//! The device goes on to the row of a sampled token, once, and only if it may.
template <class Q, cuda::Device D>
void check_goes_on(D& device) {
    Sampled<D, Q> s(device);
    s.feed({{1, 0, 0, false}, {2, 0, 1, true}});
    Token token = s.sample(false);
    const std::size_t sampling = s.launched();
    s.feed({{token, 0, 2, true}});
    const std::size_t step = s.launched();

    token = s.sample(true);
    s.check_launched(sampling + step);
    CHECK(s.length() == 3);  // nobody has asked for the row yet
    s.feed_foreseen({token, 0, 3, true});
    token = s.sample(true);
    s.feed_foreseen({token, 0, 4, true});
    token = s.sample(false);
    s.check_launched(sampling);
    s.feed({{token, 0, 5, true}});
    s.check_launched(step);
    if constexpr (counts_launches<D>) {
        CHECK(step == 12 + 4);  // a layer's kernels, and those around the layers: docs/cuda.md
        CHECK(sampling == 5);
    }
}

//! Another row than the foreseen one is computed, as if nothing had been foreseen.
template <class Q, cuda::Device D>
void check_goes_on_otherwise(D& device) {
    Sampled<D, Q> s(device);
    s.feed({{1, 0, 0, true}});
    s.feed({{(s.sample(true) + 1) % 4, 0, 1, true}});  // another token
    static_cast<void>(s.sample(true));
    s.truncate(1);  // another position
    // Two rows have logits: what went on behind the one would overwrite the other's.
    s.feed({{3, 0, 1, true}, {2, 1, 0, true}});
    static_cast<void>(s.sample(true, 1));
    static_cast<void>(s.sample(true, 0));
    s.feed({{1, 0, 2, true}});
    static_cast<void>(s.sample(false));

    // A pass that hands its logits to the host comes in between.
    s.feed({{2, 0, 3, true}});
    const Token token = s.sample(true);
    s.compute_aside({(token + 1) % 4, 0, 4, true});
    s.feed({{token, 0, 4, true}});
    static_cast<void>(s.sample(false));
}

//! Nothing is foreseen behind the last position, nor after an error.
template <class Q, cuda::Device D>
void check_does_not_go_on(D& device) {
    Sampled<D, Q> s(device);
    s.feed({{1, 0, 0, true}});
    const std::size_t sampling = (static_cast<void>(s.sample(false)), s.launched());
    for (std::int32_t position = 1; position < 8; ++position) s.feed({{2, 0, position, true}});
    static_cast<void>(s.sample(true));
    s.check_launched(sampling);

    constexpr float never = -std::numeric_limits<float>::infinity();
    s.truncate(0);
    s.feed({{1, 0, 0, true}});
    CHECK(*s.sample_with({.logit_bias = {{2, never}}}) != 2);
    std::vector<TokenBias> all;
    for (Token t = 0; t < static_cast<Token>(s.vocab()); ++t) all.push_back({t, never});
    s.feed({{1, 0, 1, true}});
    CHECK(s.sample_with({.logit_bias = all}).status().code() == Errc::numeric);
    s.feed({{0, 0, 2, true}});  // the row that the device took up after the error
    static_cast<void>(s.sample(false));
}

}  // namespace sluice::test
