// SPDX-License-Identifier: Apache-2.0
//! The Router slot: which experts a row goes to, and with which weights.
#pragma once

#include <concepts>
#include <span>

#include "sluice/core/types.hpp"

namespace sluice {

//! `router.route(logits, chosen)` fills chosen [k] with k distinct experts of [0, logits.size()) for one row, k being
//! at most logits.size(). It may overwrite `logits` [experts], which may hold NaN and infinity. The order of `chosen`
//! is the order in which the experts' outputs are added. Called by several threads at once, so it has no state that
//! changes.
template <class R>
concept Router = requires(const R& router, std::span<float> logits, std::span<ExpertChoice> chosen) {
    requires std::default_initializable<R>;
    router.route(logits, chosen);
};

}  // namespace sluice
