// SPDX-License-Identifier: Apache-2.0
//! A kernel that asks tensor cores alone; for nvcc, too.
#pragma once

#include <cstdint>

#include "sluice/core/config.hpp"
#include "sluice/cuda/context.hpp"

namespace sluice::test {

//! c [16, 8] += 3 * a [16, 32] times b [32, 8], in three steps, by each of a block's two warps. A lane takes its
//! elements from where the PTX ISA says ("Matrix Fragments for mma.m16n8k32", .s8), from a thread's point of view.
struct MultiplyFragments {
    static constexpr unsigned threads = 64;
    const std::int8_t *a, *b;
    std::int32_t* c;  // [warps, 16, 8]

    cuda::Dim grid() const { return {}; }

    template <cuda::ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const unsigned lane = t.thread() % 32, group = lane >> 2, in_group = lane % 4;
        std::uint32_t of_a[4] = {}, of_b[2] = {};
        for (unsigned i = 0; i < 16; ++i) {
            const unsigned row = i < 4 || (8 <= i && i < 12) ? group : group + 8;
            const unsigned col = in_group * 4 + (i & 3) + (i < 8 ? 0 : 16);
            of_a[i / 4] |= std::uint32_t{static_cast<std::uint8_t>(a[row * 32 + col])} << (i % 4 * 8);
        }
        for (unsigned i = 0; i < 8; ++i) {
            const unsigned row = in_group * 4 + (i & 3) + (i < 4 ? 0 : 16);
            of_b[i / 4] |= std::uint32_t{static_cast<std::uint8_t>(b[row * 8 + group])} << (i % 4 * 8);
        }
        std::int32_t* sums = c + t.thread() / 32 * 16 * 8;
        const auto place = [&](unsigned i) { return (i < 2 ? group : group + 8) * 8 + in_group * 2 + (i & 1); };
        std::int32_t mine[4];
        for (unsigned i = 0; i < 4; ++i) mine[i] = sums[place(i)];
        for (int repeat = 0; repeat < 3; ++repeat) t.mma(mine, of_a, of_b);
        for (unsigned i = 0; i < 4; ++i) sums[place(i)] = mine[i];
    }
};

}  // namespace sluice::test
