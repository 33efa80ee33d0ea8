// SPDX-License-Identifier: Apache-2.0
//! A type that does not fit the KvCache slot is told by the slot's name.
// EXPECT: the KvCache slot does not model
#include "sluice/sluice.hpp"

struct Broken {
    explicit Broken(const sluice::KvCacheShape&) {}  // stores nothing
};

struct Policies : sluice::Qwen3MoeCpu<sluice::quant::Q4_K_M> {
    using KvCache = Broken;
};

constexpr bool fits = sluice::check_policies<Policies>();
