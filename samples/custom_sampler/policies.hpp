// SPDX-License-Identifier: Apache-2.0
//! A sampler of one's own, and policies with it in their slot.
#pragma once

#include <cstddef>
#include <span>

#include "../common/device.hpp"
#include "sluice/concepts/sampler.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/sampler/candidates.hpp"
#include "sluice/sampler/chain.hpp"
#include "sluice/sampler/greedy.hpp"

//! A stage of a sampler: bans every token that already followed the last two tokens, once, in the text so far.
struct NoRepeatedTriple {
    sluice::Status apply(sluice::Candidates& candidates, const sluice::SampleContext& context) const {
        const std::span<const sluice::Token> text = context.history;
        for (std::size_t i = 2; i < text.size(); ++i) {
            const bool follows_the_same = text[i - 2] == text[text.size() - 2] && text[i - 1] == text.back();
            if (!follows_the_same) continue;
            SLUICE_TRY(candidates.update(text[i], [](float) { return sluice::Candidates::masked; }));
        }
        return {};
    }
};

//! The ready-made policies P, with another one in the slot of the sampler. It reads logits in the host's memory, so
//! that is where a GPU leaves them.
template <class P>
struct WithoutRepetition : P {
    using Sampler = sluice::Chain<NoRepeatedTriple, sluice::Greedy>;
};

#if defined(SLUICE_SAMPLES_CUDA)
extern template class sluice::cuda::Forward<WithoutRepetition<samples::CudaPolicies>>;  // in common/cuda.cu
#endif
