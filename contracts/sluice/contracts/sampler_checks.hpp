// SPDX-License-Identifier: Apache-2.0
//! What the laws of samplers and of their stages have in common: rows to draw, and what a stage leaves of a row.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/concepts/sampler.hpp"
#include "sluice/contracts/case.hpp"
#include "sluice/contracts/expect_value.hpp"
#include "sluice/contracts/law.hpp"
#include "sluice/contracts/oracles.hpp"
#include "sluice/contracts/sampling_oracles.hpp"
#include "sluice/contracts/show.hpp"
#include "sluice/contracts/tolerances.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/to_text.hpp"
#include "sluice/core/types.hpp"
#include "sluice/sampler/candidates.hpp"
#include "sluice/sampler/greedy.hpp"

namespace sluice::contracts::detail {

inline constexpr float plus_infinity = std::numeric_limits<float>::infinity();
inline constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

//! A vocabulary of one token, of a few, or of several of the blocks that Candidates works in.
inline std::size_t vocabulary(Case& c) {
    return c.pick<std::size_t>({1, 2, 7, c.integer<std::size_t>(1, 40), c.integer<std::size_t>(200, 600)});
}

//! Finite logits, far enough from the largest float that no penalty takes them there.
inline std::vector<float> moderate_logits(Case& c, std::size_t size) {
    std::vector<float> row = c.logits(size);
    for (float& x : row) x = std::clamp(x, -1e30F, 1e30F);
    return row;
}

//! The same with some tokens masked, never all.
inline std::vector<float> masked_logits(Case& c, std::size_t size) {
    std::vector<float> row = moderate_logits(c, size);
    const std::size_t spared = c.integer<std::size_t>(0, size - 1);
    const double share = c.pick({0.0, 0.2, 0.9});
    for (std::size_t i = 0; i < size; ++i) {
        if (i != spared && c.chance(share)) row[i] = -plus_infinity;
    }
    c.given("logits", row);
    return row;
}
inline std::vector<float> masked_logits(Case& c) { return masked_logits(c, vocabulary(c)); }

//! Tokens of which some occur several times: mostly few, seldom more than any window's default.
inline std::vector<Token> token_history(Case& c, std::size_t vocabulary) {
    std::vector<Token> history(c.chance(0.02) ? c.integer<std::size_t>(100, 200) : c.integer<std::size_t>(0, 12));
    const std::size_t various = c.pick({std::min<std::size_t>(vocabulary, 3), vocabulary});
    for (Token& token : history) token = static_cast<Token>(c.integer<std::size_t>(0, various - 1));
    c.given("history", history);
    return history;
}

inline std::int32_t penalty_window(Case& c, std::size_t history) {
    const auto whole = static_cast<std::int32_t>(history);
    const std::int32_t window = c.pick({-1, 0, 1, 2, whole, whole + 1, c.integer(0, whole + 3)});
    c.given("window", window);
    return window;
}

//! A stage whatever its type, so that the laws of stages are compiled once.
class AnyStage {
public:
    template <SamplerStage Stage>
    explicit AnyStage(Stage stage)
        : check_(check_of(stage)), apply_([stage](Candidates& candidates, const SampleContext& context) mutable {
              return stage.apply(candidates, context);
          }) {}

    Status check() const { return check_; }
    Status apply(Candidates& candidates, const SampleContext& context) { return apply_(candidates, context); }

private:
    template <class Stage>
    static Status check_of(const Stage& stage) {
        if constexpr (requires { stage.check(); }) {
            return stage.check();
        } else {
            return {};
        }
    }

    Status check_;
    std::function<Status(Candidates&, const SampleContext&)> apply_;
};

//! Makes a stage from its parameters.
template <class... Parameters>
using MakeStage = AnyStage (*)(Parameters...);

template <SamplerStage Stage, class... Parameters>
AnyStage any_stage(Parameters... parameters) {
    return AnyStage(Stage(parameters...));
}

//! Makes candidates of a row. Every other case begins without the masked ones, as behind another stage: a candidate's
//! index is then not its token, and all else is as before.
inline Status make_candidates(const Case& c, Candidates& candidates, std::span<float> row) {
    SLUICE_TRY(candidates.reset(row));
    if (c.seed() % 2 == 1) return {};
    return candidates.keep_if([](const Candidate&) { return true; });  // drops masked ones, as any narrowing does
}

//! What is left of a row.
struct Left {
    std::size_t before = 0;     //!< how many candidates the stages began with
    std::vector<Token> ids;     //!< that are left
    std::vector<float> logits;  //!< of the whole row; -inf of what is not left
    std::vector<float> depths;  //!< of `ids`, at the temperature; none where no token can be chosen
};

//! What the stages leave of a row, one after the other.
template <class... Stages>
Expected<Left> narrow(const Case& c, std::vector<float> row, std::span<const Token> history, Stages&&... stages) {
    Candidates candidates;
    SLUICE_TRY(make_candidates(c, candidates, row));
    Left left{candidates.size(), {}, std::vector<float>(row.size(), -plus_infinity), {}};
    Status status;
    static_cast<void>(((status = stages.apply(candidates, {.history = history})).ok() && ...));
    if (!status.ok()) return status;
    const bool has_depths = candidates.scan().ok();
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        const auto [logit, id] = candidates[i];
        left.ids.push_back(id);
        left.logits.at(static_cast<std::size_t>(id)) = logit;
        if (has_depths) left.depths.push_back(candidates.depth(logit));
    }
    return left;
}

