// SPDX-License-Identifier: Apache-2.0
//! Normalization, rotary embedding and attention from their definitions, in double precision.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <utility>
#include <vector>

#include "sluice/contracts/oracles.hpp"
#include "sluice/model/rope.hpp"

namespace sluice::contracts::oracle {

//! x[i] / sqrt(mean(x^2) + eps) * weight[i].
inline Vector rms_norm(const Vector& x, const Vector& weight, double eps) {
    double square = 0.0;
    for (const double v : x) square += v * v;
    const double scale = 1.0 / std::sqrt(square / static_cast<double>(x.size()) + eps);
    Vector y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] * scale * weight[i];
    return y;
}

//! What the pairs of a head turn by at each position, and what they are multiplied by.
struct Rope {
    Vector radians;  // [dim / 2]
    double magnitude = 1.0;
};

//! theta^(-2i / dim), stretched: by position interpolation, or as YaRN does (Peng et al. 2023, 3.2 and 3.4).
inline Rope rope(std::size_t dim, double theta, const model::RopeScaling& scaling = {}) {
    Rope rope{Vector(dim / 2)};
    const double d = static_cast<double>(dim);
    const auto pair_with_turns = [&](double turns) {
        const double wavelength = scaling.original_context / turns;
        return d * std::log(wavelength / (2.0 * std::numbers::pi)) / (2.0 * std::log(theta));
    };
    for (std::size_t i = 0; i < rope.radians.size(); ++i) {
        const double pair = static_cast<double>(i), plain = std::pow(theta, -2.0 * pair / d);
        double stretched = 0.0;  // the share of the pair that is interpolated
        if (scaling.kind == model::RopeScaling::Kind::linear) stretched = 1.0;
        if (scaling.kind == model::RopeScaling::Kind::yarn) {
            const double low = std::max(0.0, std::floor(pair_with_turns(scaling.beta_fast)));
            const double high = std::min(d - 1.0, std::ceil(pair_with_turns(scaling.beta_slow)));
            stretched = high > low ? std::clamp((pair - low) / (high - low), 0.0, 1.0) : (pair > low ? 1.0 : 0.0);
        }
        rope.radians[i] = (1.0 - stretched) * plain + stretched * plain / scaling.factor;
    }
    if (scaling.kind == model::RopeScaling::Kind::yarn) {
        rope.magnitude = scaling.attention_factor * (0.1 * std::log(scaling.factor) + 1.0);
    }
    return rope;
}

//! Turns the pairs (x[i], x[i + dim / 2]) of a head.
inline Vector rotate(const Rope& rope, double position, const Vector& x) {
    const std::size_t pairs = rope.radians.size();
    Vector y(x.size());
    for (std::size_t i = 0; i < pairs; ++i) {
        const double angle = position * rope.radians[i];
        y[i] = rope.magnitude * (x[i] * std::cos(angle) - x[i + pairs] * std::sin(angle));
        y[i + pairs] = rope.magnitude * (x[i] * std::sin(angle) + x[i + pairs] * std::cos(angle));
    }
    return y;
}

//! a . b / sqrt(size).
inline double scaled_dot(const Vector& a, const Vector& b) {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum / std::sqrt(static_cast<double>(a.size()));
}

//! One head: the values, weighted by the softmax of the keys' scaled_dot with the query.
inline Vector attend(const Vector& query, const std::vector<Vector>& keys, const std::vector<Vector>& values) {
    Vector weights, mixed(query.size(), 0.0);
    for (const Vector& key : keys) weights.push_back(scaled_dot(query, key));
    weights = softmax(std::move(weights));
    for (std::size_t p = 0; p < values.size(); ++p) {
        for (std::size_t i = 0; i < mixed.size(); ++i) mixed[i] += weights[p] * values[p][i];
    }
    return mixed;
}

}  // namespace sluice::contracts::oracle
