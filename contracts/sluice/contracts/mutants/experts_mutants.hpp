// SPDX-License-Identifier: Apache-2.0
//! Experts that are wrong in one way each.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/concepts/executor.hpp"
#include "sluice/concepts/experts.hpp"
#include "sluice/contracts/experts_laws.hpp"
#include "sluice/contracts/mutant.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cpu/activations.hpp"
#include "sluice/cpu/experts.hpp"

namespace sluice::contracts {

namespace mutants {

using ChoicesOfRows = std::span<const ExpertChoice>;

//! The true experts, between a change of what they are given and a change of what they have made; a Mutation has
//! one of the two.
template <class Mutation>
class MutantExperts {
public:
    MutantExperts(const ExpertsShape& shape, cpu::ActivationForms forms)
        : shape_(shape), true_(shape, forms), mutation_{} {}

    template <Quantization Q, Team T>
    void apply(T& team, ExpertWeights weights, const cpu::Activations<>& x, ChoicesOfRows choices, float* output) {
        // Each member has a copy of its own, taken where the choices are known to all.
        team.barrier();
        std::vector<ExpertChoice> mine(choices.begin(), choices.end());
        const std::vector<float> held(output, output + choices.size() / shape_.used * shape_.hidden);
        if constexpr (requires { mutation_.before(shape_, weights, mine); }) mutation_.before(shape_, weights, mine);
        team.barrier();
        true_.template apply<Q>(team, weights, x, mine, output);
        team.barrier();
        if constexpr (requires { mutation_.after(team.size(), held, output); }) {
            if (team.rank() == 0) mutation_.after(team.size(), held, output);
        }
    }

private:
    ExpertsShape shape_;
    cpu::SwiGluExperts<> true_;
    Mutation mutation_;
};

using ChoiceList = std::vector<ExpertChoice>;

struct SwapsGateAndUp {
    void before(const ExpertsShape&, ExpertWeights& weights, ChoiceList&) const { std::swap(weights.gate, weights.up); }
};

struct IgnoresWeights {
    void before(const ExpertsShape& shape, ExpertWeights&, ChoiceList& choices) const {
        for (ExpertChoice& choice : choices) choice.weight = 1.0F / static_cast<float>(shape.used);
    }
};

struct TakesNextExpert {
    void before(const ExpertsShape& shape, ExpertWeights&, ChoiceList& choices) const {
        for (ExpertChoice& choice : choices) {
            choice.expert = (choice.expert + 1) % static_cast<std::int32_t>(shape.experts);
        }
    }
};

struct DropsLastChoice {
    void before(const ExpertsShape& shape, ExpertWeights&, ChoiceList& choices) const {
        for (std::size_t i = shape.used; i <= choices.size(); i += shape.used) choices[i - 1].weight = 0.0F;
    }
};

struct AddsInReverse {
    void before(const ExpertsShape& shape, ExpertWeights&, ChoiceList& choices) const {
        for (auto row = choices.begin(); row != choices.end(); row += static_cast<std::ptrdiff_t>(shape.used)) {
            std::reverse(row, row + static_cast<std::ptrdiff_t>(shape.used));
        }
    }
};

struct AddsByExpertNumber {
    void before(const ExpertsShape& shape, ExpertWeights&, ChoiceList& choices) const {
        for (auto row = choices.begin(); row != choices.end(); row += static_cast<std::ptrdiff_t>(shape.used)) {
            std::sort(row, row + static_cast<std::ptrdiff_t>(shape.used),
                      [](const ExpertChoice& a, const ExpertChoice& b) { return a.expert < b.expert; });
        }
    }
};

struct UsesFirstRowsChoices {
    void before(const ExpertsShape& shape, ExpertWeights&, ChoiceList& choices) const {
        for (std::size_t i = shape.used; i < choices.size(); ++i) choices[i] = choices[i - shape.used];
    }
};

struct NormalisesAgain {
    void before(const ExpertsShape& shape, ExpertWeights&, ChoiceList& choices) const {
        for (std::size_t row = 0; row < choices.size(); row += shape.used) {
            float sum = 0.0F;
            for (std::size_t i = row; i < row + shape.used; ++i) sum += choices[i].weight;
            if (sum == 0.0F) continue;
            for (std::size_t i = row; i < row + shape.used; ++i) choices[i].weight /= sum;
        }
    }
};

struct AddsToOutput {
    void after(std::size_t, const std::vector<float>& held, float* output) const {
        for (std::size_t i = 0; i < held.size(); ++i) output[i] += held[i];
    }
};

struct KeepsFirstResult {
    void after(std::size_t, const std::vector<float>& held, float* output) {
        if (first == 0.0F) first = output[0];
        output[held.size() - 1] += 1e-3F * first * static_cast<float>(calls++);
    }
    float first = 0.0F;
    int calls = 0;
};

struct LosesPartOfATeam {
    void after(std::size_t members, const std::vector<float>& held, float* output) const {
        if (members > 1) output[held.size() - 1] = 0.0F;
    }
};

}  // namespace mutants

template <class E>
Mutant experts_mutant(std::string_view name, std::string_view law) {
    return {std::string(name), law, experts_law_list<E>()};
}

inline std::vector<Mutant> experts_mutants() {
    using namespace mutants;
    const auto sum = "experts.weighted_sum_of_swiglu", order = "experts.sum_in_order_of_choices";
    return {
        experts_mutant<MutantExperts<SwapsGateAndUp>>("swaps gate and up", sum),
        experts_mutant<MutantExperts<IgnoresWeights>>("weighs all choices alike", sum),
        experts_mutant<MutantExperts<TakesNextExpert>>("takes the next expert", sum),
        experts_mutant<MutantExperts<DropsLastChoice>>("drops the last choice", sum),
        experts_mutant<MutantExperts<AddsInReverse>>("adds in reverse", order),
        experts_mutant<MutantExperts<AddsByExpertNumber>>("adds by expert number", order),
        experts_mutant<MutantExperts<UsesFirstRowsChoices>>("gives all rows the first one's choices",
                                                            "experts.row_alone"),
        experts_mutant<MutantExperts<LosesPartOfATeam>>("loses a part where there are several threads",
                                                        "experts.any_team"),
        experts_mutant<MutantExperts<AddsToOutput>>("adds to what the output held", "experts.nothing_stays"),
        experts_mutant<MutantExperts<KeepsFirstResult>>("keeps a part of its first result", "experts.nothing_stays"),
        experts_mutant<MutantExperts<NormalisesAgain>>("normalises the weights again", "experts.linear_in_weights"),
    };
}

}  // namespace sluice::contracts
