// SPDX-License-Identifier: Apache-2.0
#include "sluice/model/forward.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/contracts/reference_forward.hpp"
#include "support/numbers.hpp"
#include "support/runner.hpp"
#include "support/tiny_model.hpp"

using namespace sluice;
using namespace sluice::test;
using contracts::ReferenceForward;
using contracts::ReferenceRoundings;
using quant::Format;

namespace {

template <class Q, class Cache = cpu::KvCacheF32>
double error_against_reference(const TinyModel& model, ReferenceRoundings roundings = {}) {
    const MemoryFile file(model.draft());
    Runner<CoreOf<Q, Cache>> runner(*file);
    const std::vector<Token> tokens = random_tokens(20, 5, runner.vocab());
    return nmse(runner.feed(tokens), ReferenceForward(*file, roundings)(tokens));
}

//! The errors of single positions of a few models, the reference rounding activations as the formats ask for: their
//! median, or infinity if one is beyond what flipped roundings explain.
template <class Q>
double median_error(TinyModel model) {
    std::vector<double> errors;
    for (model.seed = 1; model.seed <= 3; ++model.seed) {
        const MemoryFile file(model.draft());
        Runner<CoreOf<Q>> runner(*file);
        const std::vector<Token> tokens = random_tokens(9, model.seed, runner.vocab());
        const std::vector<float> got = runner.feed(tokens);
        const std::vector<double> wanted = ReferenceForward(*file, {.int8_activations = true})(tokens);
        for (std::size_t at = 0; at < got.size(); at += runner.vocab()) {
            errors.push_back(
                nmse(std::span(got).subspan(at, runner.vocab()), std::span(wanted).subspan(at, runner.vocab())));
        }
    }
    std::ranges::sort(errors);
    return errors.back() < 0.1 ? errors[errors.size() / 2] : errors.back();
}

struct OddShape {
    static constexpr std::size_t layers = 3, hidden = 40, heads = 6, kv_heads = 2, head_dim = 16, experts = 5,
                                 experts_used = 3, expert_ff = 24, vocab = 261;
};
struct Fixed : CoreOf<> {
    using Shape = OddShape;
};

}  // namespace

// Nothing is rounded but float arithmetic itself: a relative 2^-24 an operation, squared.
TEST_CASE("forward: float formats agree with the float64 reference") {
    CHECK(error_against_reference<quant::OnlyF32>(TinyModel{}) < 1e-11);
    CHECK(error_against_reference<quant::OnlyF16>(TinyModel{.tied = true, .seed = 2}.in(Format::F16)) < 1e-11);
    CHECK(error_against_reference<quant::OnlyBF16>(TinyModel{.seed = 3}.in(Format::BF16)) < 1e-11);
    CHECK(error_against_reference<quant::Any>(TinyModel{.seed = 4}.in(Format::BF16, Format::F16)) < 1e-11);
}

TEST_CASE("forward: sizes that are no multiple of a vector agree with the float64 reference") {
    CHECK(error_against_reference<quant::OnlyF32>(odd_model) < 1e-11);
    CHECK(error_against_reference<quant::OnlyF16>(odd_model.in(Format::F16)) < 1e-11);
    CHECK(error_against_reference<quant::OnlyBF16>(odd_model.in(Format::BF16)) < 1e-11);
}

// The reference quantizes the same activations, so that most positions agree as float formats do. Where float
// arithmetic moves an activation across the edge between two int8 levels, that position and those after it differ by
// 1e-7 to 1e-3 (unrounded activations: 6e-4): hence the median.
TEST_CASE("forward: quantized formats agree with the float64 reference that rounds activations alike") {
    const TinyModel model;
    CHECK(median_error<quant::OnlyQ8_0>(model.in(Format::Q8_0)) < 1e-12);
    CHECK(median_error<quant::OnlyQ5_0>(model.in(Format::Q5_0, Format::Q6_K)) < 1e-12);
    CHECK(median_error<quant::OnlyQ4_0>(model.in(Format::Q4_0, Format::Q6_K)) < 1e-12);
    CHECK(median_error<quant::Q4_K_M>(model.in(Format::Q4_K, Format::Q6_K)) < 1e-12);
    CHECK(median_error<quant::Q5_K_M>(model.in(Format::Q5_K, Format::Q6_K)) < 1e-12);
    CHECK(median_error<quant::OnlyQ6_K>(model.in(Format::Q6_K)) < 1e-12);
    CHECK(median_error<quant::Any>(TinyModel{.tied = true}.in(Format::Q4_K, Format::Q5_0)) < 1e-12);
}

// Half precision has 2^-11 steps: without the same rounding the error is some 1e-8.
TEST_CASE("forward: a half-precision cache agrees with the float64 reference that rounds keys and values alike") {
    const auto error = [](bool half_cache) {
        return error_against_reference<quant::OnlyF32, cpu::KvCacheF16>({.seed = 12}, {.half_cache = half_cache});
    };
    CHECK(error(true) < 1e-9);
    CHECK(error(false) > 10 * error(true));
}

TEST_CASE("forward: a compile-time shape gives the bits of the dynamic one") {
    const MemoryFile file(odd_model.draft());
    Runner<> dynamic(*file);
    Runner<Fixed> fixed(*file);
    const std::vector<Token> tokens = random_tokens(9, 1, dynamic.vocab());
    CHECK(same_bits(fixed.feed(tokens), dynamic.feed(tokens)));
}

