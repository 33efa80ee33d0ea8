// SPDX-License-Identifier: Apache-2.0
//! The Sampler slot: from one row of logits to one token; and the parts that sampler/chain.hpp composes into one.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>

#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"

namespace sluice {

//! What a sampler may look at besides the logits. A draw depends on (seed, sequence, position) and nothing else, so the
//! same request gives the same tokens alone and in company.
struct SampleContext {
    std::span<const Token> history{};  //!< prompt, then every token generated so far
    std::uint64_t seed = 0;            //!< of the request
    std::uint32_t sequence = 0;        //!< for several answers from one seed; 0 in Pipeline and Engine
    std::uint32_t position = 0;        //!< 0-based position that the sampled token will take
    bool goes_on = false;  //!< the sampled token's row is likely to be computed next: a device may begin with it
};

//! `sampler.sample(logits, context)` returns a token in [0, vocab), or an error for empty or non-finite logits. It may
//! overwrite `logits` [vocab]: where the forward pass left them, in the host's memory if it does not say otherwise
//! (model/logits.hpp).
template <class S, class Logits = std::span<float>>
concept Sampler = requires(S& sampler, Logits logits, const SampleContext& context) {
    { sampler.sample(logits, context) } -> std::same_as<Expected<Token>>;
};

//! A sampler whose token need not be waited for at once: `start(logits, context)` has it sampled, `wait(logits)` gives
//! what sample() would have. So a device samples all rows of a batch, and somebody waits once.
template <class S, class Logits>
concept AsyncSampler = Sampler<S, Logits> && requires(S& sampler, Logits logits, const SampleContext& context) {
    { sampler.start(logits, context) } -> std::same_as<Status>;
    { sampler.wait(logits) } -> std::same_as<Expected<Token>>;
};

class Candidates;

//! `stage.apply(candidates, context)` changes some logits (penalties, bias) or drops some candidates (top-k, top-p).
//! Its error is the sampler's, and ends the chain.
//! A stage or chooser may also have `check() const`, which returns an error for parameters out of their range.
template <class S>
concept SamplerStage = requires(S& stage, Candidates& candidates, const SampleContext& context) {
    { stage.apply(candidates, context) } -> std::same_as<Status>;
};

//! `chooser.choose(candidates, context)` ends a chain: it picks one of the candidates that are left, or returns
//! an error where none can be sampled.
template <class C>
concept TokenChooser = requires(C& chooser, Candidates& candidates, const SampleContext& context) {
    { chooser.choose(candidates, context) } -> std::same_as<Expected<Token>>;
};

}  // namespace sluice
