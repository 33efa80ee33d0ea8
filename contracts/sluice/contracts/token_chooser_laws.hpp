// SPDX-License-Identifier: Apache-2.0
//! The laws of what ends a sampler chain, Greedy and Multinomial, and of the chain itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string_view>
#include <vector>

#include "sluice/concepts/sampler.hpp"
#include "sluice/contracts/check.hpp"
#include "sluice/contracts/expect_value.hpp"
#include "sluice/contracts/sampler_checks.hpp"
#include "sluice/contracts/sampling_oracles.hpp"
#include "sluice/contracts/tolerances.hpp"
#include "sluice/core/random.hpp"
#include "sluice/core/to_text.hpp"
#include "sluice/sampler/candidates.hpp"
#include "sluice/sampler/chain.hpp"

namespace sluice::contracts {

namespace detail {

//! A chooser whatever its type, so that the laws of choosers are compiled once.
using AnyChooser = std::function<Expected<Token>(Candidates&, const SampleContext&)>;
using MakeChooser = AnyChooser (*)();

template <TokenChooser Chooser>
AnyChooser any_chooser() {
    return [chooser = Chooser()](Candidates& candidates, const SampleContext& context) mutable {
        return chooser.choose(candidates, context);
    };
}

//! What the chooser makes of a row.
inline Expected<Token> choose(const AnyChooser& chooser, std::vector<float> row, const SampleContext& context = {}) {
    Candidates candidates;
    SLUICE_TRY(candidates.reset(row));
    return chooser(candidates, context);
}

//! A stage that writes its number down, and fails if that is `failing`.
struct NotedStage {
    int number = 0, failing = -1;
    std::vector<int>* notes = nullptr;

    Status apply(Candidates&, const SampleContext&) const {
        notes->push_back(number);
        if (number != failing) return {};
        return Status(Errc::numeric, "stage " + to_text(number), "fails as it was told to");
    }
};
struct NotedChooser {
    NotedStage noted;

