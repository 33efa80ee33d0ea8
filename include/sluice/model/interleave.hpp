// SPDX-License-Identifier: Apache-2.0
//! Weights in the layout that the CPU's matrix kernels read fastest: a copy, for models that are small enough.
#pragma once

#include <cstddef>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/buffer.hpp"
#include "sluice/core/matrix.hpp"
#include "sluice/cpu/interleaved.hpp"
#include "sluice/model/qwen3_moe.hpp"

namespace sluice::model {

//! Replaces every matrix that is multiplied by an interleaved copy of it (about as large), if all of them together take
//! no more than `limit` bytes. In the file's own layout the kernels interleave as they go, but for one column of some
//! formats. In the caches that costs more than multiplying: the story model, whose formats are of both kinds, decodes
//! 17,700 tokens/s on one thread of Zen 5, and 10,950 without the copy. Throws std::bad_alloc.
template <Quantization Q>
void interleave(Weights& weights, std::size_t experts, std::size_t limit) {
    // f(matrix, F) for those that can be copied. Slices of a stack of experts must begin with a tile.
    const auto for_each_matrix = [&](auto f) {
        const auto visit = [&](Matrix& m, std::size_t stack) {
            Q::visit(m.format, [&]<class F>() {
                if constexpr (cpu::keeps_its_size<F>()) {
                    if (stack == 1 || m.rows / stack % simd::lanes == 0) f.template operator()<F>(m);
                }
            });
        };
        for (LayerWeights& l : weights.layers) {
            for (Matrix* m : {&l.q, &l.k, &l.v, &l.o, &l.router}) visit(*m, 1);
            for (Matrix* m : {&l.experts.gate, &l.experts.up, &l.experts.down}) visit(*m, experts);
        }
        visit(weights.output, 1);
    };
    std::size_t total = 0;
    for_each_matrix([&]<class F>(const Matrix& m) { total += cpu::interleaved_bytes<F>(m.rows, m.cols); });
    if (total > limit) return;
    constexpr std::size_t cached = std::size_t{64} << 20;  // no two cores have more of their own
    weights.copies = Buffer<std::byte>(total, Pages::huge);
    std::byte* to = weights.copies.data();
    for_each_matrix([&]<class F>(Matrix& m) {
        const std::size_t bytes = cpu::interleaved_bytes<F>(m.rows, m.cols);
        m = cpu::interleave<F>(m, to);
        m.prefetched = total > cached;
        to += bytes;
    });
}

}  // namespace sluice::model
