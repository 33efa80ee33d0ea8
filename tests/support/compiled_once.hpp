// SPDX-License-Identifier: Apache-2.0
//! What takes long to compile and many tests use: the matrix kernels of all formats, and two whole models. It is
//! compiled once, in compiled_once.cpp.
#pragma once

#include <atomic>
#include <cstddef>
#include <span>

#include "sluice/core/matrix.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cpu/matmul.hpp"
#include "sluice/model/forward.hpp"
#include "sluice/pipeline/loaded_model.hpp"
#include "sluice/pipeline/policies.hpp"
#include "sluice/quant/sets.hpp"

namespace sluice::test {
template <class F>
using Columns = std::span<const cpu::Column<typename F::Activation>>;
}  // namespace sluice::test

#define SLUICE_TEST_KERNEL(DECLARE, F)                                                                    \
    DECLARE void sluice::cpu::multiply<sluice::quant::F>(const sluice::Matrix&, std::size_t, std::size_t, \
                                                         sluice::test::Columns<sluice::quant::F>, const std::byte*);
#define SLUICE_TEST_MODEL(DECLARE, P)                             \
    DECLARE struct sluice::LoadedModel<P>;                        \
    DECLARE sluice::Status sluice::model::Forward<P>::operator()( \
        P::Executor&, P::KvCache&, std::span<const sluice::Row>, std::span<float>, const std::atomic<bool>*);
#define SLUICE_COMPILED_ONCE(DECLARE)                 \
    SLUICE_TEST_KERNEL(DECLARE, Q4_K)                 \
    SLUICE_TEST_KERNEL(DECLARE, Q5_K)                 \
    SLUICE_TEST_KERNEL(DECLARE, Q6_K)                 \
    SLUICE_TEST_KERNEL(DECLARE, Q8_0)                 \
    SLUICE_TEST_KERNEL(DECLARE, Q4_0)                 \
    SLUICE_TEST_KERNEL(DECLARE, Q5_0)                 \
    SLUICE_TEST_KERNEL(DECLARE, F32)                  \
    SLUICE_TEST_KERNEL(DECLARE, BF16)                 \
    SLUICE_TEST_KERNEL(DECLARE, F16)                  \
    SLUICE_TEST_MODEL(DECLARE, sluice::Qwen3MoeCpu<>) \
    SLUICE_TEST_MODEL(DECLARE, sluice::Qwen3MoeCpu<sluice::quant::Q4_K_M>)

SLUICE_COMPILED_ONCE(extern template)
