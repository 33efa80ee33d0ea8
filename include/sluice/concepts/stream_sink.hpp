// SPDX-License-Identifier: Apache-2.0
//! The StreamSink slot: where tokens go as they are sampled.
#pragma once

#include <concepts>

#include "sluice/core/generation.hpp"

namespace sluice {

//! `sink.on_token(event)` is called once per sampled token, before the next forward pass. Flow::stop ends the
//! generation. The event's text is valid only during the call.
//!
//! A sink may also have `on_finish(const GenerationResult&)`, called once when a generation ends without an error, and
//! `on_error(const Status&)`, called once when it ends with one.
template <class S>
concept StreamSink = requires(S& sink, const TokenEvent& event) {
    { sink.on_token(event) } -> std::same_as<Flow>;
};

}  // namespace sluice
