// SPDX-License-Identifier: Apache-2.0
//! Rotary position embedding: which angle each pair of a head's elements turns by at a position, with YaRN's
//! stretching.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <vector>

#include "sluice/core/config.hpp"
#include "sluice/core/math.hpp"

namespace sluice::model {

//! How a model file scales its rotary frequencies. YaRN: Peng et al. 2023, arXiv 2309.00071.
struct RopeScaling {
    enum class Kind { none, linear, yarn };
    Kind kind = Kind::none;
    double factor = 1.0;            //!< how many times the original context is stretched, >= 1
    double original_context = 0.0;  //!< positions the model was trained on; YaRN needs it
    double attention_factor = 1.0;  //!< YaRN: multiplies the default magnitude 1 + 0.1 ln(factor)
    double beta_fast = 32.0;        //!< YaRN: pairs turning more often than this over the context keep their frequency
    double beta_slow = 1.0;         //!< YaRN: pairs turning less often than this are stretched by the full factor
};

//! How a pair of elements turns: x, y become x * cos - y * sin, x * sin + y * cos.
struct Rotation {
    float cos, sin;
};

//! The rotation at a position by so many radians per position, times a magnitude.
SLUICE_HD inline Rotation rotation_at(std::int32_t position, double radians, double magnitude) {
    const auto [s, c] = math::sincos(static_cast<double>(position) * radians);
    return {static_cast<float>(c * magnitude), static_cast<float>(s * magnitude)};
}

//! The frequencies of a head's pairs. Pair i is (x[i], x[i + dim/2]): rotate-half, called NEOX in GGUF.
class RopeFrequencies {
public:
    //! head_dim is even; theta is the file's base.
    RopeFrequencies(std::size_t head_dim, double theta, const RopeScaling& scaling) : radians_(head_dim / 2) {
        const double dim = static_cast<double>(head_dim);
        for (std::size_t i = 0; i < radians_.size(); ++i) {
            const double plain = math::power(theta, -2.0 * static_cast<double>(i) / dim);
            radians_[i] = plain * stretch(scaling, dim, theta, static_cast<double>(i));
        }
        if (scaling.kind == RopeScaling::Kind::yarn) {
            magnitude_ = scaling.attention_factor * (1.0 + 0.1 * math::log(scaling.factor));
        }
    }

    std::size_t pairs() const { return radians_.size(); }         //!< head_dim / 2
    std::span<const double> radians() const { return radians_; }  //!< [pairs], per position
    double magnitude() const { return magnitude_; }               //!< of every rotation: 1 but for YaRN

    //! cos and sin [pairs] of the angles at a position, times YaRN's magnitude.
    void at(std::int32_t position, float* cosines, float* sines) const {
        for (std::size_t i = 0; i < radians_.size(); ++i) {
            const Rotation turn = rotation_at(position, radians_[i], magnitude_);
            cosines[i] = turn.cos;
            sines[i] = turn.sin;
        }
    }

private:
    //! What pair i's frequency is multiplied by: 1 keeps it, 1/factor interpolates positions; YaRN ramps between the
    //! two.
    static double stretch(const RopeScaling& scaling, double dim, double theta, double pair) {
        if (scaling.kind == RopeScaling::Kind::none) return 1.0;
        if (scaling.kind == RopeScaling::Kind::linear) return 1.0 / scaling.factor;
        // The pair that makes `turns` full turns over the original context.
        const auto pair_of = [&](double turns) {
            return dim * math::log(scaling.original_context / (turns * 2.0 * std::numbers::pi)) /
                   (2.0 * math::log(theta));
        };
        const double low = std::max(0.0, std::floor(pair_of(scaling.beta_fast)));
        const double high = std::min(dim - 1.0, std::ceil(pair_of(scaling.beta_slow)));
        const double ramp = std::clamp((pair - low) / std::max(high - low, 0.001), 0.0, 1.0);
        return (1.0 - ramp) + ramp / scaling.factor;
    }

    std::vector<double> radians_;  // [pairs], per position
    double magnitude_ = 1.0;
};

}  // namespace sluice::model
