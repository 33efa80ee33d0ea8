// SPDX-License-Identifier: Apache-2.0
#include "sluice/cpu/attention.hpp"

#include "sluice/contracts/attention_laws.hpp"
#include "sluice/contracts/mutants/attention_mutants.hpp"
#include "sluice/cpu/kv_cache.hpp"
#include "support/backends.hpp"

using namespace sluice;
using namespace sluice::contracts;
using namespace sluice::test;

TEST_CASE("attention laws: cpu::SoftmaxAttention on every back end") {
    for_each_backend([]<class V> {
        using Causal = cpu::SoftmaxAttention<cpu::Causal, V>;
        attention_laws<Causal>(on_backend<V>("cpu::SoftmaxAttention"));
        attention_laws<Causal, cpu::KvCacheF16>(on_backend<V>("cpu::SoftmaxAttention") + " over cpu::KvCacheF16");
    });
    attention_laws<cpu::SoftmaxAttention<>, cpu::KvCacheQ8_0>("cpu::SoftmaxAttention over cpu::KvCacheQ8_0");
}

TEST_CASE("attention laws: cpu::SlidingWindow on every back end") {
    for_each_backend([]<class V> {
        const std::string name = on_backend<V>("cpu::SoftmaxAttention") + " with cpu::SlidingWindow";
        attention_laws<cpu::SoftmaxAttention<cpu::SlidingWindow<5>, V>>(name + "<5>", 5);
        attention_laws<cpu::SoftmaxAttention<cpu::SlidingWindow<1>, V>>(name + "<1>", 1);
    });
}

TEST_CASE("attention mutants: each is caught by its law") { check_mutants(attention_mutants()); }
