// SPDX-License-Identifier: Apache-2.0
//! The law suites that a device's kernels can be asked, on a GPU.
#include <doctest/doctest.h>

#include "cuda/check_device_laws.hpp"
#include "cuda/check_forward_laws.hpp"
#include "cuda/gpu/kernels.hpp"
#include "cuda/gpu/on_gpu.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Gpu;

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
TEST_CASE("gpu laws: sampler") {
    on_gpu([](Gpu&) { check_sampler_laws<Gpu>(device); });
}
TEST_CASE("gpu laws: matmul") {
    on_gpu([](Gpu&) { check_matmul_laws<Gpu>(device); });
}
TEST_CASE("gpu laws: quantization") {
    on_gpu([](Gpu&) { check_quantization_laws<Gpu>(device); });
}
TEST_CASE("gpu laws: activation, rms_norm, rope") {
    on_gpu([](Gpu&) {
        check_activation_laws<Gpu>(device);
        check_rms_norm_laws<Gpu>(device);
        check_rope_laws<Gpu>(device);
    });
}
TEST_CASE("gpu laws: forward, against float64") {
    on_gpu([](Gpu&) { device.check("cuda::Forward", forward_laws_of_results(DeviceForward<Gpu>::open)); });
}
