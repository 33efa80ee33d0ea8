// SPDX-License-Identifier: Apache-2.0
//! The laws of the forward pass on a device, against the same float64 reference as the CPU's. For the emulated device
//! and for a GPU.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "cuda/on_device.hpp"
#include "cuda/policies_on.hpp"
#include "sluice/contracts/expect_value.hpp"
#include "sluice/contracts/forward_laws.hpp"
#include "sluice/contracts/law.hpp"
#include "sluice/cuda/hop.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/model/model.hpp"
#include "sluice/quant/sets.hpp"

namespace sluice::test {

//! What the kernels cannot do, gate and up in two formats, is left to the CPU.
template <cuda::Device D>
class DeviceForward : public contracts::AnyForward {
    using P = PoliciesOn<D, quant::Any, float>;
    using Ready = model::Ready<typename P::KvCache, cuda::HybridForward<P>>;

public:
    DeviceForward(const gguf::File& file, const contracts::ForwardSetup& setup)
        : model_(contracts::value_or_throw(model::ModelOf<P>::read(file, 0))), ready_(make(setup)) {}

    Status compute(std::span<const Row> rows, std::span<float> logits, const std::atomic<bool>* cancel) override {
        return ready_.forward(device_, ready_.cache, rows, logits, cancel);
    }
    std::size_t length(std::size_t sequence) const override { return ready_.cache.length(sequence); }
    void truncate(std::size_t sequence, std::size_t length) override { ready_.cache.truncate(sequence, length); }
    //! Launches, where the device counts them.
    std::size_t regions() const override { return launches(device_); }

    static std::unique_ptr<contracts::AnyForward> open(const gguf::File& file, const contracts::ForwardSetup& setup) {
        return std::make_unique<DeviceForward>(file, setup);
    }

private:
    Ready make(const contracts::ForwardSetup& setup) {
        const auto& s = model_.shape;
        const KvCacheShape cache{s.layers, s.kv_heads, s.head_dim, setup.sequences, setup.capacity};
        const auto create = [&](std::size_t on_cpu) {
            return cuda::HybridForward<P>::create(device_, model_, cache, setup.max_rows, {},
                                                  {.layers = on_cpu, .threads = 1});
        };
        auto ready = create(0);
        return contracts::value_or_throw(ready.ok() ? std::move(ready) : create(s.layers));
    }

    D device_ = new_device<D>();
    model::ModelOf<P> model_;
    Ready ready_;
};

//! Those laws of the forward pass that are of its results: not of the CPU's threads.
inline std::vector<contracts::Law> forward_laws_of_results(const contracts::OpenForward& open) {
    std::vector<contracts::Law> laws = contracts::forward_law_list(open);
    std::erase_if(laws, [](const contracts::Law& law) {
        return law.id == "forward.threads_change_nothing" || law.id == "forward.one_region_per_pass";
    });
    return laws;
}

}  // namespace sluice::test
