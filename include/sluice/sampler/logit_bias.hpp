// SPDX-License-Identifier: Apache-2.0
//! Logit bias: adds a number to the logits of named tokens.
#pragma once

#include <cfloat>
#include <utility>
#include <vector>

#include "sluice/concepts/sampler.hpp"
#include "sluice/sampler/candidates.hpp"

namespace sluice {

//! Added to one token's logit; -inf forbids the token.
struct TokenBias {
    Token token = 0;
    float bias = 0.0F;
};

//! Adds each bias to its token's logit; several biases of one token add up. Errors: a negative token or a bias that is
//! NaN or +inf (of check()), a token outside the vocabulary (of apply()).
class LogitBias {
public:
    explicit LogitBias(std::vector<TokenBias> biases) : biases_(std::move(biases)) {}

    Status check() const {
        for (const auto& [token, bias] : biases_) {
            if (token < 0 || !(bias <= FLT_MAX)) {
                return Status(Errc::invalid_argument, "logit_bias",
                              "token " + to_text(token) + " with bias " + to_text(bias),
                              "give a token of the vocabulary and a finite bias, or -inf to forbid the token");
            }
        }
        return {};
    }

    Status apply(Candidates& candidates, const SampleContext&) const {
        for (const auto& [token, bias] : biases_) {
            const Status status = candidates.update(token, [bias = bias](float x) { return x + bias; });
            if (!status.ok()) return status.within("logit_bias");
        }
        return {};
    }

private:
    std::vector<TokenBias> biases_;
};

}  // namespace sluice
