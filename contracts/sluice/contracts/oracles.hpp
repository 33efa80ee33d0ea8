// SPDX-License-Identifier: Apache-2.0
//! What policies compute, from the definitions: in double precision, naively, obviously right.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

namespace sluice::contracts::oracle {

using Vector = std::vector<double>;

inline Vector to_doubles(std::span<const float> x) { return {x.begin(), x.end()}; }

//! e^x[i] / sum(e^x).
inline Vector softmax(Vector x) {
    const double maximum = *std::max_element(x.begin(), x.end());
    double sum = 0.0;
    for (double& v : x) sum += v = std::exp(v - maximum);
    for (double& v : x) v /= sum;
    return x;
}

//! Where the k largest are, largest first; of equal ones the lower index comes first.
inline std::vector<std::size_t> largest(const Vector& x, std::size_t k) {
    std::vector<std::size_t> order(x.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return x[a] > x[b]; });
    order.resize(k);
    return order;
}

//! x / (1 + e^-x).
inline double silu(double x) { return x / (1.0 + std::exp(-x)); }

//! Rows of w, each [x.size()], times x.
inline Vector multiply(std::span<const float> w, const Vector& x) {
    Vector y(w.size() / x.size(), 0.0);
    for (std::size_t r = 0; r < y.size(); ++r) {
        for (std::size_t i = 0; i < x.size(); ++i) y[r] += static_cast<double>(w[r * x.size() + i]) * x[i];
    }
    return y;
}

//! One expert's matrices: gate and up [ff, hidden], down [hidden, ff].
struct Expert {
    std::vector<float> gate, up, down;
};

//! down(silu(gate x) * up x).
inline Vector swiglu(const Expert& expert, const Vector& x) {
    Vector inner = multiply(expert.gate, x);
    const Vector factor = multiply(expert.up, x);
    for (std::size_t i = 0; i < inner.size(); ++i) inner[i] = silu(inner[i]) * factor[i];
    return multiply(expert.down, inner);
}

//! What the terms of swiglu's sums amount to without their signs, as |silu(x)| <= |x|: rounding errors are in
//! proportion.
inline Vector swiglu_magnitude(Expert expert, Vector x) {
    for (std::vector<float>* matrix : {&expert.gate, &expert.up, &expert.down}) {
        for (float& w : *matrix) w = std::fabs(w);
    }
    for (double& v : x) v = std::fabs(v);
    Vector inner = multiply(expert.gate, x);
    const Vector factor = multiply(expert.up, x);
    for (std::size_t i = 0; i < inner.size(); ++i) inner[i] *= factor[i];
    return multiply(expert.down, inner);
}

}  // namespace sluice::contracts::oracle
