// SPDX-License-Identifier: Apache-2.0
//! The laws of the forward pass on the emulated device, against the same float64 reference as the CPU's; and devices
//! and programs that are wrong in ways that kernels cannot show one by one.
#include "sluice/contracts/forward_laws.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "cuda/check_forward_laws.hpp"
#include "sluice/contracts/mutant.hpp"
#include "sluice/cuda/activations.hpp"
#include "sluice/cuda/emulated.hpp"
#include "sluice/model/model.hpp"
#include "sluice/pipeline/policies.hpp"

namespace sluice::contracts::device {  // other tests of this program have the names of sluice::test
namespace {

enum class DeviceFault { none, skips_a_kernel_in_replay, rounds_activations };

//! A device with the fault that was set last.
class FaultyDevice : public cuda::Emulated {
public:
    static inline DeviceFault next_fault = DeviceFault::none;

    template <class Kernel>
    void launch(const Kernel& kernel, cuda::Dim grid) {
        Emulated::launch(kernel, grid);
        if constexpr (std::is_same_v<Kernel, cuda::NormalizeRows>) {
            for (unsigned r = 0; fault_ == DeviceFault::rounds_activations && r < kernel.rows; ++r) {
                round_to_bytes({kernel.y.row(r), kernel.y.k});
            }
        }
    }
    //! Without the last kernel but one: the norm before the output.
    void launch(const Graph& graph) {
        Graph some = graph;
        if (fault_ == DeviceFault::skips_a_kernel_in_replay) some.launches.erase(some.launches.end() - 2);
        Emulated::launch(some);
    }

private:
    //! As int8 with one scale, where the model's formats are floats.
    static void round_to_bytes(std::span<float> row) {
        float largest = 0.0F;
        for (const float x : row) largest = std::max(largest, std::fabs(x));
        const float d = largest / 127.0F;
        for (float& x : row) x = d > 0.0F ? std::round(x / d) * d : x;
    }

    DeviceFault fault_ = next_fault;
};

using OnCpu = Qwen3MoeCpu<quant::Any>;
struct FloatCacheOnCpu : OnCpu {
    using KvCache = cpu::KvCacheF32;
};

using FaultyForward = test::DeviceForward<FaultyDevice>;

//! Computes prompts on the device and, from the first row that comes alone, goes on on the CPU: to the same bits.
class FallsBackToCpu : public AnyForward {
public:
    FallsBackToCpu(const gguf::File& file, const ForwardSetup& setup)
        : device_(file, setup), cpu_(forward_opener<FloatCacheOnCpu>()(file, setup)) {}

    Status compute(std::span<const Row> rows, std::span<float> logits, const std::atomic<bool>* cancel) override {
        has_fallen_back_ = has_fallen_back_ || rows.size() == 1;
        if (!has_fallen_back_) SLUICE_TRY(device_.compute(rows, logits, cancel));
        return cpu_->compute(rows, logits, cancel);
    }
    std::size_t length(std::size_t sequence) const override { return cpu_->length(sequence); }
    void truncate(std::size_t sequence, std::size_t length) override {
        cpu_->truncate(sequence, length);
        if (!has_fallen_back_) device_.truncate(sequence, length);
    }
    std::size_t regions() const override { return device_.regions(); }

private:
    FaultyForward device_;
    std::unique_ptr<AnyForward> cpu_;
    bool has_fallen_back_ = false;
};

constexpr std::size_t cases = 20;  // emulation is slow
constexpr std::string_view truth = "forward.agrees_with_float64", batches = "forward.batches_change_nothing",
                           on_device = "device.computes_each_pass";

//! The laws of its results, and one of where they are computed. `open`: of forward
//! passes whose regions() counts the device's launches.
std::vector<Law> device_laws(const OpenForward& open) {
    std::vector<Law> laws = test::forward_laws_of_results(open);
    laws.push_back({on_device, "Each pass, of many rows or of the one that is streamed, is computed on the device.",
                    [open](Case& c) {
                        RandomModel model(c);
                        const std::vector<Token> tokens = model.tokens(9);
                        const auto forward = open(model.file(), {});
                        for (std::size_t done = 0, count = 0; done < tokens.size(); done += count) {
                            count = std::min(c.pick<std::size_t>({1, 1, 2, 4}), tokens.size() - done);
                            const std::size_t before = forward->regions();
                            detail::compute(c, *forward, detail::rows_of(tokens, done, count));
                            c.expect(forward->regions() > before, "a pass of " + to_text(count) + " rows is not there");
                        }
                    }});
    for (Law& law : laws) law.cases = std::min(law.cases, cases);
    return laws;
}

OpenForward opener_with(DeviceFault fault) {
    return [fault](const gguf::File& file, const ForwardSetup& setup) {
        FaultyDevice::next_fault = fault;
        return FaultyForward::open(file, setup);
    };
}

}  // namespace

TEST_CASE("forward laws: the device, emulated, against float64") {
    check_laws("cuda::Forward on cuda::Emulated", device_laws(opener_with(DeviceFault::none)));
}

TEST_CASE("forward mutants: those of a device are caught by their laws") {
    FaultyDevice::next_fault = DeviceFault::none;
    const auto falling_back = [](const gguf::File& file, const ForwardSetup& setup) {
        return std::make_unique<FallsBackToCpu>(file, setup);
    };
    //! The laws that no policy of the CPU can break in the device's way.
    const auto laws = [](const OpenForward& open) {
        std::vector<Law> some;
        for (const Law& law : device_laws(open)) {
            if (law.id == truth || law.id == batches || law.id == on_device) some.push_back(law);
        }
        return some;
    };
    check_mutants({
        {"rounds activations that the reference has as floats", truth,
         laws(opener_with(DeviceFault::rounds_activations))},
        {"skips a kernel in graph replay", batches, laws(opener_with(DeviceFault::skips_a_kernel_in_replay))},
        {"falls back to the CPU as it streams", on_device, laws(falling_back)},
    });
}

}  // namespace sluice::contracts::device
