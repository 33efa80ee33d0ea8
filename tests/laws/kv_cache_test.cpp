// SPDX-License-Identifier: Apache-2.0
#include "sluice/cpu/kv_cache.hpp"

#include "sluice/contracts/kv_cache_laws.hpp"
#include "sluice/contracts/mutants/kv_cache_mutants.hpp"

using namespace sluice;
using namespace sluice::contracts;

TEST_CASE("kv_cache laws: cpu::KvCacheF32, cpu::KvCacheF16 and cpu::KvCacheQ8_0") {
    kv_cache_laws<cpu::KvCacheF32>("cpu::KvCacheF32");
    kv_cache_laws<cpu::KvCacheF16>("cpu::KvCacheF16", each_stored<oracle::nearest_half>);
    kv_cache_laws<cpu::KvCacheQ8_0>("cpu::KvCacheQ8_0", oracle::store_as_q8_0);
}

TEST_CASE("kv_cache mutants: each is caught by its law") { check_mutants(kv_cache_mutants()); }
