// SPDX-License-Identifier: Apache-2.0
//! Where the logits of a forward pass are, so that a sampler reads them there. A forward pass names the type as its
//! Logits: this one where the sampler reads the host's memory, cuda::DeviceLogits where it works on a device.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "sluice/core/buffer.hpp"
#include "sluice/core/status.hpp"

namespace sluice::model {

//! Rows of logits in the host's memory.
class HostLogits {
public:
    HostLogits(std::size_t rows, std::size_t vocab) : logits_(rows * vocab), vocab_(vocab) {}

    //! All of them [rows, vocab], for a forward pass to fill.
    operator std::span<float>() { return logits_.span(0, logits_.size()); }

    //! What a sampler gets: row i [vocab].
    std::span<float> row(std::size_t i) { return logits_.span(i * vocab_, vocab_); }

    //! Copies row i to `out` [vocab].
    Status read(std::size_t i, std::span<float> out) const {
        const std::span<const float> from = logits_.span(i * vocab_, vocab_);
        std::copy(from.begin(), from.end(), out.begin());
        return {};
    }

private:
    Buffer<float> logits_;
    std::size_t vocab_;
};

}  // namespace sluice::model
