// SPDX-License-Identifier: Apache-2.0
//! Tiles of matrix kernels that no forward pass uses: each is as right as those that were chosen. For nvcc, too.
#pragma once

#include "sluice/cuda/tuning.hpp"

namespace sluice::test {

inline constexpr cuda::tuning::MatrixTile other_linear_tile = {.warps = 2, .rows = 2, .columns = 4};
inline constexpr cuda::tuning::MatrixTile other_mma_tile = {.warps = 1, .rows = 16, .columns = 16};

}  // namespace sluice::test
