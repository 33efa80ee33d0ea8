// SPDX-License-Identifier: Apache-2.0
//! A program of its own, since it replaces operator new for all of itself: decoding allocates nothing.
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <doctest/doctest.h>
#include <new>
#include <string>
#include <vector>

#include "sluice/draft/prompt_lookup.hpp"
#include "sluice/pipeline/pipeline.hpp"
#include "sluice/sink/callback.hpp"
#include "support/goldens.hpp"

namespace {

std::atomic<std::size_t> allocations{0};

void* counted(std::size_t size, std::size_t alignment) {
    ++allocations;
    void* p = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (p == nullptr) throw std::bad_alloc();
    return p;
}

}  // namespace

// The array forms of the standard library end in these. Inlined, g++ would take new and free for a
// mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) { return counted(size, alignof(std::max_align_t)); }
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
    return counted(size, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    ++allocations;
    return std::malloc(size);
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

using namespace sluice;
using namespace sluice::test;

TEST_CASE("allocation: the counter sees vectors, strings and buffers") {
    static const void* volatile seen = nullptr;  // else a compiler may leave out an allocation that nobody looks at
    const std::size_t before = allocations;
    seen = std::vector<int>(1000).data();
    seen = std::string(1000, 'a').data();
    seen = Buffer<float>(1000).data();
    CHECK(seen != nullptr);
    CHECK(allocations == before + 3);
}

namespace {
struct WithPromptLookup : Qwen3MoeCpu<quant::Q4_K_M> {
    using Drafter = draft::PromptLookup;
};
}  // namespace

TEST_CASE("allocation: none in 50 decode steps after warm-up, sampler, sink, stop strings and guesses included") {
    auto pipeline = Pipeline<WithPromptLookup>::load(source_path("samples/models/story-Q4_K_M.gguf"), {.threads = 2});
    REQUIRE_MESSAGE(pipeline.ok(), pipeline.status().message());
    SamplingParams params;
    std::size_t max_draft = 0, accepted = 0;
    SUBCASE("greedy") {}
    SUBCASE("a text that is guessed") {
        params = {.logit_bias = {{7, 1e6F}}};
        max_draft = draft::PromptLookup::max_tokens;
        accepted = 50;
    }
    SUBCASE("a draw from very many") { params = {.temperature = 1.5F, .top_p = 0.99F}; }
    SUBCASE("all stages") {
        params = {.temperature = 0.9F,
                  .top_k = 40,
                  .top_p = 0.9F,
                  .min_p = 0.01F,
                  .repetition_penalty = 1.1F,
                  .presence_penalty = 0.1F,
                  .frequency_penalty = 0.1F,
                  .logit_bias = {{7, 1.0F}}};
    }
    auto sampler = make_standard_sampler(params);
    REQUIRE(sampler.ok());

    constexpr std::size_t warm_up = 30, steps = 50;  // the text buffers grow to the longest piece
    std::size_t at_start = 0, at_end = 0;
    CallbackSink sink([&](const TokenEvent& event) {
        if (event.index == warm_up) at_start = allocations;
        if (event.index == warm_up + steps) at_end = allocations;
    });
    const auto result = pipeline->generate("Once upon a time",
                                           {.max_tokens = warm_up + steps + 1,
                                            .stop = {"never to be seen", "}"},
                                            .ignore_stop_tokens = true,
                                            .max_draft = max_draft},
                                           *sampler, sink);
    REQUIRE_MESSAGE(result.ok(), result.status().message());
    REQUIRE(result->usage.completion_tokens == warm_up + steps + 1);
    CHECK(result->drafts.accepted >= accepted);
    CHECK(at_end - at_start == 0);
}
