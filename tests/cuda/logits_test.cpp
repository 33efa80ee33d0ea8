// SPDX-License-Identifier: Apache-2.0
#include "sluice/cuda/logits.hpp"

#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <utility>
#include <vector>

#include "cuda/same_bits.hpp"
#include "sluice/cuda/emulated.hpp"
#include "sluice/cuda/policies.hpp"
#include "sluice/cuda/sampler.hpp"
#include "sluice/sampler/standard.hpp"
#include "support/tiny_model.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Emulated;

namespace {

using Tested = Qwen3MoeOn<Emulated, Formats>;

//! A tiny model on the device, and the same on the CPU, with a sampler each. Eight positions.
struct Sampled {
    static constexpr std::size_t capacity = 8;

    MemoryFile file{TinyModel{.layers = 1}.in(quant::Format::Q4_K).draft()};
    Emulated device;
    model::Ready<Tested::KvCache, cuda::Forward<Tested>> ready = make();
    cuda::DeviceLogits<Emulated> logits = ready.forward.make_logits(device, 4);
    cuda::DeviceSampler sampler = *cuda::DeviceSampler::make(params());
    Runner<CoreOf<Formats, cpu::KvCacheF16>> cpu{*file, {.max_rows = 4, .capacity = capacity}};
    StandardSampler cpu_sampler = *make_standard_sampler(params());
    std::size_t launched = 0;  // kernels, in the last feed() and sample()

    static SamplingParams params() { return {.temperature = 1.0F, .top_p = 0.95F}; }

    //! The rows go to both.
    void feed(const std::vector<Row>& rows) {
        on_cpu = cpu.feed(rows);
        const std::size_t before = device.launches();
        const Status status = ready.forward(device, ready.cache, rows, logits);
        REQUIRE_MESSAGE(status.ok(), status.message());
        launched = device.launches() - before;
    }
    //! The token after row `i` of the logits, which is the CPU's.
    Token sample(bool goes_on, std::size_t i = 0) {
        const SampleContext context{.seed = 5, .position = ++position, .goes_on = goes_on};
        const std::size_t before = device.launches();
        const auto token = sampler.sample(logits.row(i), context);
        REQUIRE_MESSAGE(token.ok(), token.status().message());
        launched = device.launches() - before;
        const auto row = on_cpu.begin() + static_cast<std::ptrdiff_t>(i * cpu.vocab());
        std::vector<float> copy(row, row + static_cast<std::ptrdiff_t>(cpu.vocab()));  // the sampler overwrites it
        CHECK(*token == *cpu_sampler.sample(copy, context));
        return *token;
    }

private:
    model::Ready<Tested::KvCache, cuda::Forward<Tested>> make() {
        const auto model = model::ModelOf<Tested>::read(*file, 0);
        REQUIRE(model.ok());
        const auto& s = model->shape;
        std::size_t copied = 0, all = 1;
        auto made = cuda::Forward<Tested>::create(device, *model, {s.layers, s.kv_heads, s.head_dim, 1, capacity}, 4,
                                                  [&](std::size_t done, std::size_t total) {
                                                      CHECK(done > copied);
                                                      copied = done;
                                                      all = total;
                                                  });
        CHECK(copied == all);
        REQUIRE(made.ok());
        return std::move(*made);
    }

    std::vector<float> on_cpu;
    std::uint32_t position = 0;
};

}  // namespace

TEST_CASE("cuda logits: the device goes on to the row of a sampled token, once, and only if it may") {
    Sampled s;
    s.feed({{1, 0, 0, false}, {2, 0, 1, true}});
    Token token = s.sample(false);
    const std::size_t sampling = s.launched;
    s.feed({{token, 0, 2, true}});
    const std::size_t step = s.launched;
    CHECK(step == 12 + 4);  // a layer's kernels, and those around the layers: docs/cuda.md
    CHECK(sampling == 5);

    token = s.sample(true);
    CHECK(s.launched == sampling + step);
    CHECK(s.ready.cache.length(0) == 3);  // nobody has asked for the row yet
    s.feed({{token, 0, 3, true}});
    CHECK(s.launched == 0);
    CHECK(s.ready.cache.length(0) == 4);
    token = s.sample(false);
    s.feed({{token, 0, 4, true}});
    CHECK(s.launched == step);
}

TEST_CASE("cuda logits: another row than the foreseen one is computed, as if nothing had been foreseen") {
    Sampled s;
    s.feed({{1, 0, 0, true}});
    s.feed({{(s.sample(true) + 1) % 4, 0, 1, true}});  // another token
    CHECK(s.launched > 0);
    static_cast<void>(s.sample(true));
    s.ready.cache.truncate(0, 1);  // another position
    s.cpu.cache.truncate(0, 1);
    s.feed({{3, 0, 1, true}, {2, 0, 2, true}});
    static_cast<void>(s.sample(true, 1));  // two rows have logits: the device cannot know which goes on
    static_cast<void>(s.sample(true, 0));
    s.feed({{1, 0, 3, true}});
    CHECK(s.launched > 0);
    static_cast<void>(s.sample(false));

    // A pass that hands its logits to the host comes in between.
    const Token token = s.sample(true);
    std::vector<float> on_host(s.cpu.vocab());
    const Row other{(token + 1) % 4, 0, 4, true};
    REQUIRE(s.ready.forward(s.device, s.ready.cache, {&other, 1}, std::span<float>(on_host)).ok());
    s.ready.cache.truncate(0, 4);
    s.feed({{token, 0, 4, true}});
    CHECK(s.launched > 0);
    static_cast<void>(s.sample(false));
}

TEST_CASE("cuda logits: nothing is foreseen behind the last position, nor after an error") {
    Sampled s;
    s.feed({{1, 0, 0, true}});
    const std::size_t sampling = (static_cast<void>(s.sample(false)), s.launched);
    for (std::int32_t position = 1; position < 8; ++position) s.feed({{2, 0, position, true}});
    static_cast<void>(s.sample(true));
    CHECK(s.launched == sampling);

    s.ready.cache.truncate(0, 0);
    s.cpu.cache.truncate(0, 0);
    s.feed({{1, 0, 0, true}});
    auto biased = cuda::DeviceSampler::make({.logit_bias = {{2, -std::numeric_limits<float>::infinity()}}});
    std::vector<float> read(s.cpu.vocab());
    REQUIRE(s.logits.read(0, read).ok());
    CHECK(*biased->sample(s.logits.row(0), {.goes_on = true}) != 2);
    auto none = std::vector<TokenBias>();
    for (Token t = 0; t < static_cast<Token>(read.size()); ++t) {
        none.push_back({t, -std::numeric_limits<float>::infinity()});
    }
    s.feed({{1, 0, 1, true}});
    auto hopeless = cuda::DeviceSampler::make({.logit_bias = none});
    CHECK(hopeless->sample(s.logits.row(0), {.goes_on = true}).status().code() == Errc::numeric);
    s.feed({{0, 0, 2, true}});  // the row that the device took up after the error
    CHECK(s.launched > 0);
}
