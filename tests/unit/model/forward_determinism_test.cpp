// SPDX-License-Identifier: Apache-2.0
//! A row's logits depend on its own sequence alone, to the bit.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "sluice/model/forward.hpp"
#include "support/numbers.hpp"
#include "support/runner.hpp"
#include "support/tiny_model.hpp"

using namespace sluice;
using namespace sluice::test;
using quant::Format;

namespace {

using HalfCache = CoreOf<quant::Any, cpu::KvCacheF16>;
using FloatCache = CoreOf<quant::Any, cpu::KvCacheF32>;

//! Mixed integer formats, and floats with odd sizes.
const MemoryFile& integer_file() {
    static const MemoryFile file(TinyModel{.seed = 21}.in(Format::Q4_K, Format::Q6_K).draft());
    return file;
}
const MemoryFile& float_file() {
    static const MemoryFile file(odd_model.in(Format::BF16, Format::F32).draft());
    return file;
}

template <class F>
void for_both_files(F f) {
    SUBCASE("Q4_K and Q6_K") { f(*integer_file()); }
    SUBCASE("BF16 and F32") { f(*float_file()); }
}

std::span<const float> row(const std::vector<float>& logits, std::size_t index, std::size_t vocab) {
    return std::span(logits).subspan(index * vocab, vocab);
}

}  // namespace

TEST_CASE_TEMPLATE("determinism: 1 to 8 threads give the same logits", P, HalfCache, FloatCache) {
    for_both_files([](const gguf::File& file) {
        std::vector<float> wanted;
        for (std::size_t threads = 1; threads <= 8; ++threads) {
            CAPTURE(threads);
            Runner<P> runner(file, {.threads = threads});
            const std::vector<Token> tokens = random_tokens(13, 1, runner.vocab());
            std::vector<float> logits = runner.feed(std::span(tokens).first(10));
            const std::vector<float> decoded = runner.feed(std::span(tokens).subspan(10), 1);
            logits.insert(logits.end(), decoded.begin(), decoded.end());
            if (threads == 1) wanted = logits;
            CHECK(same_bits(logits, wanted));
        }
    });
}

TEST_CASE_TEMPLATE("determinism: a prompt in chunks of 1, 7, 64 or whole gives the same logits", P, HalfCache,
                   FloatCache) {
    for_both_files([](const gguf::File& file) {
        constexpr std::size_t count = 150;  // more than two of attention's chunks
        std::vector<float> wanted;
        for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}, std::size_t{64}, count}) {
            CAPTURE(chunk);
            Runner<P> runner(file, {.threads = 2, .max_rows = count});
            const std::vector<Token> tokens = random_tokens(count, 2, runner.vocab());
            const std::vector<float> logits = runner.feed(tokens, chunk);
            if (chunk == 1) wanted = logits;
            CHECK(same_bits(logits, wanted));
        }
    });
}

TEST_CASE_TEMPLATE("determinism: companions in the batch change nothing", P, HalfCache, FloatCache) {
    for_both_files([](const gguf::File& file) {
        constexpr std::size_t sequences = 3, count = 8;
        Runner<P> together(file, {.threads = 3, .sequences = sequences});
        std::vector<std::vector<Token>> tokens;
        std::vector<std::vector<float>> alone;
        for (std::uint32_t s = 0; s < sequences; ++s) {
            tokens.push_back(random_tokens(count, 30 + s, together.vocab()));
            alone.push_back(Runner<P>(file).feed(tokens.back()));
        }
        // Sequence s gets its next s + 1 tokens a batch, the sequences interleaved.
        std::vector<std::size_t> done(sequences, 0);
        while (std::ranges::any_of(done, [&](std::size_t n) { return n < count; })) {
            std::vector<Row> rows;
            for (std::size_t turn = 0; turn < sequences; ++turn) {
                for (std::size_t s = turn; s < sequences; ++s) {
                    if (done[s] == count) continue;
                    rows.push_back(
                        {tokens[s][done[s]], static_cast<std::int32_t>(s), static_cast<std::int32_t>(done[s]), true});
                    ++done[s];
                }
            }
            const std::vector<float> logits = together.feed(rows);
            for (std::size_t r = 0; r < rows.size(); ++r) {
                CAPTURE(r);
                const auto s = static_cast<std::size_t>(rows[r].sequence);
                const auto position = static_cast<std::size_t>(rows[r].position);
                CHECK(same_bits(row(logits, r, together.vocab()), row(alone[s], position, together.vocab())));
            }
        }
    });
}

