// SPDX-License-Identifier: Apache-2.0
//! The device's sampler as one of the host's: for tests that give rows of logits.
#pragma once

#include <cstddef>
#include <doctest/doctest.h>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "cuda/on_device.hpp"
#include "sluice/concepts/sampler.hpp"
#include "sluice/cuda/emulated.hpp"
#include "sluice/cuda/logits.hpp"
#include "sluice/cuda/sampler.hpp"
#include "sluice/sampler/standard.hpp"

namespace sluice::test {

//! A row of logits on the emulated device, with what sampling from it takes.
class RowOnDevice {
    using D = cuda::Emulated;
    using W = cuda::SamplerWorkspace;

public:
    explicit RowOnDevice(std::span<const float> logits)
        : logits_(std::vector<float>(logits.begin(), logits.end())),
          tiles_(cuda::div_up(logits.size(), W::tile_size)),
          best_(tiles_),
          candidates_(logits.size()),
          cut_(1),
          bad_(tiles_),
          count_(1),
          mass_(tiles_),
          outcome_(1) {}

    cuda::DeviceLogits<D> on(D& device) {
        auto mailbox = cuda::Mailbox<D, cuda::Outcome>::create(1);
        REQUIRE(mailbox.ok());
        return {device, std::make_shared<cuda::SamplerState<D>>(
                            cuda::SamplerState<D>{logits_.data(),
                                                  {logits_.span().size(), best_.data(), bad_.data(), mass_.data(),
                                                   candidates_.data(), count_.data(), cut_.data()},
                                                  outcome_.data(),
                                                  std::move(*mailbox),
                                                  nullptr,
                                                  {},
                                                  {},
                                                  {},
                                                  false})};
    }

private:
    OnDevice<float> logits_;
    std::size_t tiles_;
    OnDevice<cuda::RankKey> best_, candidates_, cut_;
    OnDevice<std::uint32_t> bad_, count_;
    OnDevice<std::uint64_t> mass_;
    OnDevice<cuda::Outcome> outcome_;
};

//! cuda::DeviceSampler behind the interface of a host's sampler.
class OnRow {
public:
    static Expected<OnRow> make(const SamplingParams& params, cuda::Order order = cuda::Order::ascending) {
        SLUICE_ASSIGN(auto sampler, cuda::DeviceSampler::make(params));
        return OnRow(std::move(sampler), order);
    }

    Expected<Token> sample(std::span<float> logits, const SampleContext& context) {
        RowOnDevice row(logits);
        const auto on_device = row.on(*device_);
        return sampler_.sample(on_device.row(0), context);
    }

private:
    OnRow(cuda::DeviceSampler sampler, cuda::Order order)
        : sampler_(std::move(sampler)),
          device_(std::make_shared<cuda::Emulated>(cuda::EmulatedOptions{.order = order})) {}

    cuda::DeviceSampler sampler_;
    std::shared_ptr<cuda::Emulated> device_;
};

}  // namespace sluice::test
