// SPDX-License-Identifier: Apache-2.0
//! Logits that stay on the device, and the launches that sample from them there. Only the token comes back; and while
//! the host looks at it, the device may be at the row behind it already.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "sluice/concepts/sampler.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cuda/candidates.hpp"
#include "sluice/cuda/draw.hpp"
#include "sluice/cuda/find_cut.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/sampler/candidates.hpp"
#include "sluice/sampler/min_p.hpp"
#include "sluice/sampler/standard.hpp"
#include "sluice/sampler/token_counts.hpp"

namespace sluice::cuda {

//! What a forward pass and its sampler share.
template <Device D>
struct SamplerState {
    float* logits;       //!< [rows, vocab], as all of these in device memory
    SamplerWorkspace w;  //!< of one row after the other
    Outcome* outcomes;   //!< [rows]
    Mailbox<D, Outcome> mailbox;

    Row* row;                             //!< in device memory: the one that `step` computes, for logits in row 0
    std::vector<typename D::Graph> step;  //!< the parts of a forward pass
    //! Behind the row with the last logits, but for the token; nothing: `step`, which has one part, is not for it.
    std::optional<Row> next;
    std::optional<Row> ahead;  //!< computed or being computed by `step`, though nobody has asked for it yet
    bool goes_on;              //!< `step` was launched for a token that nobody has waited for yet
};

//! The Logits of a forward pass on a device: a handle, valid as long as the device is there.
template <Device D>
class DeviceLogits {
public:
    //! What a sampler gets: row `index` of the logits.
    struct LogitsRow {
        const DeviceLogits* logits;
        std::size_t index;
    };

    DeviceLogits(D& device, std::shared_ptr<SamplerState<D>> state) : device_(&device), state_(std::move(state)) {}

    LogitsRow row(std::size_t i) const { return {this, i}; }
    std::size_t vocab() const { return state_->w.vocab; }

    //! Copies row i to `out` [vocab] in the host's memory.
    Status read(std::size_t i, std::span<float> out) const {
        device_->to_host(out.data(), state_->logits + i * vocab(), out.size_bytes());
        return device_->finish();
    }

    //! Launches what gives the token of the parameters for row i, which is overwritten. `counts`: distinct tokens that
    //! the penalties are for. If context.goes_on the device computes the row of this token next, if it can.
    void start(std::size_t i, const SamplingParams& params, std::span<const TokenCounts::Entry> counts,
               const SampleContext& context) const {
        SamplerState<D>& s = *state_;
        float* const logits = s.logits + i * vocab();
        penalize(logits, params, counts);
        add_biases(logits, params.logit_bias);
        const Draw draw = narrow(logits, params);
        s.goes_on = context.goes_on && s.next;
        launch(PickToken{draw, context.seed, context.sequence, context.position, s.outcomes + i, s.next.value_or(Row()),
                         s.goes_on ? s.row : nullptr});
        s.mailbox.send(*device_, i, s.outcomes + i);
        if (s.goes_on) device_->launch(s.step.front());
    }

    //! The token of row i, once those of all started rows are there. Errors: logits that are not finite or all -inf, as
    //! Candidates::scan; what the device reports.
    Expected<Token> wait(std::size_t i) const {
        SamplerState<D>& s = *state_;
        const bool goes_on = std::exchange(s.goes_on, false);
        SLUICE_ASSIGN(const Outcome outcome, s.mailbox.receive(*device_, i));
        switch (outcome.kind) {
            case Outcome::Kind::non_finite:
                return Candidates::non_finite_error(outcome.token, outcome.logit);
            case Outcome::Kind::nothing_left:
                return Candidates::nothing_left_error();
            case Outcome::Kind::token:
                break;
        }
        if (goes_on) {
            s.ahead = s.next;
            s.ahead->token = outcome.token;
        }
        return outcome.token;
    }

private:
    template <class Kernel>
    void launch(const Kernel& kernel) const {
        device_->launch(kernel, kernel.grid());
    }

    void penalize(float* logits, const SamplingParams& params, std::span<const TokenCounts::Entry> counts) const {
        while (!counts.empty()) {
            Penalize kernel = {logits,
                               params.repetition_penalty,
                               params.presence_penalty,
                               params.frequency_penalty,
                               static_cast<unsigned>(std::min<std::size_t>(counts.size(), Penalize::most)),
                               {}};
            std::copy_n(counts.begin(), kernel.count, kernel.entries);
            launch(kernel);
            counts = counts.subspan(kernel.count);
        }
    }

    void add_biases(float* logits, std::span<const TokenBias> biases) const {
        while (!biases.empty()) {
            AddBiases kernel = {
                logits, static_cast<unsigned>(std::min<std::size_t>(biases.size(), AddBiases::most)), {}};
            std::copy_n(biases.begin(), kernel.count, kernel.biases);
            launch(kernel);
            biases = biases.subspan(kernel.count);
        }
    }

    //! Launches what there is to do before the draw.
    Draw narrow(const float* logits, const SamplingParams& p) const {
        const SamplerWorkspace& w = state_->w;
        const Draw draw = {.logits = logits,
                           .inverse_temperature = Candidates::inverse(p.temperature),
                           .greedy = p.temperature == 0.0F || p.top_k == 1,
                           .has_cut = p.top_k > 0 || (p.top_p > 0.0F && p.top_p < 1.0F),
                           .deepest = p.min_p == 0.0F ? std::numeric_limits<float>::infinity() : MinP::deepest(p.min_p),
                           .w = w};
        launch(SurveyLogits{logits, w});
        if (draw.greedy) return draw;
        const auto top_k = static_cast<std::uint32_t>(p.top_k);
        if (draw.has_cut) {
            launch(NarrowLogits{logits, draw.inverse_temperature, top_k, w});
            launch(FindCut{draw.inverse_temperature, top_k, p.top_p, w});
        }
        launch(WeighTiles{draw});
        return draw;
    }

    D* device_;
    std::shared_ptr<SamplerState<D>> state_;
};

}  // namespace sluice::cuda
