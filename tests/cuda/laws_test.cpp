// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "cuda/check_device_laws.hpp"
#include "sluice/cuda/emulated.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Emulated;

TEST_CASE("router laws: the device's kernel, emulated") { check_router_laws<Emulated>({"cuda::Emulated", 100}); }

TEST_CASE("kv_cache laws: the device's caches, emulated") { check_kv_cache_laws<Emulated>({"cuda::Emulated", 30}); }

TEST_CASE("attention laws: the device's kernels, emulated") { check_attention_laws<Emulated>({"cuda::Emulated", 20}); }

TEST_CASE("experts laws: the device's kernels, emulated") { check_experts_laws<Emulated>({"cuda::Emulated", 30}); }

TEST_CASE("sampler laws: the device's sampler, emulated") { check_sampler_laws<Emulated>({"cuda::Emulated", 5}); }

TEST_CASE("matmul laws: the device's kernels, emulated") { check_matmul_laws<Emulated>({"cuda::Emulated", 100}); }

TEST_CASE("quantization laws: the device's reading of each format, emulated") {
    check_quantization_laws<Emulated>({"cuda::Emulated", 200});
}

TEST_CASE("activation laws: the device's kernel, emulated") {
    check_activation_laws<Emulated>({"cuda::Emulated", 200});
}

TEST_CASE("rms_norm laws: the device's kernel, emulated") { check_rms_norm_laws<Emulated>({"cuda::Emulated", 300}); }

TEST_CASE("rope laws: the device's kernel, emulated") { check_rope_laws<Emulated>({"cuda::Emulated", 500}); }
