// SPDX-License-Identifier: Apache-2.0
//! The standard sampler on a device: the tokens and the errors of StandardSampler, to the bit.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "sluice/concepts/sampler.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cuda/logits.hpp"
#include "sluice/sampler/candidates.hpp"
#include "sluice/sampler/standard.hpp"
#include "sluice/sampler/token_counts.hpp"

namespace sluice::cuda {

//! For the Sampler slot of a bundle on a device. It holds what belongs to one stream of tokens; the memory that it
//! works in is the forward pass's. The history is the host's, which counts the tokens of the penalties' window.
class DeviceSampler {
public:
    //! Error: a parameter outside its range, as make_standard_sampler.
    static Expected<DeviceSampler> make(const SamplingParams& params) {
        SLUICE_TRY(make_standard_sampler(params));
        return DeviceSampler(params);
    }

    //! The next token for a row of DeviceLogits, which is overwritten.
    template <class LogitsRow>
    requires requires(const LogitsRow& row) { row.logits->vocab(); }
    Expected<Token> sample(const LogitsRow& row, const SampleContext& context) {
        SLUICE_TRY(start(row, context));
        return wait(row);
    }

    //! The same in two steps, so that several rows are under way together.
    template <class LogitsRow>
    requires requires(const LogitsRow& row) { row.logits->vocab(); }
    Status start(const LogitsRow& row, const SampleContext& context) {
        const std::size_t vocab = row.logits->vocab();
        SLUICE_TRY(Candidates::check_vocab_size(vocab));
        std::span<const TokenCounts::Entry> counts;
        if (params_.repetition_penalty != 1.0F || params_.presence_penalty != 0.0F ||
            params_.frequency_penalty != 0.0F) {
            SLUICE_ASSIGN(counts, counts_.count(last_tokens(context.history, params_.repeat_last_n), vocab));
        }
        for (const TokenBias& bias : params_.logit_bias) {
            const Status known = Candidates::check_token(bias.token, vocab);
            if (!known.ok()) return known.within("logit_bias");
        }
        row.logits->start(row.index, params_, counts, context);
        return {};
    }
    template <class LogitsRow>
    requires requires(const LogitsRow& row) { row.logits->vocab(); }
    Expected<Token> wait(const LogitsRow& row) { return row.logits->wait(row.index); }

private:
    explicit DeviceSampler(SamplingParams params) : params_(std::move(params)) {}

    SamplingParams params_;
    TokenCounts counts_;
};

}  // namespace sluice::cuda