TEST_CASE_TEMPLATE("determinism: after truncation the same tokens give the same logits", P, HalfCache, FloatCache) {
    for_both_files([](const gguf::File& file) {
        Runner<P> runner(file, {.threads = 2});
        const std::vector<Token> tokens = random_tokens(80, 4, runner.vocab());
        const std::vector<float> wanted = runner.feed(tokens);
        for (const std::size_t kept : {std::size_t{79}, std::size_t{64}, std::size_t{63}, std::size_t{0}}) {
            CAPTURE(kept);
            runner.cache.truncate(0, std::min<std::size_t>(kept, 50));
            static_cast<void>(runner.feed(random_tokens(20, 5, runner.vocab())));  // other tokens in their place
            runner.cache.truncate(0, std::min<std::size_t>(kept, 50));
            const std::vector<float> again = runner.feed(std::span(tokens).subspan(runner.cache.length(0)));
            CHECK(same_bits(std::span(again).last(runner.vocab()), row(wanted, 79, runner.vocab())));
        }
    });
}

TEST_CASE_TEMPLATE("determinism: decoding with the cache equals recomputing every prefix from scratch", P, HalfCache,
                   FloatCache) {
    for_both_files([](const gguf::File& file) {
        Runner<P> cached(file, {.threads = 2});
        const std::vector<Token> tokens = random_tokens(70, 6, cached.vocab());
        static_cast<void>(cached.feed(std::span(tokens).first(60)));
        for (std::size_t n = 61; n <= 70; ++n) {  // across a border of attention's chunks
            CAPTURE(n);
            const std::vector<float> next = cached.feed(std::span(tokens).subspan(n - 1, 1));
            const std::vector<float> scratch = Runner<P>(file).feed(std::span(tokens).first(n), 64);
            CHECK(same_bits(next, std::span(scratch).last(cached.vocab())));
        }
    });
}

TEST_CASE_TEMPLATE("determinism: more than 1024 positions, shared out by spans among many threads", P, HalfCache,
                   FloatCache) {
    const MemoryFile file(TinyModel{
        .layers = 1, .hidden = 32, .heads = 2, .kv_heads = 1, .head_dim = 16, .experts = 2, .used = 1, .ff = 16}
                              .draft());
    constexpr std::size_t count = 2100;
    std::vector<float> wanted;
    for (const std::size_t threads : {std::size_t{1}, std::size_t{2}, std::size_t{4}}) {
        CAPTURE(threads);
        Runner<P> runner(*file, {.threads = threads, .max_rows = 512, .capacity = count});
        const std::vector<Token> tokens = random_tokens(count, 7, runner.vocab());
        static_cast<void>(runner.feed(std::span(tokens).first(count - 3), 512));
        const std::vector<float> logits = runner.feed(std::span(tokens).last(3), 1);
        if (threads == 1) wanted = logits;
        CHECK(same_bits(logits, wanted));
    }
}

TEST_CASE("determinism: weights in the file's layout and interleaved ones give the same logits") {
    for (const auto& [first, second] : {std::pair(Format::Q4_K, Format::Q6_K), std::pair(Format::Q5_K, Format::Q8_0),
                                        std::pair(Format::Q4_0, Format::Q5_0), std::pair(Format::F32, Format::F16)}) {
        const MemoryFile file(TinyModel{.seed = 22}.in(first, second).draft());
        Runner<HalfCache> in_place(*file, {.interleave_limit = 0}), copied(*file);
        const std::vector<Token> tokens = random_tokens(11, 3, copied.vocab());
        const std::span<const Token> prompt = std::span(tokens).first(8), rest = std::span(tokens).subspan(8);
        CHECK(same_bits(in_place.feed(prompt), copied.feed(prompt)));
        CHECK(same_bits(in_place.feed(rest, 1), copied.feed(rest, 1)));
    }
}