TEST_CASE("forward: only rows that want logits get them, in the order of the rows") {
    const MemoryFile file(odd_model.draft());
    Runner<> all(*file), some(*file);
    const std::vector<Token> tokens = random_tokens(5, 2, all.vocab());
    const std::vector<float> wanted = all.feed(tokens);
    std::vector<Row> rows;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        rows.push_back({tokens[i], 0, static_cast<std::int32_t>(i), i == 1 || i == 4});
    }
    const std::vector<float> got = some.feed(rows);
    const std::span<const float> logits(wanted);
    REQUIRE(got.size() == 2 * all.vocab());
    CHECK(same_bits(std::span(got).first(all.vocab()), logits.subspan(all.vocab(), all.vocab())));
    CHECK(same_bits(std::span(got).last(all.vocab()), logits.last(all.vocab())));
}

TEST_CASE("forward: refuses rows that do not fit, and leaves the cache as it was") {
    const MemoryFile file(odd_model.draft());
    Runner<> runner(*file, {.threads = 2, .max_rows = 4, .capacity = 6, .sequences = 2});
    static_cast<void>(runner.feed(std::vector<Token>{1, 2, 3}));
    const auto vocab = static_cast<Token>(runner.vocab());
    std::vector<float> logits(4 * runner.vocab());

    struct Case {
        std::vector<Row> rows;
        Errc code;
        std::string_view where, what;
    };
    const std::vector<Case> cases = {
        {{}, Errc::invalid_argument, "forward", "0 rows, but 1 to 4 fit a batch"},
        {{{1, 0, 3}, {1, 0, 4}, {1, 0, 5}, {1, 1, 0}, {1, 1, 1}},
         Errc::invalid_argument,
         "forward",
         "5 rows, but 1 to 4 fit a batch"},
        {{{-1, 0, 3}}, Errc::invalid_argument, "forward: row 0", "token -1 is not in the vocabulary of 261"},
        {{{1, 0, 3}, {vocab, 0, 4}},
         Errc::invalid_argument,
         "forward: row 1",
         "token 261 is not in the vocabulary of 261"},
        {{{1, 2, 0}}, Errc::invalid_argument, "forward: row 0", "sequence 2 is not one of the cache's 2"},
        {{{1, -1, 0}}, Errc::invalid_argument, "forward: row 0", "sequence -1 is not one of the cache's 2"},
        {{{1, 0, 2}}, Errc::invalid_argument, "forward: row 0", "position 2, but sequence 0 goes on at 3"},
        {{{1, 0, 4}}, Errc::invalid_argument, "forward: row 0", "position 4, but sequence 0 goes on at 3"},
        {{{1, 1, -1}}, Errc::invalid_argument, "forward: row 0", "position -1, but sequence 1 goes on at 0"},
        {{{1, 0, 3}, {1, 1, 0}, {1, 0, 5}},
         Errc::invalid_argument,
         "forward: row 2",
         "position 5, but sequence 0 goes on at 4"},
        {{{1, 0, 3}, {1, 0, 4}, {1, 0, 5}, {1, 0, 6}},
         Errc::out_of_capacity,
         "forward: row 3",
         "the context of 6 positions is full"},
    };
    for (const Case& c : cases) {
        CAPTURE(std::string(c.what));
        const Status status = runner.forward(runner.executor, runner.cache, c.rows, logits);
        REQUIRE(!status.ok());
        CHECK(status.code() == c.code);
        CHECK(status.where() == c.where);
        CHECK(status.what() == c.what);
        CHECK(runner.cache.length(0) == 3);
        CHECK(runner.cache.length(1) == 0);
    }
    const std::vector<Row> good = {{1, 0, 3, true}, {2, 0, 4, true}};
    const Status narrow = runner.forward(runner.executor, runner.cache, good, std::span(logits).first(261));
    REQUIRE(!narrow.ok());
    CHECK(narrow.what() == "room for 261 numbers, but 2 rows of 261 are wanted");
    CHECK(runner.forward(runner.executor, runner.cache, good, logits).ok());
    CHECK(runner.cache.length(0) == 5);
}

TEST_CASE("forward: refuses a cache or an executor that it was not built for") {
    const MemoryFile file(TinyModel{}.draft());
    Runner<> runner(*file, {.threads = 2, .capacity = 64});
    const Row row{1, 0, 0, true};
    std::vector<float> logits(runner.vocab());
    KvCacheShape shape = runner.cache.shape();
    cpu::ThreadPool three(3);
    CHECK(runner.forward(three, runner.cache, {&row, 1}, logits).code() == Errc::invalid_argument);
    shape.capacity = 65;
    cpu::KvCacheF32 longer(shape);
    CHECK(runner.forward(runner.executor, longer, {&row, 1}, logits).code() == Errc::invalid_argument);
    shape = runner.cache.shape();
    shape.layers += 1;
    cpu::KvCacheF32 deeper(shape);
    CHECK(runner.forward(runner.executor, deeper, {&row, 1}, logits).code() == Errc::invalid_argument);
    CHECK(runner.forward(runner.executor, runner.cache, {&row, 1}, logits).ok());
}

TEST_CASE("forward: a cancelled pass leaves the cache's length, and can be repeated with the same result") {
    const MemoryFile file(odd_model.draft());
    Runner<> runner(*file, {.threads = 3}), other(*file);
    const std::vector<Token> tokens = random_tokens(6, 3, runner.vocab());
    static_cast<void>(runner.feed(std::span(tokens).first(5)));
    const std::vector<float> wanted = other.feed(tokens);

    const std::vector<Row> rows = {{tokens[5], 0, 5, true}};
    std::vector<float> logits(runner.vocab());
    std::atomic<bool> cancel = true;
    const Status status = runner.forward(runner.executor, runner.cache, rows, logits, &cancel);
    CHECK(status.code() == Errc::cancelled);
    CHECK(runner.cache.length(0) == 5);
    cancel = false;
    CHECK(runner.forward(runner.executor, runner.cache, rows, logits, &cancel).ok());
    CHECK(same_bits(logits, std::span(wanted).last(runner.vocab())));
}
