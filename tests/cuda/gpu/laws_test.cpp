// SPDX-License-Identifier: Apache-2.0
//! The law suites of the slots, on a GPU.
#include <doctest/doctest.h>

#include "cuda/check_device_laws.hpp"
#include "cuda/gpu/on_gpu.hpp"
#include "sluice/cuda/gpu.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Gpu;

// In kernels.cu.
extern template struct sluice::test::DeviceRouter<Gpu>;
extern template class sluice::test::DeviceKvCache<Gpu, float>;
extern template class sluice::test::DeviceKvCache<Gpu, Half>;
extern template class sluice::test::DeviceKvCache<Gpu, quant::Q8_0::Block>;
extern template class sluice::test::DeviceAttention<Gpu, Half, false>;
extern template class sluice::test::DeviceAttention<Gpu, Half, true>;
extern template class sluice::test::DeviceAttention<Gpu, quant::Q8_0::Block, true>;
extern template class sluice::test::DeviceExperts<Gpu>;

namespace {
const DeviceUnderLaw device{"a GPU", 100};
}

TEST_CASE("gpu laws: router") {
    on_gpu([](Gpu&) { check_router_laws<Gpu>(device); });
}
TEST_CASE("gpu laws: kv_cache") {
    on_gpu([](Gpu&) { check_kv_cache_laws<Gpu>(device); });
}
TEST_CASE("gpu laws: attention") {
    on_gpu([](Gpu&) { check_attention_laws<Gpu>(device); });
}
TEST_CASE("gpu laws: experts") {
    on_gpu([](Gpu&) { check_experts_laws<Gpu>(device); });
}
