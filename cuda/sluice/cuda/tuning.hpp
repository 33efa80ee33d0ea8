// SPDX-License-Identifier: Apache-2.0
//! How kernels share out their work: threads a block, tiles, thresholds. No number here changes a result, as each
//! element's order of summation is fixed elsewhere. They come from the arithmetic beside them; not one has yet been
//! measured on a GPU, so all generations have the same. Kernels of matrices take theirs as a template argument, so that
//! others can be tried beside them.
#pragma once

#include <algorithm>
#include <cstddef>

#include "sluice/cuda/context.hpp"

namespace sluice::cuda::tuning {

//! What a multiprocessor has for its resident blocks ("Compute Capabilities" in the CUDA C++ Programming Guide).
struct Multiprocessor {
    unsigned capability;       //!< 90: sm_90
    unsigned threads, blocks;  //!< resident at most
    std::size_t shared_bytes;
    unsigned registers = 65536;

    //! Blocks of so many threads and bytes of shared memory that are resident at once; the system takes 1 KiB of each.
    constexpr unsigned resident(unsigned block_threads, unsigned thread_registers, std::size_t block_bytes) const {
        const std::size_t by_memory = shared_bytes / (block_bytes + 1024);
        return std::min({blocks, threads / block_threads, registers / (block_threads * thread_registers),
                         static_cast<unsigned>(by_memory)});
    }
};

//! The supported ones.
inline constexpr Multiprocessor multiprocessors[] = {{80, 2048, 32, std::size_t{164} << 10},
                                                     {89, 1536, 24, std::size_t{100} << 10},
                                                     {90, 2048, 32, std::size_t{228} << 10},
                                                     {100, 2048, 32, std::size_t{228} << 10}};

//! Blocks of Kernel that a multiprocessor must have the registers for: its `resident_blocks`, or four. Of 128 threads,
//! these may have 128 registers each, which the kernels with tensor cores need; more blocks are resident where fewer
//! are used.
template <class Kernel>
constexpr unsigned resident_blocks() {
    if constexpr (requires { Kernel::resident_blocks; }) return Kernel::resident_blocks;
    return 4;
}

//! A matrix kernel in which each warp multiplies `rows` weight rows with `columns` rows of activations.
struct MatrixTile {
    unsigned warps;  //!< a block
    unsigned rows, columns;

    constexpr unsigned threads() const { return warps * warp_size; }
    constexpr unsigned block_rows() const { return warps * rows; }
};

//! Decoding reads each weight once: what counts is how many bytes are on their way from memory. An H100 needs 3.35 TB/s
//! times some 0.7 us, 18 KB a multiprocessor, an H200 25 KB, an A100 11 KB. Of these kernels, which take 60 to 94
//! registers for Q4_K and Q6_K on sm_90, five to eight blocks are resident: 640 to 1024 lanes with a piece of 32 bytes
//! each, 20 to 32 KB; the pieces of a lane's four rows do not depend on each other, so up to four times that. But 2048
//! rows, as `o` and `down` of Qwen3-30B-A3B have, are 128 such blocks, less than one for each of 132 multiprocessors:
//! two rows a warp, or split rows, are the first to be tried on a GPU.
inline constexpr MatrixTile one_row = {.warps = 4, .rows = 4, .columns = 1};

//! Eight sequences decode together, or eight rows share an expert: 32 products, one a lane, so that no lane is idle in
//! the float steps. Sums of 32 products by 32 lanes are 8.25 KB of shared memory a warp, 33 KB a block: two blocks are
//! resident on sm_89, four on sm_80, five or six on sm_90 and sm_100, for 72 to 96 registers a thread.
inline constexpr MatrixTile few_rows = {.warps = 4, .rows = 4, .columns = 8};

//! Tensor cores: sixteen rows are those of an mma; 32 columns, four of its eights, use each unpacked weight four times
//! for sixteen accumulators of floats and sixteen of integers a lane: 84 to 121 registers. A warp's unpacked weights
//! are 5 KB of shared memory, a block's 20 KB: four blocks are resident on every generation.
inline constexpr MatrixTile many_rows = {.warps = 4, .rows = 16, .columns = 32};

//! From so many rows on a batch is multiplied by tensor cores: sixteen fill half of the columns. Eight columns of
//! `few_rows` cost the same reads of weights for half as many products.
inline constexpr unsigned many_from = 16;

//! Elements of each weight row that tensor cores' warps unpack at a time: a block of 256 of the K-quants, the largest.
inline constexpr std::size_t unpacked_elements = 256;

//! Blocks that go through the list of experts' tiles in strides. 128 experts with a few rows each make about as many
//! tiles; the other dimension of the grid has 768 / 32 = 24 or 2048 / 64 = 32 blocks, so 64 make 1536 and more: three
//! rounds of four blocks on each of 132 multiprocessors, few enough that the last round does not weigh much.
inline constexpr unsigned tile_blocks = 64;

//! A block that has a row, a head's span or a run of elements to itself: a warp for each of a multiprocessor's four
//! schedulers; also an element each of a head of 128.
inline constexpr unsigned row_threads = 128;

//! Logits that a block of the sampler looks at, and its threads: 151,936 logits are 149 tiles, one for each of an
//! H100's 132 multiprocessors and a few more; four logits a thread are under way at once.
inline constexpr std::size_t logits_tile = 1024;
inline constexpr unsigned logits_threads = 256;

//! With more tiles than this their bests are not compared with each other, which takes tiles^2 steps of 256 threads.
inline constexpr std::size_t most_ranked_tiles = 1024;

//! The one block that finds a cut: bins of a digit take 20 KB of shared memory, two bins a thread. It is alone on its
//! multiprocessor, and may have twice the registers.
inline constexpr unsigned cut_bins = 1024, cut_threads = 512;

//! Bytes of weights copied at a time before they are repacked: large enough that a copy takes milliseconds at PCIe's
//! 25 to 50 GB/s, small beside the weights.
inline constexpr std::size_t upload_bytes = std::size_t{64} << 20;

}  // namespace sluice::cuda::tuning
