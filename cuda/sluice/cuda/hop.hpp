// SPDX-License-Identifier: Apache-2.0
//! Experts on the CPU in a forward pass on a device, for models that are larger than the device's memory: the batch
//! hops to the host, and the experts' results hop back. The experts' weights stay where the file is mapped.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "sluice/concepts/executor.hpp"
#include "sluice/concepts/experts.hpp"
#include "sluice/concepts/quantization.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cpu/activations.hpp"
#include "sluice/cpu/executor.hpp"
#include "sluice/cuda/forward.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/model/batch.hpp"
#include "sluice/model/model.hpp"

namespace sluice::cuda {

//! An E, which models Experts, with threads of its own, behind the memory of a device.
template <class E, class Q, Executor Threads = cpu::ThreadPool>
class Hop {
    static_assert(Experts<E, Q>,
                  "cuda: the Experts slot, which computes the layers whose experts are on the CPU, does not model "
                  "sluice::Experts; see docs/add_a_component.md#experts");

public:
    //! The int8 forms that `gate` and `up` read, and those that `down` reads. Throws std::system_error where the
    //! system gives no more threads.
    Hop(const ExpertsShape& shape, cpu::ActivationForms x, cpu::ActivationForms inner, std::size_t threads)
        : shape_(shape),
          threads_(threads),
          experts_(shape, inner),
          x_(shape.max_rows, shape.hidden, x),
          choices_(shape.max_rows * shape.used),
          output_(shape.max_rows * shape.hidden) {}

    //! output [rows, hidden] = the weighted sums of the chosen experts' results for x [rows, hidden]; choices [rows,
    //! used]. All three are on the device, the weights as in the file. Waits for the device's results, not for the copy
    //! back. An error is one of earlier launches.
    template <Device D>
    Status operator()(D& device, const ExpertWeights& weights, const float* x, const ExpertChoice* choices,
                      std::size_t rows, float* output) {
        const std::size_t entries = rows * shape_.used, bytes = rows * shape_.hidden * sizeof(float);
        device.to_host(x_.row(0), x, bytes);
        device.to_host(choices_.data(), choices, entries * sizeof(ExpertChoice));
        SLUICE_TRY(device.finish());
        threads_.run([&](auto& team) {
            const Range mine = share(rows, 1, team.rank(), team.size());
            for (std::size_t r = mine.first; r < mine.last; ++r) x_.quantize(r);
            team.barrier();
            experts_.template apply<Q>(team, weights, x_, std::span<const ExpertChoice>(choices_).first(entries),
                                       output_.data());
        });
        device.to_device(output, output_.data(), bytes);
        return {};
    }

private:
    ExpertsShape shape_;
    Threads threads_;
    E experts_;
    cpu::Activations<> x_;
    std::vector<ExpertChoice> choices_;
    Buffer<float> output_;
};

//! The forward pass on a device whose last layers' experts are computed by P::Experts on the CPU: as many layers as it
//! is created with. The device's half is Forward<P>.
template <class P>
class HybridForward {
    using D = typename P::Executor;
    using Cache = typename P::KvCache;
    using CpuExperts = Hop<typename P::Experts, typename P::Quantization>;

public:
    static constexpr bool reads_interleaved = Forward<P>::reads_interleaved;

    //! As Forward::create. The experts on the CPU are read where the file is mapped, which must outlive this.
    static Expected<model::Ready<typename P::KvCache, HybridForward>> create(D& device, const model::ModelOf<P>& model,
                                                                             const KvCacheShape& cache,
                                                                             std::size_t max_rows,
                                                                             const model::LoadProgress& progress = {},
                                                                             const model::CpuExperts& on_cpu = {}) {
        const auto& s = model.shape;
        const std::size_t hops = std::min(on_cpu.layers, s.layers);
        SLUICE_ASSIGN(auto ready, Forward<P>::create(device, model, cache, max_rows, progress, hops));
        HybridForward forward(std::move(ready.forward));
        if (hops > 0) {
            const model::LayerForms forms = model::layer_forms<typename P::Quantization>(model.weights);
            const ExpertsShape shape{s.hidden, s.expert_ff, s.experts, s.experts_used, max_rows};
            SLUICE_ASSIGN(forward.experts_,
                          cpu::with_threads<CpuExperts>(shape, forms.normed, forms.inner, on_cpu.threads));
        }
        return model::Ready<typename P::KvCache, HybridForward>{std::move(ready.cache), std::move(forward)};
    }

    std::size_t max_rows() const { return on_device_.max_rows(); }
    std::size_t vocab() const { return on_device_.vocab(); }

    //! Likewise as Forward.
    using Logits = typename Forward<P>::Logits;
    Logits make_logits(D& device, std::size_t rows) const { return on_device_.make_logits(device, rows); }

    //! As Forward, for logits in the host's memory or on the device. `cancel` is polled at each layer. A device goes on
    //! to the next row by itself only where it has all experts.
    template <class Rows>
    Status operator()(D& device, Cache& cache, std::span<const Row> rows, Rows&& logits,
                      const std::atomic<bool>* cancel = nullptr) {
        return on_device_.run(device, cache, rows, logits, cancel,
                              [&](auto&&... batch) { return (*experts_)(device, batch...); });
    }

private:
    explicit HybridForward(Forward<P> on_device) : on_device_(std::move(on_device)) {}

    Forward<P> on_device_;
    std::unique_ptr<CpuExperts> experts_;  // if some layers' experts are on the CPU
};

}  // namespace sluice::cuda
