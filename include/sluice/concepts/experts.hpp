// SPDX-License-Identifier: Apache-2.0
//! The Experts slot: the feed-forward networks that a row's chosen experts apply to it.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>

#include "sluice/concepts/executor.hpp"
#include "sluice/concepts/quantization.hpp"
#include "sluice/core/matrix.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cpu/activations.hpp"

namespace sluice {

//! The expert weights of one layer, the experts' matrices stacked one behind the other.
struct ExpertWeights {
    Matrix gate;  //!< [experts * ff, hidden]
    Matrix up;    //!< [experts * ff, hidden]
    Matrix down;  //!< [experts * hidden, ff]
};

//! The sizes that experts work on.
struct ExpertsShape {
    std::size_t hidden = 0;
    std::size_t ff = 0;  //!< width of one expert
    std::size_t experts = 0;
    std::size_t used = 0;      //!< experts a row
    std::size_t max_rows = 0;  //!< of a call
};

//! `experts.apply<Q>(team, weights, x, choices, output)` is called by every member of the team with the same arguments;
//! Q is the Quantization of the weights. It fills output [rows, hidden] with the weighted sum, in the order of choices
//! [rows, used], of the chosen experts' results for each row of x [rows, hidden]. The caller puts a barrier before it
//! and behind it. It is built from its shape and from which forms its own intermediate activations need for the `down`
//! matrices.
template <class E, class Q>
concept Experts = requires(E& experts, detail::AnyTeam& team, const ExpertWeights& weights, const cpu::Activations<>& x,
                           std::span<const ExpertChoice> choices, float* output) {
    requires std::constructible_from<E, ExpertsShape, cpu::ActivationForms>;
    experts.template apply<Q>(team, weights, x, choices, output);
};

}  // namespace sluice
