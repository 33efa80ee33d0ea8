// SPDX-License-Identifier: Apache-2.0
//! The law suites of the slots, run on a device's kernels.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cuda/as_policies.hpp"
#include "cuda/on_row.hpp"
#include "sluice/concepts/quantization.hpp"
#include "sluice/contracts/activation_laws.hpp"
#include "sluice/contracts/attention_laws.hpp"
#include "sluice/contracts/check.hpp"
#include "sluice/contracts/experts_laws.hpp"
#include "sluice/contracts/kv_cache_laws.hpp"
#include "sluice/contracts/law.hpp"
#include "sluice/contracts/matmul_laws.hpp"
#include "sluice/contracts/numerics_laws.hpp"
#include "sluice/contracts/quantization_laws.hpp"
#include "sluice/contracts/quantization_oracles.hpp"
#include "sluice/contracts/router_laws.hpp"
#include "sluice/contracts/sampler_laws.hpp"
#include "sluice/core/float16.hpp"
#include "sluice/cuda/memory.hpp"
#include "sluice/quant/q8_0.hpp"
#include "sluice/quant/sets.hpp"
#include "sluice/sampler/standard.hpp"

namespace sluice::test {

//! Each law has fewer cases than elsewhere: emulation is slow, and a device is waited for in every call.
struct DeviceUnderLaw {
    std::string name;
    std::size_t cases;

    void check(const std::string& subject, std::vector<contracts::Law> laws) const {
        for (contracts::Law& law : laws) law.cases = std::min(law.cases, cases);
        contracts::check_laws(subject + " on " + name, laws);
    }
};

template <cuda::Device D>
void check_router_laws(const DeviceUnderLaw& device) {
    device.check("cuda::RouteRows", contracts::router_law_list<DeviceRouter<D>>());
}

template <cuda::Device D>
void check_kv_cache_laws(const DeviceUnderLaw& device) {
    using namespace contracts;
    device.check("cuda::KvCacheF32", kv_cache_law_list<DeviceKvCache<D, float>>());
    device.check("cuda::KvCacheF16", kv_cache_law_list<DeviceKvCache<D, Half>>(each_stored<oracle::nearest_half>));
    device.check("cuda::KvCacheQ8_0", kv_cache_law_list<DeviceKvCache<D, quant::Q8_0::Block>>(oracle::store_as_q8_0));
}

template <cuda::Device D>
void check_attention_laws(const DeviceUnderLaw& device) {
    const auto check = [&]<class Unit, bool in_tiles>(const std::string& kernel) {
        using Attention = DeviceAttention<D, Unit, in_tiles>;
        device.check(kernel, contracts::attention_law_list<Attention, DeviceKvCache<D, Unit>>());
    };
    check.template operator()<Half, false>("cuda::AttendSpans");
    check.template operator()<Half, true>("cuda::AttendTile");
    check.template operator()<quant::Q8_0::Block, true>("cuda::AttendTile over cuda::KvCacheQ8_0");
}

template <cuda::Device D>
void check_experts_laws(const DeviceUnderLaw& device) {
    device.check("cuda::apply_experts", contracts::experts_law_list<DeviceExperts<D>>());
}

//! A case of the law of probabilities is a thousand samples.
template <cuda::Device D>
void check_sampler_laws(const DeviceUnderLaw& device) {
    auto laws = contracts::sampler_law_list([](const SamplingParams& params) -> Expected<contracts::AnySampler> {
        SLUICE_ASSIGN(auto sampler, OnRow<D>::make(shared_device<D>(), params));
        return contracts::AnySampler(std::move(sampler));
    });
    for (contracts::Law& law : laws) {
        if (law.id == "sampler.exact_distribution") law.cases = std::max<std::size_t>(device.cases / 10, 1);
    }
    device.check("cuda::DeviceSampler", std::move(laws));
}

template <cuda::Device D>
void check_matmul_laws(const DeviceUnderLaw& device) {
    const auto check = [&]<class F>() {
        const std::string format(F::name);
        device.check("cuda::linear<" + format + ">", contracts::matmul_law_list<DeviceKernels<D>, F>());
        if constexpr (IntegerFormat<F>) {
            device.check("cuda::MmaLinear<" + format + ">", contracts::matmul_law_list<DeviceKernels<D, true>, F>());
        }
    };
    [&]<class... F>(quant::OneOf<F...>) { (check.template operator()<F>(), ...); }(quant::Any());
}

//! What the device makes of a format's blocks: it decodes and multiplies, but does not encode.
template <cuda::Device D>
void check_quantization_laws(const DeviceUnderLaw& device) {
    using contracts::detail::ActivationRow, contracts::detail::AnyFormat, contracts::detail::BlockBytes;
    const auto check = [&]<class F>() {
        AnyFormat format = AnyFormat::of<F>();
        format.encode = {};
        format.decode = [](const BlockBytes& block) { return decode_on_device<D, F>(std::as_bytes(std::span(block))); };
        format.dot = [](const unsigned char* row, std::size_t k, const ActivationRow& x) {
            float dot = 0.0F;
            const cpu::Column<typename F::Activation> column{x.view<F>(), &dot};
            DeviceKernels<D>::template multiply<F>(
                {reinterpret_cast<const std::byte*>(row), F::format, 1, k, quant::row_bytes<F>(k)}, 0, 1, {&column, 1});
            return dot;
        };
        device.check("cuda::Pieces<" + std::string(F::name) + ">",
                     contracts::quantization_law_list(format, contracts::oracle::layout_of(F::format)));
    };
    [&]<class... F>(quant::OneOf<F...>) { (check.template operator()<F>(), ...); }(quant::Any());
}

template <cuda::Device D>
void check_activation_laws(const DeviceUnderLaw& device) {
    using contracts::detail::AnyQuantizer;
    device.check("cuda::QuantizeRows of 32",
                 contracts::activation_law_list(AnyQuantizer::of<DeviceQuantizer<D>, 32>()));
    device.check("cuda::QuantizeRows of 256",
                 contracts::activation_law_list(AnyQuantizer::of<DeviceQuantizer<D>, 256>()));
}

//! But for the law of a row that is normalized in its place: a device's never is.
template <cuda::Device D>
void check_rms_norm_laws(const DeviceUnderLaw& device) {
    auto laws = contracts::rms_norm_law_list<DeviceRmsNorm<D>>();
    std::erase_if(laws, [](const contracts::Law& law) { return law.id == "rms_norm.in_place"; });
    device.check("cuda::NormalizeRows", std::move(laws));
}

template <cuda::Device D>
void check_rope_laws(const DeviceUnderLaw& device) {
    device.check("cuda::Rotations", contracts::rope_law_list<DeviceRope<D>>());
}

}  // namespace sluice::test
