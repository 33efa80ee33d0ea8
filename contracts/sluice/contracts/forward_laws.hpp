// SPDX-License-Identifier: Apache-2.0
//! The laws of the forward pass, for any bundle of policies that computes Qwen3-MoE as it is published, with quant::Any
//! and a float cache.
//!
//!     TEST_CASE("my forward pass keeps the laws") { sluice::contracts::forward_laws<MyPolicies>("MyPolicies"); }
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/contracts/check.hpp"
#include "sluice/contracts/expect_value.hpp"
#include "sluice/contracts/fakes.hpp"
#include "sluice/contracts/random_model.hpp"
#include "sluice/contracts/reference_forward.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/model/forward.hpp"
#include "sluice/model/model.hpp"

namespace sluice::contracts {

//! For what a forward pass is made.
struct ForwardSetup {
    std::size_t threads = 1, sequences = 1;

    static constexpr std::size_t max_rows = 24, capacity = 24;
};

//! A forward pass with its cache and executor, whatever its policies.
class AnyForward {
public:
    virtual ~AnyForward() = default;
    virtual Status compute(std::span<const Row> rows, std::span<float> logits, const std::atomic<bool>* cancel) = 0;
    virtual std::size_t length(std::size_t sequence) const = 0;
    virtual void truncate(std::size_t sequence, std::size_t length) = 0;
    virtual std::size_t regions() const = 0;  //!< that its executor has run, up to a constant
};
using OpenForward = std::function<std::unique_ptr<AnyForward>(const gguf::File&, const ForwardSetup&)>;

template <class P>
class ForwardOf : public AnyForward {
    using Executor = CountingExecutor<typename P::Executor>;

public:
    ForwardOf(model::ModelOf<P> model, const ForwardSetup& setup)
        : cache_({model.shape.layers, model.shape.kv_heads, model.shape.head_dim, setup.sequences, setup.capacity}),
          executor_(setup.threads),
          forward_(std::move(model), {setup.max_rows, setup.capacity, setup.threads}) {}

