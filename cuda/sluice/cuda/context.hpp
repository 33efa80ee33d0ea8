// SPDX-License-Identifier: Apache-2.0
//! What a kernel may ask of the machine that runs it. A kernel is a struct: its members are its arguments, its call
//! operator is what one thread of a block does, given a context. cuda/gpu.cuh has the context of a GPU,
//! cuda/emulated.hpp one that runs the same body on the CPU.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "sluice/core/config.hpp"

namespace sluice::cuda {

//! How many blocks a launch has, or which of them this is.
struct Dim {
    unsigned x = 1, y = 1, z = 1;
};

inline constexpr unsigned warp_size = 32;  //!< threads that exchange values by shuffles

//! A sum over the threads of a block: of those before this one, and of all.
template <class T>
struct BlockSum {
    T before, total;
};

//! - `block()` and `thread()`: which block of the grid, which thread of the block;
//! - `barrier()` is reached by all threads of the block, `sync_warp()` by all of a warp; what was written before either
//!   is seen behind it;
//! - `shuffle_xor(value, mask)`, reached by all of a warp: the value of the thread whose lane differs by `mask`;
//! - `shared<T>()`: one T for the whole block, uninitialized; a kernel asks for one type;
//! - `least(value)` and `sum(value)`, reached by all threads of the block: the least of its threads' unsigned numbers,
//!   and a BlockSum of them; they are barriers too;
//! - `add(to, value)`: adds to an unsigned number in shared or device memory that others add to at the same time;
//!   returns what it was;
//! - `dot4(acc, a, b)`: acc + the sum of the products of four signed bytes;
//! - `mma(sums, a, b)`, reached by all of a warp: sums [16, 8] += a [16, 32] times b [32, 8], of signed bytes. Of `a`,
//!   lane l has rows l / 4 and l / 4 + 8, and of `b` column l / 4, four bytes a word: words 0 and 1 of `a` are elements
//!   4 * (l % 4) .. + 3 of either row, words 2 and 3 those 16 further on; likewise those of `b`. Of `sums` it has
//!   columns 2 * (l % 4) and the next one: 0 and 1 of the one row, 2 and 3 of the other.
template <class T>
concept ThreadContext = requires(T& t, float number, unsigned mask, std::int32_t acc, std::uint32_t bytes,
                                 std::int32_t (&sums)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
    { t.block() } -> std::same_as<Dim>;
    { t.thread() } -> std::same_as<unsigned>;
    t.barrier();
    t.sync_warp();
    { t.least(bytes) } -> std::same_as<std::uint32_t>;
    { t.sum(bytes) } -> std::same_as<BlockSum<std::uint32_t>>;
    { t.add(bytes, bytes) } -> std::same_as<std::uint32_t>;
    { t.shuffle_xor(number, mask) } -> std::same_as<float>;
    { t.template shared<int>() } -> std::same_as<int&>;
    { t.dot4(acc, bytes, bytes) } -> std::same_as<std::int32_t>;
    t.mma(sums, a, b);
};

//! The T that lies at `p`, which is aligned to `Alignment`: on a GPU one load, up to 16 bytes.
template <class T, std::size_t Alignment = alignof(T)>
SLUICE_HD T load(const void* p) {
    T value;
    std::memcpy(&value, __builtin_assume_aligned(p, Alignment), sizeof value);
    return value;
}

//! N * 4 bytes.
template <std::size_t N>
struct Words {
    std::uint32_t w[N];
};

constexpr std::size_t div_up(std::size_t n, std::size_t by) { return (n + by - 1) / by; }
constexpr unsigned grid_size(std::size_t n, std::size_t by) { return static_cast<unsigned>(div_up(n, by)); }

}  // namespace sluice::cuda
