// SPDX-License-Identifier: Apache-2.0
//! The matrix kernels of all formats, which take five seconds to compile: the tests do it once, in kernels.cpp.
#pragma once

#include <cstddef>
#include <span>

#include "sluice/core/matrix.hpp"
#include "sluice/cpu/matmul.hpp"
#include "sluice/quant/sets.hpp"

namespace sluice::test {
template <class F>
using Columns = std::span<const cpu::Column<typename F::Activation>>;
}  // namespace sluice::test

#define SLUICE_TEST_KERNEL(DECLARE, F)                                                                    \
    DECLARE void sluice::cpu::multiply<sluice::quant::F>(const sluice::Matrix&, std::size_t, std::size_t, \
                                                         sluice::test::Columns<sluice::quant::F>);
#define SLUICE_TEST_KERNELS(DECLARE)  \
    SLUICE_TEST_KERNEL(DECLARE, Q4_K) \
    SLUICE_TEST_KERNEL(DECLARE, Q5_K) \
    SLUICE_TEST_KERNEL(DECLARE, Q6_K) \
    SLUICE_TEST_KERNEL(DECLARE, Q8_0) \
    SLUICE_TEST_KERNEL(DECLARE, Q4_0) \
    SLUICE_TEST_KERNEL(DECLARE, Q5_0) \
    SLUICE_TEST_KERNEL(DECLARE, F32)  \
    SLUICE_TEST_KERNEL(DECLARE, BF16) \
    SLUICE_TEST_KERNEL(DECLARE, F16)

SLUICE_TEST_KERNELS(extern template)
