// SPDX-License-Identifier: Apache-2.0
//! The device's sampler as one of the host's: for tests that give rows of logits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "cuda/on_device.hpp"
#include "sluice/concepts/sampler.hpp"
#include "sluice/cuda/logits.hpp"
#include "sluice/cuda/sampler.hpp"
#include "sluice/sampler/standard.hpp"

namespace sluice::test {

//! A row of logits on a device, with what sampling from it takes.
template <cuda::Device D>
class RowOnDevice {
    using W = cuda::SamplerWorkspace;

public:
    RowOnDevice(D& device, std::size_t vocab)
        : logits_(device, vocab),
          best_(device, cuda::div_up(vocab, W::tile_size)),
          candidates_(device, vocab),
          cut_(device, 1),
          bad_(device, best_.size()),
          count_(device, 1),
          mass_(device, best_.size()),
          outcome_(device, 1),
          handle_(device,
                  std::make_shared<cuda::SamplerState<D>>(cuda::SamplerState<D>{
                      logits_.data(),
                      {vocab, best_.data(), bad_.data(), mass_.data(), candidates_.data(), count_.data(), cut_.data()},
                      outcome_.data(),
                      value_or_end(cuda::Mailbox<D, cuda::Outcome>::create(1)),
                      nullptr,
                      {},
                      {},
                      {},
                      false})) {}

    std::size_t vocab() const { return logits_.size(); }

    //! The row, of these logits.
    typename cuda::DeviceLogits<D>::LogitsRow fill(std::span<const float> logits) {
        logits_.write(logits);
        return handle_.row(0);
    }
    std::vector<float> read() const { return logits_.read(); }

private:
    OnDevice<D, float> logits_;
    OnDevice<D, cuda::RankKey> best_, candidates_, cut_;
    OnDevice<D, std::uint32_t> bad_, count_;
    OnDevice<D, std::uint64_t> mass_;
    OnDevice<D, cuda::Outcome> outcome_;
    cuda::DeviceLogits<D> handle_;
};

//! cuda::DeviceSampler behind the interface of a host's sampler. Copies share their memory on the device.
template <cuda::Device D>
class OnRow {
public:
    static Expected<OnRow> make(D& device, const SamplingParams& params) {
        SLUICE_ASSIGN(auto sampler, cuda::DeviceSampler::make(params));
        return OnRow(device, std::move(sampler));
    }

    Expected<Token> sample(std::span<float> logits, const SampleContext& context) {
        if (row_ == nullptr || row_->vocab() != logits.size()) {
            row_ = std::make_shared<RowOnDevice<D>>(*device_, logits.size());
        }
        return sampler_.sample(row_->fill(logits), context);
    }

private:
    OnRow(D& device, cuda::DeviceSampler sampler) : device_(&device), sampler_(std::move(sampler)) {}

    D* device_;
    cuda::DeviceSampler sampler_;
    std::shared_ptr<RowOnDevice<D>> row_;
};

}  // namespace sluice::test
