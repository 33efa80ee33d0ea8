// SPDX-License-Identifier: Apache-2.0
#include "sluice/cuda/attention.hpp"

#include <cstddef>
#include <doctest/doctest.h>
#include <vector>

#include "cuda/check_attention.hpp"
#include "cuda/each_order.hpp"
#include "sluice/core/float16.hpp"
#include "sluice/cuda/attention_tile.hpp"
#include "sluice/cuda/emulated.hpp"
#include "sluice/quant/q8_0.hpp"

using namespace sluice;
using namespace sluice::test;
using cuda::Emulated;

TEST_CASE_TEMPLATE("cuda kv cache: stores the CPU's numbers, and only there; not finite, huge and tiny ones too", Unit,
                   float, Half, quant::Q8_0::Block) {
    Emulated device;
    check_stored_rows<Unit>(device);
}

TEST_CASE_TEMPLATE("cuda attention: the CPU's bits at chunk and span edges, several rows at once", Unit, float, Half,
                   quant::Q8_0::Block) {
    in_each_order([](Emulated& device) { check_spans<Unit>(device); });
}

TEST_CASE("cuda attention: a batch is cut where a sequence or its positions do not go on, and where a tile is full") {
    const std::vector<Row> rows = {{0, 0, 5, true}, {0, 0, 6, true}, {0, 0, 7, true}, {0, 1, 8, true},
                                   {0, 1, 3, true}, {0, 1, 4, true}, {0, 0, 8, true}};
    std::vector<cuda::RowTile> tiles;
    cuda::cut_tiles(rows, 2, tiles);
    std::vector<std::size_t> cuts;
    for (const cuda::RowTile& tile : tiles) cuts.insert(cuts.end(), {tile.first, tile.count});
    CHECK(cuts == std::vector<std::size_t>{0, 2, 2, 1, 3, 1, 4, 2, 6, 1});
}

TEST_CASE_TEMPLATE("cuda attention: tiles of rows have the CPU's bits, for few and many heads a key", Unit, float, Half,
                   quant::Q8_0::Block) {
    in_each_order([](Emulated& device) { check_tiles<Unit>(device); });
}

TEST_CASE_TEMPLATE("cuda attention: heads are normalized, rotated and cached as on the CPU", Unit, Half,
                   quant::Q8_0::Block) {
    Emulated device({.order = cuda::Order::descending});
    check_rotated_heads<Unit>(device);
}
