// SPDX-License-Identifier: Apache-2.0
//! What the benchmarks of components are fed with.
#pragma once

#include <cstddef>
#include <random>

#include "sluice/core/buffer.hpp"

namespace sluice::bench {

//! The same numbers each time, of mean 0 and variance 1.
inline Buffer<float> gaussian(std::size_t size) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    Buffer<float> x(size);
    for (std::size_t i = 0; i < size; ++i) x[i] = normal(random);
    return x;
}

}  // namespace sluice::bench
