// SPDX-License-Identifier: Apache-2.0
#include "sluice/cuda/forward.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <iostream>
#include <nlohmann/json.hpp>
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

using P = PoliciesOn<Emulated, Formats>;
constexpr TinyModel tiny{.layers = 1};
constexpr std::size_t tiny_head_dim = 64;

Expected<model::Ready<typename P::KvCache, cuda::HybridForward<P>>> create(Emulated& device, const gguf::File& file,
                                                                           std::size_t max_rows = 4,
                                                                           std::size_t cpu_moe = 0) {
    SLUICE_ASSIGN(const auto model, model::ModelOf<P>::read(file, 0));
    const auto& s = model.shape;
    return cuda::HybridForward<P>::create(device, model, {s.layers, s.kv_heads, s.head_dim, 1, 8}, max_rows, {},
                                          {.layers = cpu_moe});
}

std::atomic<bool> asked_to_stop = false;

//! Experts in whose time somebody asks the pass to stop.
struct InterruptedExperts {
    InterruptedExperts(const ExpertsShape&, cpu::ActivationForms) {}
    template <class Q>
    void apply(auto& team, const ExpertWeights&, const cpu::Activations<>&, std::span<const ExpertChoice>, float*) {
        if (team.rank() == 0) asked_to_stop = true;
    }
};
struct Interrupted : P {
    using Experts = InterruptedExperts;
};

//! The bytes of device memory that an error says are needed.
std::size_t needed(const Status& error) {
    const std::string what = error.what();
    return std::stoull(what.substr(what.find("need ") + 5));
}

}  // namespace

TEST_CASE("cuda forward: the CPU's logits to the bit, in any order of threads and blocks") {
    for (const Order order : {Order::ascending, Order::descending}) {
        Emulated device({.order = order});
        check_same_bits<Formats>(*MemoryFile(tiny.in(Format::Q4_K, Format::Q6_K).draft()), device);
    }
}

TEST_CASE("cuda forward: the CPU's logits with a cache of Q8_0, which the model's heads must fit") {
    Emulated device;
    check_same_bits<Formats, quant::Q8_0::Block>(*MemoryFile(tiny.in(Format::Q4_K, Format::Q6_K).draft()), device);

    using Compact = PoliciesOn<Emulated, Formats, quant::Q8_0::Block>;
    const MemoryFile odd(odd_model.in(Format::F32).draft());
    const auto model = model::ModelOf<Compact>::read(*odd, 0);
    REQUIRE(model.ok());
    const auto& s = model->shape;
    const auto ready = cuda::Forward<Compact>::create(device, *model, {s.layers, s.kv_heads, s.head_dim, 1, 8}, 4);
    REQUIRE(!ready.ok());
    CHECK(ready.status().what() == "stores blocks of 32 elements, but this model's heads have 16");
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

// From sixteen rows on, tensor cores multiply.
TEST_CASE("cuda forward: the CPU's logits of a long batch, in any order of threads and blocks") {
    for (const Order order : {Order::ascending, Order::descending}) {
        Emulated device({.order = order});
        const MemoryFile file(tiny.in(Format::Q4_K, Format::Q6_K).draft());
        OnBoth<Emulated, Formats> both(*file, device);
        both.feed(random_tokens(2, 1, 200));
        both.feed(random_tokens(16, 2, 200));
        both.feed(random_tokens(1, 3, 200));
    }
}

TEST_CASE("cuda forward: the CPU's logits behind two thousand positions, whose attention is of several spans") {
    Emulated device;
    check_long_context<Formats>(*MemoryFile(tiny.in(Format::Q4_K, Format::Q6_K).draft()), device);
}

namespace {

//! The logits of a golden prompt at the positions that the goldens hold. Its last token is computed alone, those before
//! it in one batch: for one row, few (14) and many (18, 76, 387) there are kernels of their own.
std::vector<float> logits_of(const nlohmann::json& prompt) {
    const std::vector<Token> tokens = tokens_of(prompt);
    const auto positions = prompt.at("positions").get<std::vector<std::size_t>>();
    std::vector<Row> rows;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        const bool is_golden = std::find(positions.begin(), positions.end(), i) != positions.end();
        rows.push_back({tokens[i], 0, static_cast<std::int32_t>(i), is_golden});
    }
    const std::span<const Row> all = rows;
    const gguf::File file = open_story_model();
    Emulated device;
    OnBoth<Emulated, Formats> both(file, device, {.capacity = rows.size(), .max_rows = rows.size()});
    std::vector<float> logits = both.feed(all.first(rows.size() - 1));
    const std::vector<float> last = both.feed(all.last(1));
    logits.insert(logits.end(), last.begin(), last.end());
    return logits;
}

//! Judges them as tests/golden does: beside the errors that llama.cpp makes, at the median position and the worst one.
void check_golden(const std::string& name) {
    const nlohmann::json prompts = story_prompts();
    const auto prompt =
        std::find_if(prompts.begin(), prompts.end(), [&](const auto& p) { return p.at("name") == name; });
    REQUIRE(prompt != prompts.end());
    REQUIRE(prompts.size() == 4);  // each has a case below
    const auto& facts = prompt->at("formats").at("Q4_K_M");
    const std::vector<float> wanted = read_logits(source_path("tests/golden") / facts.at("logits"));
    const std::vector<float> got = logits_of(*prompt);
    REQUIRE(got.size() == wanted.size());
    const std::size_t vocab = wanted.size() / prompt->at("positions").size();
    std::vector<double> errors;
    for (std::size_t at = 0; at < wanted.size(); at += vocab) {
        errors.push_back(nmse(std::span(got).subspan(at, vocab), std::span(wanted).subspan(at, vocab)));
        std::cout << name << ", position " << prompt->at("positions").at(at / vocab) << ": NMSE " << errors.back()
                  << std::endl;
    }
    std::sort(errors.begin(), errors.end());
    const auto& theirs = facts.at("llama_cpp_f16");
    CHECK(errors[errors.size() / 2] <= 1.1 * theirs.at("nmse").get<double>());
    CHECK(errors.back() <= 1.1 * theirs.at("worst_position_nmse").get<double>());
}

}  // namespace

