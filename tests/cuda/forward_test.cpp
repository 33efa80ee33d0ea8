// SPDX-License-Identifier: Apache-2.0
#include "sluice/cuda/forward.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "cuda/same_bits.hpp"
#include "sluice/cuda/emulated.hpp"
#include "support/goldens.hpp"
#include "support/numbers.hpp"
#include "support/tiny_model.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Emulated, cuda::Order;
using quant::Format;

namespace {

using P = Qwen3MoeOn<Emulated, Formats>;
constexpr TinyModel tiny{.layers = 1};
constexpr std::size_t tiny_head_dim = 64;

Expected<model::Ready<P, cuda::Forward<P>>> create(Emulated& device, const gguf::File& file, std::size_t max_rows = 4) {
    SLUICE_ASSIGN(const auto model, model::Model<P>::read(file, 0));
    const auto& s = model.shape;
    return cuda::Forward<P>::create(device, model, {s.layers, s.kv_heads, s.head_dim, 1, 8}, max_rows);
}

}  // namespace

TEST_CASE("cuda forward: the CPU's logits to the bit, in any order of threads and blocks") {
    for (const Order order : {Order::ascending, Order::descending}) {
        Emulated device({.order = order});
        check_same_bits<Formats>(*MemoryFile(tiny.in(Format::Q4_K, Format::Q6_K).draft()), device);
    }
}

TEST_CASE("cuda forward: the CPU's logits for float formats, sizes that are no multiple of a tile, and YaRN") {
    Emulated device;
    Draft draft = odd_model.in(Format::F32, Format::BF16).draft();
    draft.set("qwen3moe.rope.scaling.type", std::string("yarn"))
        .set("qwen3moe.rope.scaling.factor", 4.0F)
        .set("qwen3moe.rope.scaling.original_context_length", std::uint32_t{512});
    check_same_bits<Formats>(*MemoryFile(draft), device);
}

TEST_CASE("cuda forward: the CPU's logits where one expert has more rows than a tile, and the output is tied") {
    Emulated device;
    TinyModel model = tiny.in(Format::Q4_K);
    model.experts = 2;
    model.tied = true;
    const MemoryFile file(model.draft());
    OnBoth<Emulated, Formats> both(*file, device);
    both.feed(random_tokens(11, 1, 200));
}

// As far as the first tokens go, they are also compared with the goldens, which hold five positions of each prompt.
TEST_CASE("cuda forward: the first tokens of the golden prompts") {
    const gguf::File file = open_story_model();
    for (const auto& prompt : story_prompts()) {
        const std::string name = prompt.at("name");
        CAPTURE(name);
        Emulated device;
        OnBoth<Emulated, Formats> both(file, device);
        const std::vector<Token> tokens = tokens_of(prompt);
        const std::vector<float> got = both.feed(std::span(tokens).first(5));
        const auto& facts = prompt.at("formats").at("Q4_K_M");
        const std::vector<float> wanted = read_logits(source_path("tests/golden") / facts.at("logits"));
        const auto positions = prompt.at("positions").get<std::vector<std::size_t>>();
        const std::size_t vocab = wanted.size() / positions.size();
        for (std::size_t i = 0; i < positions.size(); ++i) {
            if ((positions[i] + 1) * vocab > got.size()) continue;
            const double error =
                nmse(std::span(got).subspan(positions[i] * vocab, vocab), std::span(wanted).subspan(i * vocab, vocab));
            std::cout << name << ", position " << positions[i] << ": NMSE " << error << std::endl;
            CHECK(error <= 1.1 * facts.at("llama_cpp_f16").at("worst_position_nmse").get<double>());
        }
    }
}

TEST_CASE("cuda forward: too little memory is told with both numbers, before anything is allocated") {
    const MemoryFile file(tiny.in(Format::Q4_K).draft());
    Emulated small({.memory = 1000});
    const auto ready = create(small, *file);
    REQUIRE(!ready.ok());
    CHECK(ready.status().code() == Errc::out_of_capacity);
    const std::string what = ready.status().what();
    CHECK(what.find("1000 of the device's 1000 are free") != std::string::npos);
    const std::size_t need = std::stoull(what.substr(what.find("need ") + 5));
    Emulated enough({.memory = need}), short_by_one({.memory = need - 1});
    CHECK(create(enough, *file).ok());
    CHECK(!create(short_by_one, *file).ok());
}

TEST_CASE("cuda forward: refuses what its kernels cannot do") {
    Emulated device;
    Draft draft = tiny.in(Format::Q4_K).draft();
    draft.add("blk.0.ffn_up_exps.weight", Format::Q6_K, {256, 256, 4}, random_floats(256 * 256 * 4, 3));
    const auto mixed = create(device, *MemoryFile(draft));
    REQUIRE(!mixed.ok());
    CHECK(
        mixed.status().message() ==
        "cuda: ffn_gate_exps and ffn_up_exps: are Q4_K and Q6_K, but one kernel multiplies both; quantize both to one "
        "format, or run the model on the CPU");
    const auto wide = create(device, *MemoryFile(tiny.in(Format::Q4_K).draft()), 40000);
    REQUIRE(!wide.ok());
    CHECK(wide.status().where() == "cuda: batch");
}

TEST_CASE("cuda forward: a refused or cancelled pass leaves the cache as it was") {
    Emulated device;
    const MemoryFile file(tiny.in(Format::Q4_K).draft());
    auto ready = create(device, *file);
    REQUIRE(ready.ok());
    std::vector<float> logits(ready->forward.vocab());
    const auto feed = [&](Row row, const std::atomic<bool>* cancel = nullptr) {
        return ready->forward(device, ready->cache, {&row, 1}, logits, cancel);
    };
    CHECK(feed({1, 0, 0, true}).ok());
    CHECK(feed({1, 0, 3, true}).code() == Errc::invalid_argument);
    const std::atomic<bool> stop = true;
    CHECK(feed({1, 0, 1, true}, &stop).code() == Errc::cancelled);
    CHECK(ready->cache.length(0) == 1);

    auto other = cuda::ContiguousKvCache<Emulated, Half>::create({1, 2, tiny_head_dim, 1, 9});
    REQUIRE(other.ok());
    const Row row{1, 0, 0, true};
    CHECK(ready->forward(device, *other, {&row, 1}, logits).code() == Errc::invalid_argument);
}
