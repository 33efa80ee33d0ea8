// SPDX-License-Identifier: Apache-2.0
//! The law suites of the slots, run on a device's kernels.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "cuda/as_policies.hpp"
#include "sluice/contracts/attention_laws.hpp"
#include "sluice/contracts/check.hpp"
#include "sluice/contracts/experts_laws.hpp"
#include "sluice/contracts/kv_cache_laws.hpp"
#include "sluice/contracts/law.hpp"
#include "sluice/contracts/quantization_oracles.hpp"
#include "sluice/contracts/router_laws.hpp"
#include "sluice/core/float16.hpp"
#include "sluice/quant/q8_0.hpp"

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

}  // namespace sluice::test
