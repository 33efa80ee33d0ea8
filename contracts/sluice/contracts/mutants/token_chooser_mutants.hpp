// SPDX-License-Identifier: Apache-2.0
//! Choosers and chains that are wrong in one way each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "sluice/contracts/mutant.hpp"
#include "sluice/contracts/token_chooser_laws.hpp"
#include "sluice/core/random.hpp"
#include "sluice/core/types.hpp"
#include "sluice/sampler/candidates.hpp"
#include "sluice/sampler/greedy.hpp"
#include "sluice/sampler/multinomial.hpp"

namespace sluice::contracts {

namespace mutants {

struct GreedyTieToLast {
    Expected<Token> choose(Candidates& candidates, const SampleContext&) const {
        SLUICE_TRY(candidates.scan());
        Candidate best = candidates.best();
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            if (candidates[i].logit == best.logit) best = candidates[i];
        }
        return best.id;
    }
};

//! The first candidate, whatever the logits, where there is no best one.
template <TokenChooser Chooser>
struct NeverAtALoss : Chooser {
    Expected<Token> choose(Candidates& candidates, const SampleContext& context) {
        auto token = Chooser::choose(candidates, context);
        return token.ok() ? *token : candidates.id(0);
    }
};

//! The true draw at another context.
template <class Change>
struct MultinomialElsewhere : Multinomial {
    Expected<Token> choose(Candidates& candidates, SampleContext context) {
        Change()(context);
        return Multinomial::choose(candidates, context);
    }
};
struct WithoutSeed {
    void operator()(SampleContext& context) const { context.seed = 42; }
};
struct WithoutSequence {
    void operator()(SampleContext& context) const { context.sequence = 0; }
};
struct WithoutPosition {
    void operator()(SampleContext& context) const { context.position = 0; }
};
struct WithHistory {
    void operator()(SampleContext& context) const { context.seed += context.history.size(); }
};

struct MultinomialWithMemory : Multinomial {
    Expected<Token> choose(Candidates& candidates, SampleContext context) {
        context.position += calls++;
        return Multinomial::choose(candidates, context);
    }
    std::uint32_t calls = 0;
};

//! Takes the best token that many times in a hundred without a draw.
template <int percent>
struct MultinomialBiasedToBest : Multinomial {
    Expected<Token> choose(Candidates& candidates, const SampleContext& context) {
        if (100 * uniform(~context.seed, 0, context.position) < percent) return Greedy().choose(candidates, context);
        return Multinomial::choose(candidates, context);
    }
};

//! Answers the index of the candidate.
struct MultinomialByIndex : Multinomial {
    Expected<Token> choose(Candidates& candidates, const SampleContext& context) {
        SLUICE_ASSIGN(const Token token, Multinomial::choose(candidates, context));
        Token index = 0;
        while (candidates.id(static_cast<std::size_t>(index)) != token) ++index;
        return index;
    }
};

struct MultinomialUniform {
    Expected<Token> choose(Candidates& candidates, const SampleContext& context) const {
        SLUICE_TRY(candidates.scan());
        const double drawn = uniform(context.seed, context.sequence, context.position);
        return candidates.id(static_cast<std::size_t>(drawn * static_cast<double>(candidates.size())));
    }
};

//! Applies its stages last to first.
template <class... Parts>
class ChainReversed {
public:
    static Expected<ChainReversed> make(Parts... parts) { return ChainReversed(std::move(parts)...); }

    Expected<Token> sample(std::span<float> logits, const SampleContext& context) {
        SLUICE_TRY(candidates_.reset(logits));
        return run<sizeof...(Parts) - 1>(context);
    }

private:
    explicit ChainReversed(Parts... parts) : parts_(std::move(parts)...) {}

    template <std::size_t left>
    Expected<Token> run(const SampleContext& context) {
        if constexpr (left == 0) {
            return std::get<sizeof...(Parts) - 1>(parts_).choose(candidates_, context);
        } else {
            SLUICE_TRY(std::get<left - 1>(parts_).apply(candidates_, context));
            return run<left - 1>(context);
        }
    }

    std::tuple<Parts...> parts_;
    Candidates candidates_;
};

//! Goes on after an error.
template <class... Parts>
class ChainDeaf {
public:
    static Expected<ChainDeaf> make(Parts... parts) { return ChainDeaf(std::move(parts)...); }

    Expected<Token> sample(std::span<float> logits, const SampleContext& context) {
        SLUICE_TRY(candidates_.reset(logits));
        Expected<Token> token = 0;
        const auto call = [&](auto& part) {
            if constexpr (requires { part.choose(candidates_, context); }) {
                token = part.choose(candidates_, context);
            } else {
                static_cast<void>(part.apply(candidates_, context));
            }
        };
        std::apply([&](auto&... parts) { (call(parts), ...); }, parts_);
        return token;
    }

private:
    explicit ChainDeaf(Parts... parts) : parts_(std::move(parts)...) {}

    std::tuple<Parts...> parts_;
    Candidates candidates_;
};

}  // namespace mutants

template <TokenChooser Chooser>
Mutant greedy_mutant(std::string_view name, std::string_view law) {
    return {std::string(name), law, greedy_law_list<Chooser>()};
}

inline std::vector<Mutant> greedy_mutants() {
    using namespace mutants;
    return {
        greedy_mutant<GreedyTieToLast>("gives ties to the last id", "greedy.arg_max_lowest_id"),
        greedy_mutant<NeverAtALoss<Greedy>>("takes token 0 of hopeless logits", "greedy.hopeless_logits_are_errors"),
    };
}

template <TokenChooser Chooser>
Mutant multinomial_mutant(std::string_view name, std::string_view law) {
    return {std::string(name), law, multinomial_law_list<Chooser>()};
}

inline std::vector<Mutant> multinomial_mutants() {
    using namespace mutants;
    const auto exact = "multinomial.exact_distribution", key = "multinomial.seed_sequence_position",
               alone = "multinomial.nothing_else_decides";
    return {
        multinomial_mutant<MultinomialBiasedToBest<10>>("is biased to the best token", exact),
        multinomial_mutant<MultinomialBiasedToBest<3>>("takes the best token 3 % too often",
                                                       "multinomial.inverts_the_cumulative"),
        multinomial_mutant<MultinomialByIndex>("takes an index for a token", "multinomial.inverts_the_cumulative"),
        multinomial_mutant<MultinomialUniform>("draws all tokens alike", exact),
        multinomial_mutant<MultinomialElsewhere<WithoutSeed>>("ignores its seed", key),
        multinomial_mutant<MultinomialElsewhere<WithoutSequence>>("ignores the sequence", key),
        multinomial_mutant<MultinomialElsewhere<WithoutPosition>>("ignores the position", key),
        multinomial_mutant<MultinomialElsewhere<WithHistory>>("draws by the history's length", alone),
        multinomial_mutant<MultinomialWithMemory>("counts its draws", alone),
        multinomial_mutant<NeverAtALoss<Multinomial>>("takes token 0 of hopeless logits",
                                                      "multinomial.hopeless_logits_are_errors"),
    };
}

inline std::vector<Mutant> chain_mutants() {
    using namespace mutants;
    return {
        {"applies its stages last to first", "chain.applies_in_order", chain_law_list<ChainReversed>()},
        {"goes on behind an error", "chain.error_ends_it", chain_law_list<ChainDeaf>()},
    };
}

}  // namespace sluice::contracts
