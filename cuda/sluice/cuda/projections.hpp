// SPDX-License-Identifier: Apache-2.0
//! Matrices that read the same activations, such as q, k and v of a layer: one launch can multiply several of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "sluice/core/config.hpp"
#include "sluice/core/matrix.hpp"
#include "sluice/cuda/context.hpp"

namespace sluice::cuda {

//! y [batch, weights.rows] = the activations times the transposed weights.
struct Projection {
    Matrix weights = {};
    float* y = nullptr;
};

//! Up to three of them, of one format and one number of columns. What is not used has no rows.
struct Projections {
    static constexpr unsigned most = 3;

    Projection each[most] = {};

    //! Blocks of threads that all rows take, if each has `rows` rows of one matrix.
    unsigned blocks(std::size_t rows) const {
        unsigned count = 0;
        for (const Projection& p : each) count += grid_size(p.weights.rows, rows);
        return count;
    }

    //! The matrix of block `block`, which becomes a number among the blocks of that matrix.
    SLUICE_HD const Projection& find(unsigned& block, std::size_t rows) const {
        unsigned i = 0;
        while (block >= grid_size(each[i].weights.rows, rows)) block -= grid_size(each[i++].weights.rows, rows);
        return each[i];
    }

    //! How many are used: the first ones.
    std::size_t size() const {
        const auto used = [](const Projection& p) { return p.weights.rows > 0; };
        return static_cast<std::size_t>(std::count_if(std::begin(each), std::end(each), used));
    }
};

}  // namespace sluice::cuda