    Expected<Token> choose(Candidates& candidates, const SampleContext& context) const {
        SLUICE_TRY(noted.apply(candidates, context));
        return 0;
    }
};

}  // namespace detail

inline std::vector<Law> greedy_law_list(detail::MakeChooser make) {
    using namespace detail;
    return {
        {"greedy.arg_max_lowest_id", "The token with the highest logit is chosen, of equal ones the lowest.",
         [make](Case& c) {
             const std::vector<float> row = masked_logits(c);
             c.equal("token", value_of(c, choose(make(), row)), oracle::ranking(oracle::to_doubles(row)).front());
         }},
        {"greedy.hopeless_logits_are_errors", "NaN, +inf, nothing but -inf and an empty row are errors, not tokens.",
         [make](Case& c) { c.expect(!choose(make(), hopeless_logits(c)).ok(), "a token is chosen"); }},
    };
}

inline std::vector<Law> multinomial_law_list(detail::MakeChooser make) {
    using namespace detail;
    return {
        {"multinomial.exact_distribution", "Tokens are drawn with the probabilities of the softmax.",
         [make](Case& c) {
             const std::vector<float> row = masked_logits(c, c.chance(0.05) ? 300 : c.integer<std::size_t>(1, 12));
             const std::uint64_t seed = c.bits();
             expect_distribution(c, oracle::probabilities(oracle::to_doubles(row)), [&](std::uint32_t position) {
                 return choose(make(), row, {.seed = seed, .position = position});
             });
         }},
        {"multinomial.inverts_the_cumulative",
         "The token is the first, in ascending order of ids, whose cumulative probability exceeds the number drawn.",
         [make](Case& c) {
             const std::vector<float> row = masked_logits(c);
             const oracle::Vector probabilities = oracle::probabilities(oracle::to_doubles(row));
             for (int i = 0; i < 4; ++i) {
                 const SampleContext context{
                     .seed = c.bits(), .sequence = c.integer(0U, 9U), .position = c.integer(0U, 99999U)};
                 const double drawn = uniform(context.seed, context.sequence, context.position);
                 std::vector<float> logits = row;
                 Candidates candidates;
                 c.expect(make_candidates(c, candidates, logits).ok(), "a row is refused");
                 const auto token = static_cast<std::size_t>(value_of(c, make()(candidates, context)));
                 c.expect(probabilities.at(token) > 0.0, "token " + to_text(token) + " is impossible");
                 double below = 0.0;
                 for (std::size_t t = 0; t < token; ++t) below += probabilities[t];
                 c.between("the number drawn for token " + to_text(token), drawn, below - tolerance::probability_sum,
                           below + probabilities[token] + tolerance::probability_sum);
             }
         }},
        {"multinomial.seed_sequence_position", "Another seed, sequence or position draws another number.",
         [make](Case& c) {
             const std::vector<float> row(64, 0.0F);
             const SampleContext base{
                 .seed = c.bits(), .sequence = c.integer(0U, 1000U), .position = c.integer(0U, 1000U)};
             std::set<Token> by_seed, by_sequence, by_position;
             for (std::uint32_t i = 0; i < 16; ++i) {
                 SampleContext other = base;
                 other.seed += i;
                 by_seed.insert(value_of(c, choose(make(), row, other)));
                 other = base;
                 other.sequence += i;
                 by_sequence.insert(value_of(c, choose(make(), row, other)));
                 other = base;
                 other.position += i;
                 by_position.insert(value_of(c, choose(make(), row, other)));
             }
             c.between<std::size_t>("distinct tokens of 16 seeds", by_seed.size(), 3, 16);
             c.between<std::size_t>("distinct tokens of 16 sequences", by_sequence.size(), 3, 16);
             c.between<std::size_t>("distinct tokens of 16 positions", by_position.size(), 3, 16);
         }},
        {"multinomial.nothing_else_decides", "The same row, seed, sequence and position draw the same token again.",
         [make](Case& c) {
             std::vector<float> row = masked_logits(c), other = masked_logits(c);
             const std::vector<Token> history = token_history(c, row.size());
             const SampleContext context{.seed = c.bits(), .sequence = 1, .position = c.integer(0U, 99U)};
             const Token expected = value_of(c, choose(make(), row, context));
             SampleContext with_history = context;
             with_history.history = history;
             const AnyChooser used = make();
             Candidates candidates;
             c.expect(candidates.reset(other).ok(), "a row is refused");
             value_of(c, used(candidates, {.seed = c.bits()}));
             c.expect(candidates.reset(row).ok(), "a row is refused");
             c.equal("token", value_of(c, used(candidates, with_history)), expected);
         }},
        {"multinomial.hopeless_logits_are_errors",
         "NaN, +inf, nothing but -inf and an empty row are errors, not tokens.",
         [make](Case& c) { c.expect(!choose(make(), hopeless_logits(c)).ok(), "a token is drawn"); }},
    };
}

//! Of a template Chain<Stage..., Chooser>.
template <template <class...> class SamplerChain>
std::vector<Law> chain_law_list() {
    using namespace detail;
    using Chained = SamplerChain<NotedStage, NotedStage, NotedStage, NotedChooser>;
    const auto run = [](const Case& c, int failing, std::vector<int>& notes) {
        auto chain = value_of(c, Chained::make({0, failing, &notes}, {1, failing, &notes}, {2, failing, &notes},
                                               NotedChooser{{3, failing, &notes}}));
        std::vector<float> row = {1.0F};
        return chain.sample(row, {});
    };
    return {
        {"chain.applies_in_order", "The stages are applied first to last, each once, and the chooser behind them.",
         [=](Case& c) {
             std::vector<int> notes;
             value_of(c, run(c, -1, notes));
             c.equal("parts called", notes, {0, 1, 2, 3});
         },
         1},
        {"chain.error_ends_it", "The first error is the sampler's, and no part behind it is called.",
         [=](Case& c) {
             std::vector<int> notes, expected;
             const int failing = c.integer(0, 3);
             for (int i = 0; i <= failing; ++i) expected.push_back(i);
             c.expect(!run(c, failing, notes).ok(), "an error of part " + to_text(failing) + " is lost");
             c.equal("parts called", notes, expected);
         }},
    };
}

template <TokenChooser Chooser>
std::vector<Law> greedy_law_list() {
    return greedy_law_list(detail::any_chooser<Chooser>);
}
template <TokenChooser Chooser>
std::vector<Law> multinomial_law_list() {
    return multinomial_law_list(detail::any_chooser<Chooser>);
}

template <TokenChooser Chooser>
void greedy_laws(std::string_view subject) {
    check_laws(subject, greedy_law_list<Chooser>());
}
template <TokenChooser Chooser>
void multinomial_laws(std::string_view subject) {
    check_laws(subject, multinomial_law_list<Chooser>());
}
template <template <class...> class SamplerChain>
void chain_laws(std::string_view subject) {
    check_laws(subject, chain_law_list<SamplerChain>());
}

}  // namespace sluice::contracts
