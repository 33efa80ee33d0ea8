// SPDX-License-Identifier: Apache-2.0
//! The arithmetic of sampling, one text for the CPU and for kernels. Probabilities are whole numbers: sums of them are
//! exact in any order, so top-p and the draw give the same token on every compiler, instruction set and device.
#pragma once

#include <cmath>
#include <cstdint>

#include "sluice/core/config.hpp"
#include "sluice/core/math.hpp"

namespace sluice {

inline constexpr std::uint64_t unit_weight = std::uint64_t{1} << 40;  //!< the best candidate's

//! floor(2^40 * e^-depth) for depth >= 0. The depth of a logit is how far it is below the best one, in units of the
//! temperature. Beyond `deepest_weight` it is 0.
SLUICE_HD inline std::uint64_t token_weight(float depth) {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(math::exp(-depth) * static_cast<float>(unit_weight)));
}
inline constexpr float deepest_weight = 28.0F;  //!< more than ln(2^40) = 27.73

//! The sum of weights at which the likeliest candidates together have the probability p, which is inside (0, 1).
SLUICE_HD inline std::uint64_t nucleus_weight(float p, std::uint64_t total) {
    return static_cast<std::uint64_t>(::ceil(static_cast<double>(p) * static_cast<double>(total)));
}

//! Where a number drawn from [0, 1) falls among weights that add up to `total` > 0: a number below that.
SLUICE_HD inline std::uint64_t drawn_weight(double number, std::uint64_t total) {
    const auto drawn = static_cast<std::uint64_t>(number * static_cast<double>(total));
    return drawn < total ? drawn : total - 1;  // the product may round up
}

}  // namespace sluice