TEST_CASE("cuda forward: golden logits of the prompt story-opening") { check_golden("story-opening"); }
TEST_CASE("cuda forward: golden logits of the prompt chat-request") { check_golden("chat-request"); }
TEST_CASE("cuda forward: golden logits of the prompt utf8") { check_golden("utf8"); }
TEST_CASE("cuda forward: golden logits of the prompt long-chat-question") { check_golden("long-chat-question"); }

TEST_CASE("cuda forward: too little memory is told with both numbers, before anything is allocated") {
    const MemoryFile file(tiny.in(Format::Q4_K).draft());
    Emulated small({.memory = 1000});
    const auto ready = create(small, *file);
    REQUIRE(!ready.ok());
    CHECK(ready.status().code() == Errc::out_of_capacity);
    CHECK(ready.status().what().find("1000 of the device's 1000 are free") != std::string::npos);
    const std::size_t need = needed(ready.status());
    Emulated enough({.memory = need}), short_by_one({.memory = need - 1});
    CHECK(create(enough, *file).ok());
    CHECK(!create(short_by_one, *file).ok());
}

TEST_CASE("cuda forward: the CPU's logits, whichever layers keep their experts on the CPU") {
    const MemoryFile file(TinyModel{.layers = 2}.in(Format::Q4_K, Format::Q6_K).draft());
    for (const std::size_t cpu_moe : {1UL, 2UL, 3UL}) {
        CAPTURE(cpu_moe);
        Emulated device;
        check_same_bits<Formats>(*file, device, cpu_moe);
    }
}

TEST_CASE("cuda forward: experts that stay on the CPU take no memory of the device, and may be of mixed formats") {
    const TinyModel two{.layers = 2};
    Draft draft = two.in(Format::Q4_K).draft();
    draft.add("blk.1.ffn_up_exps.weight", Format::Q6_K, {256, 256, 4}, random_floats(256 * 256 * 4, 3));
    const MemoryFile file(draft);
    Emulated small({.memory = 1000});
    CHECK(create(small, *file, 4, 0).status().where() == "cuda: ffn_gate_exps and ffn_up_exps");
    const auto one = create(small, *file, 4, 1), both = create(small, *file, 4, 2);
    constexpr std::size_t q4_k = 4 * 256 * 144;                                  // of a layer's gate, up or down
    CHECK(needed(one.status()) - needed(both.status()) == 3 * q4_k + q4_k / 2);  // half: a smaller staging buffer
    CHECK(one.status().mend().find("experts of more layers on the CPU") != std::string::npos);
    Emulated enough({.memory = needed(both.status())});
    CHECK(create(enough, *file, 4, 2).ok());
    CHECK(!create(enough, *file, 4, 1).ok());
}

TEST_CASE("cuda forward: the bundle's Experts compute on the CPU, and a pass is cancelled between two hops") {
    Emulated device;
    const MemoryFile file(TinyModel{.layers = 2}.in(Format::Q4_K).draft());
    const auto model = model::ModelOf<Interrupted>::read(*file, 0);
    REQUIRE(model.ok());
    auto ready =
        cuda::HybridForward<Interrupted>::create(device, *model, {2, 2, tiny_head_dim, 1, 8}, 2, {}, {.layers = 2});
    REQUIRE(ready.ok());
    std::vector<float> logits(2 * ready->forward.vocab());
    for (const std::size_t count : {1UL, 2UL}) {  // one row is recorded, two are not
        asked_to_stop = false;
        const std::vector<Row> rows = {{1, 0, 0, true}, {2, 0, 1, true}};
        const Status status =
            ready->forward(device, ready->cache, std::span(rows).first(count), logits, &asked_to_stop);
        REQUIRE(!status.ok());
        CHECK(status.code() == Errc::cancelled);
        CHECK(ready->cache.length(0) == 0);
    }
}

TEST_CASE("cuda forward: a device's half alone does not compute a model whose experts are elsewhere") {
    Emulated device;
    const MemoryFile file(tiny.in(Format::Q4_K).draft());
    const auto model = model::ModelOf<P>::read(*file, 0);
    REQUIRE(model.ok());
    auto ready = cuda::Forward<P>::create(device, *model, {1, 2, tiny_head_dim, 1, 8}, 1, {}, 1);
    REQUIRE(ready.ok());
    std::vector<float> logits(ready->forward.vocab());
    const Row row{1, 0, 0, true};
    CHECK(ready->forward(device, ready->cache, {&row, 1}, logits).what() == "has layers without experts");
    CHECK(ready->cache.length(0) == 0);
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

    auto other = cuda::KvCacheF16<Emulated>::create({1, 2, tiny_head_dim, 1, 9});
    REQUIRE(other.ok());
    const Row row{1, 0, 0, true};
    CHECK(ready->forward(device, *other, {&row, 1}, logits).code() == Errc::invalid_argument);
}
