// SPDX-License-Identifier: Apache-2.0
#include "sluice/cuda/tuning.hpp"

#include <doctest/doctest.h>
#include <vector>

#include "sluice/cuda/dot_tile.hpp"
#include "sluice/cuda/mma_tile.hpp"
#include "sluice/quant/q4_k.hpp"
#include "sluice/quant/q6_k.hpp"

using namespace sluice;
using namespace sluice::cuda;

namespace {

//! Blocks with a Tile a warp that are resident on sm_80, sm_89, sm_90 and sm_100, if a thread has 128 registers.
template <class Tile>
std::vector<unsigned> resident(const tuning::MatrixTile& tile) {
    std::vector<unsigned> blocks;
    for (const tuning::Multiprocessor& m : tuning::multiprocessors) {
        blocks.push_back(m.resident(tile.threads(), 128, tile.warps * sizeof(typename Tile::Scratch)));
    }
    return blocks;
}

}  // namespace

// The figures that the comments of cuda/tuning.hpp state.
TEST_CASE("cuda tuning: as many blocks are resident as the tiles were chosen for") {
    using All = std::vector<unsigned>;
    CHECK(resident<DotTile<quant::Q4_K, 4, 1>>(tuning::one_row) == All{4, 4, 4, 4});
    CHECK(resident<DotTile<quant::Q4_K, 4, 8>>(tuning::few_rows) == All{4, 2, 4, 4});
    CHECK(resident<MmaTile<quant::Q4_K, 32>>(tuning::many_rows) == All{4, 4, 4, 4});
    CHECK(resident<MmaTile<quant::Q6_K, 32>>(tuning::many_rows) == All{4, 4, 4, 4});
    const tuning::Multiprocessor& sm_90 = tuning::multiprocessors[2];
    CHECK(sm_90.resident(128, 60, 0) == 8);  // one_row
    CHECK(sm_90.resident(128, 94, 0) == 5);
    CHECK(sm_90.resident(128, 72, 33 << 10) == 6);  // few_rows
    CHECK(sm_90.resident(128, 96, 33 << 10) == 5);
    CHECK(sm_90.resident(1024, 32, 0) == 2);
    CHECK(sm_90.resident(32, 32, 0) == 32);
}
