// SPDX-License-Identifier: Apache-2.0
//! The laws of samplers: what the Sampler slot asks of any, and the rules of one that is made from SamplingParams.
//!
//!     TEST_CASE("my sampler keeps the laws") { sluice::contracts::sampler_slot_laws<MySampler>("MySampler"); }
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/concepts/sampler.hpp"
#include "sluice/contracts/check.hpp"
#include "sluice/contracts/expect_value.hpp"
#include "sluice/contracts/sampler_checks.hpp"
#include "sluice/contracts/sampling_oracles.hpp"
#include "sluice/core/types.hpp"
#include "sluice/sampler/standard.hpp"

namespace sluice::contracts {

//! A sampler whatever its type, so that the laws of samplers are compiled once. A copy samples for itself.
class AnySampler {
public:
    template <Sampler S>
    explicit AnySampler(S sampler)
        : sample_([sampler = std::move(sampler)](std::span<float> logits, const SampleContext& context) mutable {
              return sampler.sample(logits, context);
          }) {}

    Expected<Token> sample(std::span<float> logits, const SampleContext& context) { return sample_(logits, context); }

private:
    std::function<Expected<Token>(std::span<float>, const SampleContext&)> sample_;
};

//! Makes the sampler of a case, for rows of that many logits.
using MakeAnySampler = std::function<AnySampler(Case&, std::size_t vocabulary)>;

//! Makes a sampler that does what the parameters say.
using MakeSampler = std::function<Expected<AnySampler>(const SamplingParams&)>;

namespace detail {

//! A request whose outcome has known probabilities: its numbers are such that floats and doubles agree on penalties,
//! ties and who is left.
struct SampleRequest {
    std::vector<float> row;
    std::vector<Token> history;
    SamplingParams params;
    oracle::Vector probabilities;
};

//! A threshold halfway between a value and the next lower one, or `none` where they are too close for floats.
inline float halfway(double value, double next, float none) {
    return value - next > 1e-3 ? static_cast<float>((value + next) / 2) : none;
}

//! Penalties and biases alone; the probabilities are those of their logits.
inline SampleRequest penalised_request(Case& c) {
    SampleRequest request;
    request.row = c.floats(c.pick<std::size_t>({2, 6, 20}), [&] { return c.integer(-12, 12) / 4.0; });
    request.history = token_history(c, request.row.size());
    SamplingParams& params = request.params;
    params.repetition_penalty = c.pick({1.0F, 2.0F, 0.5F});
    params.presence_penalty = c.pick({0.0F, 0.5F, -0.25F});
    params.frequency_penalty = c.pick({0.0F, 0.25F});
    params.repeat_last_n = penalty_window(c, request.history.size());
    if (c.chance(0.5)) {
        const auto token = static_cast<Token>(c.integer<std::size_t>(0, request.row.size() - 1));
        params.logit_bias = {{token, c.pick({1.5F, -1.0F})}};
    }
    c.given("logits", request.row);
    c.given("repetition_penalty", params.repetition_penalty);
    c.given("presence_penalty", params.presence_penalty);
    c.given("frequency_penalty", params.frequency_penalty);
    const oracle::Vector logits = oracle::penalised(oracle::to_doubles(request.row), request.history, params);
    request.probabilities = oracle::probabilities(logits);
    return request;
}

//! All parameters, above temperature 0.
inline SampleRequest sample_request(Case& c) {
    SampleRequest request = penalised_request(c);
    SamplingParams& params = request.params;
    const oracle::Vector logits = oracle::penalised(oracle::to_doubles(request.row), request.history, params);
    const std::vector<Token> ranked = oracle::ranking(logits);
    const auto at = [&](std::size_t rank) {
        return rank < ranked.size() ? request.probabilities[static_cast<std::size_t>(ranked[rank])] : 0.0;
    };
    params.temperature = c.pick({1.0F, 0.5F, 2.0F, 0.7F});
    request.probabilities = oracle::probabilities(logits, static_cast<double>(params.temperature));

    params.top_k = c.pick({0, c.integer(1, static_cast<std::int32_t>(ranked.size()) + 1)});
    std::size_t kept = params.top_k == 0 ? ranked.size() : static_cast<std::size_t>(params.top_k);
    request.probabilities = oracle::first_of_ranking(request.probabilities, ranked, kept);

    if (c.chance(0.6)) {
        const std::size_t crossing = c.integer<std::size_t>(0, ranked.size() - 1);
        double before = 0.0;
        for (std::size_t rank = 0; rank < crossing; ++rank) before += at(rank);
        params.top_p = halfway(before + at(crossing), before, 1.0F);
        if (params.top_p < 1.0F) kept = oracle::nucleus(request.probabilities, ranked, params.top_p);
        request.probabilities = oracle::first_of_ranking(request.probabilities, ranked, kept);
    }
    if (c.chance(0.4)) {
        const std::size_t last = c.integer<std::size_t>(0, ranked.size() - 1);
        params.min_p = halfway(at(last) / at(0), at(last + 1) / at(0), 0.0F);
        if (params.min_p > 0.0F) {
            request.probabilities = oracle::first_of_ranking(request.probabilities, ranked, last + 1);
        }
    }
    c.given("temperature", params.temperature);
    c.given("top_k", params.top_k);
    c.given("top_p", params.top_p);
    c.given("min_p", params.min_p);
    return request;
}

//! Samples once, leaving the row as it is. There is room for one logit more, so that a sampler that writes there breaks
//! its law and not the test program.
inline Expected<Token> sample(AnySampler& sampler, std::vector<float> row, const SampleContext& context) {
    row.push_back(0.0F);
    return sampler.sample(std::span(row).first(row.size() - 1), context);
}

//! The tokens that follow each other when each is sampled from a new row, of `vocabulary` logits.
inline std::vector<Token> stream(const Case& c, AnySampler sampler, std::uint64_t rows, std::uint64_t seed,
                                 std::size_t count) {
    Draws draws(rows);
    std::vector<Token> tokens;
    for (std::uint32_t position = 0; position < count; ++position) {
        tokens.push_back(
            value_of(c, sample(sampler, draws.normals(64), {.history = tokens, .seed = seed, .position = position})));
    }
    return tokens;
}

}  // namespace detail

//! What the Sampler slot promises to those who call sample().
inline std::vector<Law> sampler_slot_law_list(const MakeAnySampler& make) {
    using namespace detail;
    return {
        {"sampler.token_of_the_row", "The token is one of the row's, and none that is masked.",
         [make](Case& c) {
             const std::vector<float> row = masked_logits(c);
             const std::vector<Token> history = token_history(c, row.size());
             AnySampler sampler = make(c, row.size());
             const Token token = value_of(c, sample(sampler, row, {.history = history, .seed = c.bits()}));
             c.between("token", token, 0, static_cast<Token>(row.size()) - 1);
             c.expect(row[static_cast<std::size_t>(token)] > -plus_infinity, "token " + to_text(token) + " is masked");
         }},
        {"sampler.hopeless_logits_are_errors",
         "NaN, +inf, nothing but -inf and an empty row are errors, never a token; and the next row is sampled as ever.",
         [make](Case& c) {
             const std::vector<float> hopeless = hopeless_logits(c), row = masked_logits(c);
             AnySampler sampler = make(c, row.size()), fresh = sampler;
             c.expect(!sample(sampler, hopeless, {}).ok(), "a token is sampled");
             c.equal("token of the next row", value_of(c, sample(sampler, row, {})),
                     value_of(c, sample(fresh, row, {})));
         }},
        {"sampler.deterministic",
         "The token follows from the row, the history, and (seed, sequence, position), whatever was sampled before.",
         [make](Case& c) {
             const std::vector<float> row = masked_logits(c), other = masked_logits(c, row.size());
             const std::vector<Token> history = token_history(c, row.size()), earlier = token_history(c, row.size());
             const SampleContext context{.history = history, .seed = c.bits(), .position = c.integer(0U, 99U)};
             AnySampler sampler = make(c, row.size()), fresh = sampler;
             for (int i = c.integer(0, 3); i > 0; --i) {
                 value_of(c, sample(sampler, other, {.history = earlier, .seed = c.bits()}));
             }
             c.equal("token", value_of(c, sample(sampler, row, context)), value_of(c, sample(fresh, row, context)));
         }},
        {"sampler.writes_only_the_row", "Nothing beside the row is written.",
         [make](Case& c) {
             const std::vector<float> row = masked_logits(c);
             std::vector<float> guarded(row.size() + 2, 123.5F);
             std::copy(row.begin(), row.end(), guarded.begin() + 1);
             AnySampler sampler = make(c, row.size());
             value_of(c, sampler.sample(std::span(guarded).subspan(1, row.size()), {.seed = c.bits()}));
             c.same_bits("guards", std::vector{guarded.front(), guarded.back()}, std::vector{123.5F, 123.5F});
         }},
    };
}

//! All laws of a sampler that is made from SamplingParams: those of the slot and those of the parameters.
inline std::vector<Law> sampler_law_list(const MakeSampler& make) {
    using namespace detail;
    const auto made = [make](const Case& c, const SamplingParams& params) { return value_of(c, make(params)); };
    std::vector<Law> laws = sampler_slot_law_list([made](Case& c, std::size_t) {
        return made(c, {.temperature = c.pick({0.0F, 0.7F, 5.0F}),
                        .top_k = c.pick({0, 1, 7}),
                        .top_p = c.pick({1.0F, 0.8F}),
                        .min_p = c.pick({0.0F, 0.1F}),
                        .repetition_penalty = c.pick({1.0F, 1.3F}),
                        .frequency_penalty = c.pick({0.0F, 0.5F})});
    });
    const std::vector<Law> rules = {
        {"sampler.greedy_is_arg_max",
         "Temperature 0, or top_k 1 at any temperature, takes the highest logit, the lowest id of equal ones.",
         [made](Case& c) {
             const std::vector<float> row = masked_logits(c);
             SamplingParams params{.temperature = c.pick({0.0F, 5.0F, 0.7F, 100.0F}), .top_k = 1};
             if (params.temperature == 0.0F) params.top_k = c.pick({0, 1, 5});
             if (c.chance(0.5)) params.top_p = 0.5F;
             c.given("temperature", params.temperature);
             c.given("top_k", params.top_k);
             AnySampler sampler = made(c, params);
             c.equal("token", value_of(c, sample(sampler, row, {.seed = c.bits(), .position = c.integer(0U, 99U)})),
                     oracle::ranking(oracle::to_doubles(row)).front());
         }},
        {"sampler.greedy_after_penalties", "Penalties and biases come before the greedy choice.",
         [made](Case& c) {
             SampleRequest request = penalised_request(c);
             if (c.chance(0.5)) request.params.temperature = 5.0F, request.params.top_k = 1;
             AnySampler sampler = made(c, request.params);
             c.equal("token", value_of(c, sample(sampler, request.row, {.history = request.history})),
                     oracle::ranking(request.probabilities).front());
         }},
        {"sampler.stages_in_order",
         "Only those tokens come that penalties, biases, temperature, top-k, top-p and min-p leave, in this order.",
         [made](Case& c) {
             const SampleRequest request = sample_request(c);
             AnySampler sampler = made(c, request.params);
             const std::uint64_t seed = c.bits();
             for (std::uint32_t position = 0; position < 20; ++position) {
                 const Token token = value_of(
                     c, sample(sampler, request.row, {.history = request.history, .seed = seed, .position = position}));
                 c.expect(request.probabilities.at(static_cast<std::size_t>(token)) > 0.0,
                          "token " + to_text(token) + " is sampled, which should have been dropped");
             }
         }},
        {"sampler.exact_distribution", "Tokens come with the probabilities that the parameters make of the logits.",
         [made](Case& c) {
             const SampleRequest request = sample_request(c);
             AnySampler sampler = made(c, request.params);
             const std::uint64_t seed = c.bits();
             expect_distribution(c, request.probabilities, [&](std::uint32_t position) {
                 return sample(sampler, request.row, {.history = request.history, .seed = seed, .position = position});
             });
         }},
        {"sampler.same_seed_same_tokens", "The same seed gives the same tokens again.",
         [made](Case& c) {
             const SamplingParams params{.temperature = 0.7F, .repetition_penalty = c.pick({1.0F, 1.2F})};
             const std::uint64_t rows = c.bits(), seed = c.pick({std::uint64_t{42}, c.bits()});
             c.given("the seed", seed);
             c.equal("tokens", stream(c, made(c, params), rows, seed, 16), stream(c, made(c, params), rows, seed, 16));
         }},
        {"sampler.seeds_differ", "Two seeds differ within 16 tokens, and 32 seeds begin with 3 tokens at least.",
         [made](Case& c) {
             const SamplingParams params{.temperature = 0.7F};
             const std::uint64_t rows = c.bits(), first = c.pick({std::uint64_t{42}, c.bits()});
             c.given("first seed", first);
             c.expect(stream(c, made(c, params), rows, first, 16) != stream(c, made(c, params), rows, first + 1, 16),
                      "neighbouring seeds give the same 16 tokens");
             std::set<Token> begun;
             for (std::uint64_t i = 0; i < 32; ++i) {
                 begun.insert(stream(c, made(c, params), rows, first + i, 1).front());
             }
             c.between<std::size_t>("first tokens of 32 seeds", begun.size(), 3, 32);
         }},
        {"sampler.each_position_draws_anew", "On the same row, 32 positions, and 32 sequences, give 3 tokens at least.",
         [made](Case& c) {
             const std::vector<float> row = c.normals(64, 0.5);
             AnySampler sampler = made(c, {.temperature = 0.7F});
             const std::uint64_t seed = c.bits();
             std::set<Token> by_position, by_sequence;
             for (std::uint32_t i = 0; i < 32; ++i) {
                 by_position.insert(value_of(c, sample(sampler, row, {.seed = seed, .position = i})));
                 by_sequence.insert(value_of(c, sample(sampler, row, {.seed = seed, .sequence = i})));
             }
             c.between<std::size_t>("tokens of 32 positions", by_position.size(), 3, 32);
             c.between<std::size_t>("tokens of 32 sequences", by_sequence.size(), 3, 32);
         }},
        {"sampler.neutral_parameters",
         "top_k 0 or all, top_p 1, min_p 0, penalties of 1 and 0, a window of 0 and no bias change nothing.",
         [made](Case& c) {
             const std::vector<float> row = masked_logits(c);
             const std::vector<Token> history = token_history(c, row.size());
             SamplingParams params{.temperature = c.pick({0.7F, 2.0F, 1.0F})};
             AnySampler plain = made(c, params);
             params.top_k = c.pick({0, static_cast<std::int32_t>(row.size()), 1000000});
             params.top_p = c.pick({1.0F, 0.0F, 2.0F});
             params.repeat_last_n = c.pick({0, 3, -1});
             if (params.repeat_last_n == 0) params.repetition_penalty = 1.5F, params.presence_penalty = 1.0F;
             if (c.chance(0.5)) params.logit_bias = {{static_cast<Token>(row.size()) - 1, 0.0F}};
             AnySampler neutral = made(c, params);
             const SampleContext context{.history = history, .seed = c.bits()};
             c.equal("token", value_of(c, sample(neutral, row, context)), value_of(c, sample(plain, row, context)));
         }},
        {"sampler.refuses_bad_parameters", "A parameter out of its range is an error when the sampler is made.",
         [make](Case& c) {
             const float bad = c.pick({not_a_number, -1.0F, plus_infinity, -plus_infinity}),
                         no_number = c.pick({not_a_number, plus_infinity, -plus_infinity});
             SamplingParams params;
             const int parameter = c.integer(0, 8);
             switch (parameter) {
                 case 0:
                     params.temperature = bad;
                     break;
                 case 1:
                     params.top_k = -1;
                     break;
                 case 2:
                     params.min_p = bad;
                     break;
                 case 3:
                     params.repetition_penalty = bad;
                     break;
                 case 4:
                     params.repeat_last_n = c.pick({-2, -1000});
                     break;
                 case 5:
                     params.top_p = not_a_number;  // all numbers are legal, and off outside (0, 1)
                     break;
                 case 6:
                     params.presence_penalty = no_number;
                     break;
                 case 7:
                     params.frequency_penalty = no_number;
                     break;
                 default:
                     params.logit_bias = {
                         {0, 1.0F},
                         c.pick({TokenBias{-1, 1.0F}, TokenBias{0, not_a_number}, TokenBias{0, plus_infinity}})};
             }
             constexpr std::string_view names[] = {"temperature",
                                                   "top_k",
                                                   "min_p",
                                                   "repetition_penalty",
                                                   "repeat_last_n",
                                                   "top_p",
                                                   "presence_penalty",
                                                   "frequency_penalty",
                                                   "logit_bias"};
             c.given("bad parameter", names[parameter]);
             c.expect(!make(params).ok(), "a bad parameter is accepted");
         }},
    };
    laws.insert(laws.end(), rules.begin(), rules.end());
    return laws;
}

//! make(params) gives an Expected<S>.
template <class Make>
MakeSampler any_sampler(Make make) {
    return [make](const SamplingParams& params) -> Expected<AnySampler> {
        SLUICE_ASSIGN(auto sampler, make(params));
        return AnySampler(std::move(sampler));
    };
}

//! Checks what the Sampler slot asks of any sampler, inside a doctest test case; make(case, vocabulary) gives an S.
template <Sampler S, class Make = S (*)(Case&, std::size_t)>
void sampler_slot_laws(
    std::string_view subject, Make make = [](Case&, std::size_t) { return S(); }) {
    check_laws(subject, sampler_slot_law_list(
                            [make](Case& c, std::size_t vocabulary) { return AnySampler(make(c, vocabulary)); }));
}

//! Checks all laws of a sampler that make(params) gives, inside a doctest test case.
template <class Make>
void sampler_laws(std::string_view subject, Make make) {
    check_laws(subject, sampler_law_list(any_sampler(std::move(make))));
}

}  // namespace sluice::contracts
