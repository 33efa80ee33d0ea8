// SPDX-License-Identifier: Apache-2.0
//! A sink that writes the text to a stream as it comes.
#pragma once

#include <ostream>

#include "sluice/core/generation.hpp"

namespace sluice {

//! Writes and flushes each token's text. A stream that fails (a closed pipe, a full disk) stops the generation.
class OstreamSink {
public:
    explicit OstreamSink(std::ostream& out) : out_(&out) {}

    Flow on_token(const TokenEvent& event) {
        *out_ << event.text << std::flush;
        return out_->good() ? Flow::go_on : Flow::stop;
    }

private:
    std::ostream* out_;
};

}  // namespace sluice
