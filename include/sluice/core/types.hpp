// SPDX-License-Identifier: Apache-2.0
//! The words every part shares: a token, a row of the batch.
#pragma once

#include <cstdint>

namespace sluice {

//! Index into the vocabulary. Negative values are never valid tokens.
using Token = std::int32_t;

//! One row of a forward pass: this token, at this position (0-based) of this sequence (a slot of the KV cache).
//! `wants_logits` rows get a row of logits; the others only fill the cache.
struct Row {
    Token token = 0;
    std::int32_t sequence = 0;
    std::int32_t position = 0;
    bool wants_logits = false;

    friend bool operator==(const Row&, const Row&) = default;
};

//! An expert chosen for a row, and the weight its output is scaled by.
struct ExpertChoice {
    std::int32_t expert = 0;
    float weight = 0.0F;
};

}  // namespace sluice