    Status compute(std::span<const Row> rows, std::span<float> logits, const std::atomic<bool>* cancel) override {
        return forward_(executor_, cache_, rows, logits, cancel);
    }
    std::size_t length(std::size_t sequence) const override { return cache_.length(sequence); }
    void truncate(std::size_t sequence, std::size_t length) override { cache_.truncate(sequence, length); }
    std::size_t regions() const override { return Executor::regions; }

private:
    typename P::KvCache cache_;
    Executor executor_;
    typename P::template Forward<P> forward_;
};

//! The forward pass of P on a model in which `change` has changed something.
template <class P>
OpenForward forward_opener(std::function<void(model::ModelOf<P>&)> change = {}) {
    return [change](const gguf::File& file, const ForwardSetup& setup) {
        auto model = value_or_throw(model::ModelOf<P>::read(file, 0));
        if (change) change(model);
        return std::make_unique<ForwardOf<P>>(std::move(model), setup);
    };
}

namespace detail {

using Logits = std::vector<float>;
constexpr std::size_t vocab = RandomModel::vocab;

//! The rows of `count` tokens that continue a sequence, each with logits.
inline std::vector<Row> rows_of(std::span<const Token> tokens, std::size_t from, std::size_t count,
                                std::size_t sequence = 0) {
    std::vector<Row> rows;
    for (std::size_t i = from; i < from + count; ++i) {
        rows.push_back({tokens[i], static_cast<std::int32_t>(sequence), static_cast<std::int32_t>(i), true});
    }
    return rows;
}

inline Logits compute(const Case& c, AnyForward& forward, std::span<const Row> rows) {
    const auto wanted = std::count_if(rows.begin(), rows.end(), [](const Row& row) { return row.wants_logits; });
    Logits logits(static_cast<std::size_t>(wanted) * vocab);
    const Status status = forward.compute(rows, logits, nullptr);
    c.expect(status.ok(), status.message());
    return logits;
}

//! Of a text at once, by one thread, alone: what every other way is compared with.
inline Logits plain_logits(const Case& c, const OpenForward& open, const RandomModel& model,
                           std::span<const Token> tokens) {
    return compute(c, *open(model.file(), {}), rows_of(tokens, 0, tokens.size()));
}

inline std::span<const float> logits_of(const Logits& all, std::size_t row) {
    return std::span(all).subspan(row * vocab, vocab);
}

}  // namespace detail

//! Each case draws a model of its own.
inline std::vector<Law> forward_law_list(const OpenForward& open) {
    using namespace detail;
    return {
        {"forward.agrees_with_float64", "Logits are those of the definition, computed in double precision.",
         [open](Case& c) {
             RandomModel model(c);
             const std::vector<Token> tokens = model.tokens(c.integer<std::size_t>(1, 9));
             const Logits got = plain_logits(c, open, model, tokens);
             ReferenceForward reference(model.file());
             const std::vector<double> truth = reference(tokens);
             if (reference.closest_choice() < tolerance::tied_experts) return;
             double error = 0.0, square = 0.0;
             for (std::size_t i = 0; i < got.size(); ++i) {
                 error += (got[i] - truth[i]) * (got[i] - truth[i]);
                 square += truth[i] * truth[i];
             }
             c.between("normalized error", error / square, 0.0, tolerance::forward_nmse);
         }},
        {"forward.threads_change_nothing", "Any number of threads gives the same bits.",
         [open](Case& c) {
             RandomModel model(c, RandomFormats::all);
             const std::vector<Token> tokens = model.tokens(c.integer<std::size_t>(1, 9));
             const auto threads = c.integer<std::size_t>(2, 3);
             c.given("threads", threads);
             const auto forward = open(model.file(), {.threads = threads});
             c.same_bits("logits", compute(c, *forward, rows_of(tokens, 0, tokens.size())),
                         plain_logits(c, open, model, tokens));
         }},
        {"forward.batches_change_nothing",
         "Chunks of a text, other sequences in a batch and a rewound cache change no bit.",
         [open](Case& c) {
             RandomModel model(c, RandomFormats::all);
             const std::vector<Token> tokens = model.tokens(9), others = model.tokens(9);
             const auto forward = open(model.file(), {.sequences = 2});
             Logits got;
             std::size_t done = 0;
             while (done < tokens.size()) {
                 const auto count = c.integer<std::size_t>(1, tokens.size() - done);
                 std::vector<Row> rows = rows_of(tokens, done, count);
                 const std::vector<Row> more = rows_of(others, done, count, 1);
                 if (c.chance(0.5)) rows.insert(rows.end(), more.begin(), more.end());
                 if (rows.size() == count) compute(c, *forward, more);
                 Logits logits = compute(c, *forward, rows);
                 logits.resize(count * vocab);
                 got.resize(done * vocab);
                 got.insert(got.end(), logits.begin(), logits.end());
                 done += count;
                 if (c.chance(0.3)) {
                     done = c.integer<std::size_t>(0, done - 1);
                     for (const std::size_t sequence : {0U, 1U}) forward->truncate(sequence, done);
                 }
             }
             c.same_bits("logits", got, plain_logits(c, open, model, tokens));
         }},
        {"forward.wanted_rows_in_order", "The rows that want logits get their own, in the order of the rows.",
         [open](Case& c) {
             RandomModel model(c, RandomFormats::all);
             const std::vector<Token> tokens = model.tokens(c.integer<std::size_t>(1, 9));
             const Logits all = plain_logits(c, open, model, tokens);
             std::vector<Row> rows = rows_of(tokens, 0, tokens.size());
             Logits expected;
             for (std::size_t i = 0; i < rows.size(); ++i) {
                 rows[i].wants_logits = c.chance(0.5);
                 const auto own = logits_of(all, i);
                 if (rows[i].wants_logits) expected.insert(expected.end(), own.begin(), own.end());
             }
             c.same_bits("logits", compute(c, *open(model.file(), {}), rows), expected);
         }},
        {"forward.one_region_per_pass", "A pass is one region of its executor, whatever its rows.",
         [open](Case& c) {
             RandomModel model(c);
             const std::vector<Token> tokens = model.tokens(c.integer<std::size_t>(1, 9));
             const auto forward = open(model.file(), {});
             const std::size_t before = forward->regions();
             compute(c, *forward, rows_of(tokens, 0, tokens.size()));
             c.equal("regions", forward->regions() - before, 1U);
         }},
        {"forward.refuses_what_does_not_fit",
         "A token, sequence or position that does not fit is an error, and leaves all as it was.",
         [open](Case& c) {
             RandomModel model(c, RandomFormats::all);
             const std::vector<Token> tokens = model.tokens(6);
             const auto forward = open(model.file(), {});
             compute(c, *forward, rows_of(tokens, 0, 3));
             std::vector<Row> rows = rows_of(tokens, 3, 3);
             Row& bad = rows[c.integer<std::size_t>(0, 2)];
             switch (c.integer(0, 2)) {
                 case 0:
                     bad.token = c.pick({-1, static_cast<Token>(vocab), static_cast<Token>(vocab + 900)});
                     break;
                 case 1:
                     bad.sequence = c.pick({-1, 1, 1000});
                     break;
                 default:
                     bad.position += c.pick({-7, -1, 1, 100});
             }
             Logits logits(rows.size() * vocab);
             c.expect(!forward->compute(rows, logits, nullptr).ok(), "rows that do not fit are computed");
             c.equal("positions in the cache", forward->length(0), 3U);
             const Logits all = plain_logits(c, open, model, tokens),
                          after = compute(c, *forward, rows_of(tokens, 3, 3));
             c.same_bits("logits afterwards", after, std::span(all).last(3 * vocab));
         }},
        {"forward.cancelled_can_be_repeated", "A cancelled pass says so, and leaves the cache as it was.",
         [open](Case& c) {
             RandomModel model(c, RandomFormats::all);
             const std::vector<Token> tokens = model.tokens(6);
             const auto forward = open(model.file(), {});
             compute(c, *forward, rows_of(tokens, 0, 2));
             Logits logits(4 * vocab);
             const std::atomic<bool> cancel = true;
             const Status status = forward->compute(rows_of(tokens, 2, 4), logits, &cancel);
             c.expect(status.code() == Errc::cancelled, "it is not cancelled");
             c.equal("positions in the cache", forward->length(0), 2U);
             const Logits all = plain_logits(c, open, model, tokens),
                          after = compute(c, *forward, rows_of(tokens, 2, 4));
             c.same_bits("logits afterwards", after, std::span(all).last(4 * vocab));
         }},
    };
}

//! Checks all laws of a forward pass of these policies, inside a doctest test case.
template <class P>
void forward_laws(std::string_view subject) {
    check_laws(subject, forward_law_list(forward_opener<P>()));
}

}  // namespace sluice::contracts