template <class... Stages>
Left left_of(const Case& c, const std::vector<float>& row, std::span<const Token> history, Stages&&... stages) {
    return value_of(c, narrow(c, row, history, stages...));
}

//! The tokens that are left, but for masked ones: those may stay or go.
inline std::vector<Token> unmasked(const Left& left) {
    std::vector<Token> ids;
    for (const Token id : left.ids) {
        if (left.logits[static_cast<std::size_t>(id)] > -plus_infinity) ids.push_back(id);
    }
    return ids;
}

//! All candidates are left, with the bits that they had.
inline void expect_all_left(const Case& c, const Left& left, std::span<const float> row) {
    c.equal("candidates", left.ids.size(), left.before);
    c.same_bits("logits", left.logits, row);
}

//! Draws a stage that does something, for rows of that many logits.
using DrawStage = std::function<AnyStage(Case&, std::size_t vocabulary)>;

//! The law that a stage has no memory.
inline Law nothing_stays(std::string_view id, const DrawStage& draw) {
    return {id, "What a stage was applied to before, another row behind another history, changes nothing.",
            [draw](Case& c) {
                const std::vector<float> other = masked_logits(c), row = masked_logits(c);
                const std::vector<Token> earlier = token_history(c, other.size()),
                                         history = token_history(c, row.size());
                AnyStage used = draw(c, std::min(other.size(), row.size())), fresh = used;
                for (int i = c.integer(1, 3); i > 0; --i) left_of(c, other, earlier, used);
                const Left got = left_of(c, row, history, used), expected = left_of(c, row, history, fresh);
                c.equal("tokens left", got.ids, expected.ids);
                c.same_bits("logits", got.logits, expected.logits);
                c.same_bits("distances from the best", got.depths, expected.depths);
            }};
}

inline std::vector<Token> ascending(std::vector<Token> tokens, std::size_t count) {
    tokens.resize(std::min(tokens.size(), count));
    std::sort(tokens.begin(), tokens.end());
    return tokens;
}

//! All candidates are left, and the row has these logits.
inline void expect_logits(const Case& c, const Left& left, const oracle::Vector& expected, Tolerance allowed) {
    c.equal("candidates", left.ids.size(), left.before);
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const std::string what = "logit of token " + to_text(i);
        if (std::isinf(expected[i])) {
            c.equal(what, static_cast<double>(left.logits[i]), expected[i]);
        } else {
            c.near(what, left.logits[i], expected[i], allowed);
        }
    }
}

//! Whether the stage says that its parameters are in their range.
inline bool accepts(const AnyStage& stage) { return stage.check().ok(); }

template <class Value>
void expect_refused(const Case& c, std::string_view parameter, Value value, const AnyStage& stage) {
    c.expect(!accepts(stage), std::string(parameter) + " " + show(value) + " is accepted");
}

//! What no sampler may take a token from: an empty row, one with NaN or +inf in it, one of nothing but -inf.
inline std::vector<float> hopeless_logits(Case& c) {
    std::vector<float> row(c.chance(0.1) ? 0 : vocabulary(c), -plus_infinity);
    if (!row.empty() && c.chance(0.8)) {
        row = masked_logits(c, row.size());
        row[c.integer<std::size_t>(0, row.size() - 1)] = c.pick({not_a_number, -not_a_number, plus_infinity});
    }
    c.given("hopeless logits", row);
    return row;
}

//! The law that a stage mends nothing in silence.
inline Law bad_logits_stay_errors(std::string_view id, const DrawStage& draw) {
    return {id, "Behind the stage, too, a row with NaN or +inf, or of nothing but -inf, is an error and never a token.",
            [draw](Case& c) {
                std::vector<float> row = hopeless_logits(c);
                const std::size_t vocabulary = std::max<std::size_t>(row.size(), 1);
                const std::vector<Token> history = token_history(c, vocabulary);
                AnyStage stage = draw(c, vocabulary);
                Candidates candidates;
                Status status = make_candidates(c, candidates, row);
                if (status.ok()) status = stage.apply(candidates, {.history = history});
                c.expect(!status.ok() || !Greedy().choose(candidates, {}).ok(), "a token is chosen");
            }};
}

//! That the tokens sample(position) of positions 0, 1, ... come with these probabilities.
inline void expect_distribution(const Case& c, const oracle::Vector& probabilities,
                                const std::function<Expected<Token>(std::uint32_t)>& sample) {
    constexpr std::uint32_t draws = 1000;
    std::vector<std::size_t> counts(probabilities.size());
    for (std::uint32_t position = 0; position < draws; ++position) {
        const auto token = static_cast<std::size_t>(value_of(c, sample(position)));
        c.expect(token < counts.size() && probabilities[token] > 0.0,
                 "token " + to_text(token) + " is drawn, which is not among the possible ones");
        ++counts[token];
    }
    const oracle::ChiSquare test = oracle::chi_square(counts, probabilities);
    c.between("chi-square of the drawn tokens' counts " + show(counts), test.statistic, 0.0, test.bound);
}

}  // namespace sluice::contracts::detail
