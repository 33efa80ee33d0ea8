// SPDX-License-Identifier: Apache-2.0
//! The sampler of the command line and the server: all the usual stages in their usual order.
#pragma once

#include <concepts>
#include <cstdint>
#include <vector>

#include "sluice/sampler/chain.hpp"
#include "sluice/sampler/logit_bias.hpp"
#include "sluice/sampler/min_p.hpp"
#include "sluice/sampler/multinomial.hpp"
#include "sluice/sampler/presence_frequency.hpp"
#include "sluice/sampler/repetition_penalty.hpp"
#include "sluice/sampler/temperature.hpp"
#include "sluice/sampler/top_k.hpp"
#include "sluice/sampler/top_p.hpp"

namespace sluice {

//! What a request may choose. The defaults are plain greedy sampling; each field alone changes nothing else.
struct SamplingParams {
    float temperature = 0.0F;             //!< >= 0; 0 is greedy, 1 the model's own distribution
    std::int32_t top_k = 0;               //!< keep the k best; 0 keeps all, 1 is greedy
    float top_p = 1.0F;                   //!< keep the best that together reach this probability; off outside (0, 1)
    float min_p = 0.0F;                   //!< keep those at least this times as likely as the best; [0, 1]
    float repetition_penalty = 1.0F;      //!< > 0; 1 is none
    float presence_penalty = 0.0F;        //!< subtracted once from each token in the window
    float frequency_penalty = 0.0F;       //!< subtracted for each occurrence in the window
    std::int32_t repeat_last_n = 64;      //!< the penalties' window over prompt and output; 0 none, -1 everything
    std::vector<TokenBias> logit_bias{};  //!< added to the logits after the penalties
};

//! Penalties and biases, then the temperature (0 leaves the best token alone), then what narrows, then one draw.
using StandardSampler =
    Chain<RepetitionPenalty, PresenceFrequencyPenalty, LogitBias, Temperature, TopK, TopP, MinP, Multinomial>;

//! Error: a parameter outside its range, named with the value and the range.
inline Expected<StandardSampler> make_standard_sampler(const SamplingParams& params) {
    return StandardSampler::make(
        RepetitionPenalty(params.repetition_penalty, params.repeat_last_n),
        PresenceFrequencyPenalty(params.presence_penalty, params.frequency_penalty, params.repeat_last_n),
        LogitBias(params.logit_bias), Temperature(params.temperature), TopK(params.top_k), TopP(params.top_p),
        MinP(params.min_p), Multinomial());
}

//! A sampler of type S: StandardSampler, or any that has S::make(SamplingParams), such as cuda::DeviceSampler.
template <class S>
Expected<S> make_sampler(const SamplingParams& params) {
    if constexpr (std::same_as<S, StandardSampler>) {
        return make_standard_sampler(params);
    } else {
        return S::make(params);
    }
}

}  // namespace sluice
