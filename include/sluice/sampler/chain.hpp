// SPDX-License-Identifier: Apache-2.0
//! A sampler made of parts: stages that narrow the candidates, one after the other, and a chooser.
#pragma once

#include <cstddef>
#include <span>
#include <tuple>
#include <utility>

#include "sluice/concepts/sampler.hpp"
#include "sluice/sampler/candidates.hpp"

namespace sluice {

//! Chain<Stage..., Chooser>, a Sampler. It owns the scratch memory of one stream of tokens: give each thread its own.
//! No allocation after the first tokens.
template <class... Parts>
class Chain {
    static constexpr std::size_t stage_count = sizeof...(Parts) - 1;
    static_assert(TokenChooser<std::tuple_element_t<stage_count, std::tuple<Parts...>>>,
                  "the last part of a Chain must be a TokenChooser, such as Greedy or Multinomial");
    static_assert((std::size_t{SamplerStage<Parts>} + ...) == stage_count,
                  "every part of a Chain but the last must be a SamplerStage: Status apply(Candidates&, const "
                  "SampleContext&)");

public:
    //! The first error of the parts' check(), if any.
    static Expected<Chain> make(Parts... parts) {
        Status status;
        static_cast<void>(((status = check(parts)).ok() && ...));
        if (!status.ok()) return status;
        return Chain(std::move(parts)...);
    }

    //! The next token for one row of `logits` [vocab], which is overwritten.
    Expected<Token> sample(std::span<float> logits, const SampleContext& context) {
        SLUICE_TRY(candidates_.reset(logits));
        return run<0>(context);
    }

private:
    explicit Chain(Parts... parts) : parts_(std::move(parts)...) {}

    template <class Part>
    static Status check(const Part& part) {
        if constexpr (requires { part.check(); }) {
            return part.check();
        } else {
            static_assert(
                !requires { &Part::check; }, "a part's check() must be const and take nothing");
            return {};
        }
    }

    template <std::size_t I>
    Expected<Token> run(const SampleContext& context) {
        auto& part = std::get<I>(parts_);
        if constexpr (I == stage_count) {
            return part.choose(candidates_, context);
        } else {
            SLUICE_TRY(part.apply(candidates_, context));
            return run<I + 1>(context);
        }
    }

    std::tuple<Parts...> parts_;
    Candidates candidates_;
};

}  // namespace sluice
