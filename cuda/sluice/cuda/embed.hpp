// SPDX-License-Identifier: Apache-2.0
//! The first step of a forward pass: the embeddings of the rows' tokens, and the rotations of their positions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/matrix.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/cuda/pieces.hpp"
#include "sluice/cuda/tuning.hpp"
#include "sluice/model/rope.hpp"

namespace sluice::cuda {

//! out [rows, cols] = the embeddings of the rows' tokens, decoded as quant::expand does. A block is one row.
template <BlockFormat F>
struct Embed {
    static constexpr unsigned threads = tuning::row_threads;

    Matrix embedding;
    const Row* rows;
    unsigned count;
    float* out;

    Dim grid() const { return {count}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const std::size_t r = t.block().x, k = embedding.cols;
        const std::byte* row = embedding.data + static_cast<std::size_t>(rows[r].token) * embedding.row_bytes;
        float* to = out + r * k;
        if constexpr (FloatFormat<F>) {
            const auto* blocks = reinterpret_cast<const typename F::Block*>(row);
            for (std::size_t i = t.thread(); i < k; i += threads) to[i] = F::decode(blocks[i]);
        } else {
            const std::size_t blocks = k / F::block_size;
            const PlanarRow<F> planes(row, blocks);
            for (std::size_t i = t.thread(); i < blocks * Pieces<F>::count; i += threads) {
                const std::size_t block = i / Pieces<F>::count;
                const auto piece = static_cast<unsigned>(i % Pieces<F>::count);
                decode(planes, block, piece, to + block * F::block_size);
            }
        }
    }

private:
    template <class Planes>
    static SLUICE_HD void decode(const Planes& row, std::size_t block, unsigned index, float* to) {
        const auto piece = Pieces<F>::load(row, block, index);
        const BlockScale scale = Pieces<F>::scale(row, block);
        for (std::size_t e = 0; e < 16 * piece.groups; ++e) {
            const std::size_t s = e / 16;
            const auto level = static_cast<std::int8_t>(piece.words[e / 4] >> (e % 4 * 8));
            float& value = to[Pieces<F>::element(index, s) + e % 16];
            value = scale.d * static_cast<float>(piece.scale[s]) * static_cast<float>(level);
            if constexpr (F::Levels::has_min) value -= scale.dmin * static_cast<float>(piece.min[s]);
        }
    }
};

//! cosines and sines [rows, pairs] of the rows' positions. A thread is a pair.
struct Rotations {
    static constexpr unsigned threads = 2 * warp_size;  //!< a head of 128 elements has 64 pairs

    const double* radians;  //!< [pairs]: model::RopeFrequencies
    double magnitude;
    std::size_t pairs;
    const Row* rows;
    unsigned count;
    float *cosines, *sines;

    Dim grid() const { return {grid_size(pairs, threads), count}; }

    template <ThreadContext T>
    SLUICE_HD void operator()(T& t) const {
        const std::size_t pair = std::size_t{t.block().x} * threads + t.thread(), r = t.block().y;
        if (pair >= pairs) return;
        const model::Rotation turn = model::rotation_at(rows[r].position, radians[pair], magnitude);
        cosines[r * pairs + pair] = turn.cos;
        sines[r * pairs + pair] = turn.sin;
    }
};

}  // namespace sluice::cuda
