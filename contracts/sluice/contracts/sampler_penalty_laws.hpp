// SPDX-License-Identifier: Apache-2.0
//! The laws of the penalties and biases of a sampler chain. A stage of your own that takes the same arguments as one of
//! these is checked by
//!
//!     TEST_CASE("my penalty keeps the laws") { sluice::contracts::repetition_penalty_laws<Mine>("Mine"); }
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/concepts/sampler.hpp"
#include "sluice/contracts/check.hpp"
#include "sluice/contracts/expect_value.hpp"
#include "sluice/contracts/sampler_checks.hpp"
#include "sluice/contracts/sampling_oracles.hpp"
#include "sluice/contracts/tolerances.hpp"
#include "sluice/sampler/chain.hpp"
#include "sluice/sampler/greedy.hpp"
#include "sluice/sampler/logit_bias.hpp"

namespace sluice::contracts {

namespace detail {

//! The law that a penalty takes no token that there is not, the id one past the end included.
inline Law foreign_history_is_error(std::string_view id, const DrawStage& draw) {
    return {id, "A token of the window outside the vocabulary is an error.", [draw](Case& c) {
                const std::vector<float> row = masked_logits(c);
                std::vector<Token> history = token_history(c, row.size());
                const auto vocabulary = static_cast<Token>(row.size());
                const Token foreign =
                    c.pick({-1, vocabulary, std::numeric_limits<Token>::max(), std::numeric_limits<Token>::min()});
                c.given("behind them", foreign);
                history.push_back(foreign);
                c.expect(!narrow(c, row, history, draw(c, row.size())).ok(), "a foreign token is accepted");
            }};
}

}  // namespace detail

//! Of a stage Stage(penalty, repeat_last_n).
inline std::vector<Law> repetition_penalty_law_list(detail::MakeStage<float, std::int32_t> stage) {
    using namespace detail;
    const auto penalty = [](Case& c) {
        const auto drawn = static_cast<float>(c.pick({1.05, 1.5, 2.0, 0.5, c.real(0.7, 3.0)}));
        c.given("penalty", drawn);
        return drawn;
    };
    const auto draw = [=](Case& c, std::size_t) { return stage(penalty(c), -1); };
    return {
        {"repetition_penalty.neutral", "A penalty of 1 or a window of 0 changes nothing.",
         [=](Case& c) {
             const std::vector<float> row = masked_logits(c);
             const std::vector<Token> history = token_history(c, row.size());
             const Left left = c.chance(0.5) ? left_of(c, row, history, stage(1.0F, penalty_window(c, history.size())))
                                             : left_of(c, row, history, stage(penalty(c), 0));
             expect_all_left(c, left, row);
         }},
        {"repetition_penalty.divides_or_multiplies",
         "Positive logits of the window's tokens are divided by the penalty, the others multiplied by it.",
         [=](Case& c) {
             const std::vector<float> row = masked_logits(c);
             const float factor = penalty(c);
             std::vector<Token> history;
             for (const std::size_t token : c.shuffled(row.size())) history.push_back(static_cast<Token>(token));
             history.resize(c.integer<std::size_t>(0, history.size()));
             c.given("history", history);
             const oracle::Vector expected = oracle::penalised(oracle::to_doubles(row), history,
                                                               {.repetition_penalty = factor, .repeat_last_n = -1});
             expect_logits(c, left_of(c, row, history, stage(factor, -1)), expected, tolerance::one_float_step);
         }},
        {"repetition_penalty.never_compounds", "A token is penalised once, however often it occurs.",
         [=](Case& c) {
             const std::vector<float> row = masked_logits(c);
             std::vector<Token> history = token_history(c, row.size());
             const float factor = penalty(c);
             const Left often = left_of(c, row, history, stage(factor, -1));
             std::sort(history.begin(), history.end());
             history.erase(std::unique(history.begin(), history.end()), history.end());
             c.same_bits("logits", often.logits, left_of(c, row, history, stage(factor, -1)).logits);
         }},
        {"repetition_penalty.window_bounds", "A window of n is the last n tokens of the history, no more and no fewer.",
         [=](Case& c) {
             const std::vector<float> row = masked_logits(c);
             const std::vector<Token> history = token_history(c, row.size());
             const float factor = penalty(c);
             const auto n = c.integer<std::size_t>(0, history.size() + 2);
             c.given("window", n);
             const auto last = std::span(history).last(std::min(n, history.size()));
             c.same_bits("logits", left_of(c, row, history, stage(factor, static_cast<std::int32_t>(n))).logits,
                         left_of(c, row, last, stage(factor, -1)).logits);
         }},
        {"repetition_penalty.window_decides_winner",
         "After 1, 3, 3 and with logits 1, 10, 9, 3 and penalty 1.5 token 1 wins for a window of 2, token 2 for 3.",
         [stage](Case& c) {
             for (const auto& [window, winner] : {std::pair{2, 1}, {3, 2}}) {
                 auto chain = value_of(c, Chain<AnyStage, Greedy>::make(stage(1.5F, window), {}));
                 std::vector<float> row = {1.0F, 10.0F, 9.0F, 3.0F};
                 const std::vector<Token> history = {1, 3, 3};
                 c.equal("token for a window of " + to_text(window),
                         value_of(c, chain.sample(row, {.history = history})), winner);
             }
         },
         1},
        foreign_history_is_error("repetition_penalty.foreign_history_is_error", draw),
        {"repetition_penalty.refuses_bad_parameters",
         "A penalty that is no positive finite number, and a window below -1, are refused.",
         [stage](Case& c) {
             const float bad =
                 c.pick({0.0F, -0.0F, -1.0F, not_a_number, plus_infinity, static_cast<float>(c.real(-9.0, 0.0))});
             expect_refused(c, "penalty", bad, stage(bad, 64));
             expect_refused(c, "window", -2, stage(1.1F, -2));
             c.expect(accepts(stage(1.1F, -1)) && accepts(stage(1.0F, 0)), "good parameters are refused");
         }},
        nothing_stays("repetition_penalty.nothing_stays", draw),
        bad_logits_stay_errors("repetition_penalty.bad_logits_stay_errors", draw),
    };
}
template <SamplerStage Stage>
std::vector<Law> repetition_penalty_law_list() {
    return repetition_penalty_law_list(detail::any_stage<Stage, float, std::int32_t>);
}

//! Of a stage Stage(presence, frequency, repeat_last_n).
inline std::vector<Law> presence_frequency_law_list(detail::MakeStage<float, float, std::int32_t> stage) {
    using namespace detail;
    const auto draw = [stage](Case& c, std::size_t) {
        const float presence = c.pick({0.0F, 1.5F, -0.5F});
        return stage(presence, c.pick({0.25F, -1.0F}), 64);
    };
    return {
        {"presence_frequency.subtracts",
         "Each token of the window loses presence + frequency * (its occurrences there); the others keep their logits.",
         [stage](Case& c) {
             const std::vector<float> row = masked_logits(c);
             const std::vector<Token> history = token_history(c, row.size());
             const auto number = [&] { return static_cast<float>(c.pick({0.0, 1.0, -0.5, c.real(-2.0, 2.0)})); };
             const float presence = number(), frequency = number();
             const std::int32_t window = penalty_window(c, history.size());
             c.given("presence", presence);
             c.given("frequency", frequency);
             const oracle::Vector expected = oracle::penalised(
                 oracle::to_doubles(row), history,
                 {.presence_penalty = presence, .frequency_penalty = frequency, .repeat_last_n = window});
             const Left left = left_of(c, row, history, stage(presence, frequency, window));
             expect_logits(c, left, expected, tolerance::penalty_sum);
         }},
        {"presence_frequency.refuses_bad_parameters",
         "A penalty that is no finite number, and a window below -1, are refused.",
         [stage](Case& c) {
             const float bad = c.pick({not_a_number, plus_infinity, -plus_infinity});
             expect_refused(c, "presence", bad, stage(bad, 0.0F, 64));
             expect_refused(c, "frequency", bad, stage(0.0F, bad, 64));
             expect_refused(c, "window", -2, stage(0.0F, 0.0F, -2));
             c.expect(accepts(stage(-2.0F, 2.0F, -1)), "good parameters are refused");
         }},
        foreign_history_is_error("presence_frequency.foreign_history_is_error", draw),
        nothing_stays("presence_frequency.nothing_stays", draw),
        bad_logits_stay_errors("presence_frequency.bad_logits_stay_errors", draw),
    };
}
template <SamplerStage Stage>
std::vector<Law> presence_frequency_law_list() {
    return presence_frequency_law_list(detail::any_stage<Stage, float, float, std::int32_t>);
}

//! Of a stage Stage(std::vector<TokenBias>).
inline std::vector<Law> logit_bias_law_list(detail::MakeStage<std::vector<TokenBias>> stage) {
    using namespace detail;
    const auto draw = [stage](Case& c, std::size_t vocabulary) {
        std::vector<TokenBias> biases(c.integer<std::size_t>(1, 4));
        for (auto& [token, bias] : biases) {
            token = static_cast<Token>(c.integer<std::size_t>(0, vocabulary - 1));
            bias = c.pick({1.5F, -4.0F, 100.0F});
        }
        return stage(biases);
    };
    return {
        {"logit_bias.adds", "Each bias is added to its token's logit; several of one token add up, -inf forbids it.",
         [stage](Case& c) {
             const std::vector<float> row = masked_logits(c);
             oracle::Vector expected = oracle::to_doubles(row);
             std::vector<TokenBias> biases;
             for (const Token token : token_history(c, row.size())) {
                 // Multiples of 1/4, so that their sum does not depend on the order.
                 const float bias = c.chance(0.1) ? -plus_infinity : static_cast<float>(c.integer(-40, 40)) / 4;
                 biases.push_back({token, bias});
                 expected[static_cast<std::size_t>(token)] += bias;
             }
             expect_logits(c, left_of(c, row, {}, stage(biases)), expected, tolerance::penalty_sum);
         }},
        {"logit_bias.foreign_token_is_error", "A bias for a token outside the vocabulary is an error.",
         [stage](Case& c) {
             const std::vector<float> row = masked_logits(c);
             const Token foreign = static_cast<Token>(row.size()) + c.pick({0, 1, 1000});
             c.given("foreign token", foreign);
             c.expect(!narrow(c, row, {}, stage({{foreign, 1.0F}})).ok(), "a foreign token is accepted");
         }},
        {"logit_bias.refuses_bad_parameters", "A bias of NaN or +inf and a negative token are refused.",
         [stage](Case& c) {
             expect_refused(c, "bias", not_a_number, stage({{0, not_a_number}}));
             expect_refused(c, "bias", plus_infinity, stage({{0, plus_infinity}}));
             const Token bad = c.integer(std::numeric_limits<Token>::min(), -1);
             expect_refused(c, "token", bad, stage({{bad, 1.0F}}));
             c.expect(accepts(stage({{0, -plus_infinity}, {5, -1.0F}})), "good parameters are refused");
         }},
        nothing_stays("logit_bias.nothing_stays", draw),
        bad_logits_stay_errors("logit_bias.bad_logits_stay_errors", draw),
    };
}
template <SamplerStage Stage>
std::vector<Law> logit_bias_law_list() {
    return logit_bias_law_list(detail::any_stage<Stage, std::vector<TokenBias>>);
}

template <SamplerStage Stage>
void repetition_penalty_laws(std::string_view subject) {
    check_laws(subject, repetition_penalty_law_list<Stage>());
}
template <SamplerStage Stage>
void presence_frequency_laws(std::string_view subject) {
    check_laws(subject, presence_frequency_law_list<Stage>());
}
template <SamplerStage Stage>
void logit_bias_laws(std::string_view subject) {
    check_laws(subject, logit_bias_law_list<Stage>());
}

}  // namespace sluice::contracts
