// SPDX-License-Identifier: Apache-2.0
//! Rotary embeddings, normalizations and activations that are wrong in one way each.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/contracts/mutant.hpp"
#include "sluice/contracts/numerics_laws.hpp"
#include "sluice/contracts/transformer_oracles.hpp"

namespace sluice::contracts {

namespace mutants {

using model::RopeScaling;

//! Rotary embedding by its definition.
struct DefinedRope {
    oracle::Rope rope;

    DefinedRope(std::size_t dim, double theta, const RopeScaling& scaling) : rope(oracle::rope(dim, theta, scaling)) {}
    void turn(float* head, std::int32_t position) const {
        const std::size_t dim = 2 * rope.radians.size();
        const oracle::Vector turned = oracle::rotate(rope, position, oracle::Vector(head, head + dim));
        for (std::size_t i = 0; i < dim; ++i) head[i] = static_cast<float>(turned[i]);
    }
};

struct PairsNeighbours : DefinedRope {
    using DefinedRope::DefinedRope;
    void turn(float* head, std::int32_t position) const {
        const std::size_t half = rope.radians.size();
        std::vector<float> halves(2 * half);
        for (std::size_t i = 0; i < 2 * half; ++i) halves[i % 2 * half + i / 2] = head[i];
        DefinedRope::turn(halves.data(), position);
        for (std::size_t i = 0; i < 2 * half; ++i) head[i] = halves[i % 2 * half + i / 2];
    }
};

struct IgnoresPosition : DefinedRope {
    using DefinedRope::DefinedRope;
    void turn(float*, std::int32_t) const {}
};

struct IgnoresBase : DefinedRope {
    IgnoresBase(std::size_t dim, double, const RopeScaling& scaling) : DefinedRope(dim, 1e4, scaling) {}
};

struct TurnsBackwards : DefinedRope {
    using DefinedRope::DefinedRope;
    void turn(float* head, std::int32_t position) const { DefinedRope::turn(head, -position); }
};

struct IgnoresMagnitude : DefinedRope {
    IgnoresMagnitude(std::size_t dim, double theta, const RopeScaling& scaling) : DefinedRope(dim, theta, scaling) {
        rope.magnitude = 1.0;
    }
};

struct StretchesAllPairs : DefinedRope {
    StretchesAllPairs(std::size_t dim, double theta, RopeScaling scaling) : DefinedRope(dim, theta, scaling) {
        if (scaling.kind == RopeScaling::Kind::none) return;
        scaling.kind = RopeScaling::Kind::linear;
        rope.radians = oracle::rope(dim, theta, scaling).radians;
    }
};

struct CountsPositionsFromOne : DefinedRope {
    using DefinedRope::DefinedRope;
    void turn(float* head, std::int32_t position) const { DefinedRope::turn(head, position + 1); }
};

struct ForgetsOneSine : DefinedRope {
    using DefinedRope::DefinedRope;
    void turn(float* head, std::int32_t position) const {
        const std::size_t half = rope.radians.size();
        for (std::size_t i = 0; i < half; ++i) {
            const double angle = position * rope.radians[i];
            const double a = head[i], b = head[i + half];
            head[i] = static_cast<float>(rope.magnitude * (a * std::cos(angle) - b * std::sin(angle)));
            head[i + half] = static_cast<float>(rope.magnitude * (b * std::cos(angle)));
        }
    }
};

struct WrapsPositions : DefinedRope {
    using DefinedRope::DefinedRope;
    void turn(float* head, std::int32_t position) const { DefinedRope::turn(head, position % 4096); }
};

struct TurnsOnePairMore : DefinedRope {
    using DefinedRope::DefinedRope;
    void turn(float* head, std::int32_t position) const {
        DefinedRope::turn(head, position);
        head[2 * rope.radians.size()] *= 0.5F;
    }
};

using TrueNorm = CpuRmsNorm<>;

struct ForgetsEps {
    static void normalize(const float* x, const float* weight, std::size_t n, float, float* y) {
        TrueNorm::normalize(x, weight, n, 0.0F, y);
    }
};

struct AddsEpsToRoot {
    static void normalize(const float* x, const float* weight, std::size_t n, float eps, float* y) {
        const float root = std::sqrt(std::inner_product(x, x + n, x, 0.0F) / static_cast<float>(n)) + eps;
        std::transform(x, x + n, weight, y, [root](float v, float w) { return v / root * w; });
    }
};

struct SubtractsMean {
    static void normalize(const float* x, const float* weight, std::size_t n, float eps, float* y) {
        std::vector<float> centred(x, x + n);
        const float mean = std::accumulate(x, x + n, 0.0F) / static_cast<float>(n);
        for (float& v : centred) v -= mean;
        TrueNorm::normalize(centred.data(), weight, n, eps, y);
    }
};

struct IgnoresWeight {
    static void normalize(const float* x, const float*, std::size_t n, float eps, float* y) {
        TrueNorm::normalize(x, std::vector<float>(n, 1.0F).data(), n, eps, y);
    }
};

struct NeverEnlarges {
    static void normalize(const float* x, const float* weight, std::size_t n, float eps, float* y) {
        const float square = std::inner_product(x, x + n, x, 0.0F) / static_cast<float>(n) + eps;
        const float root = std::max(1.0F, std::sqrt(square));
        std::transform(x, x + n, weight, y, [root](float v, float w) { return v / root * w; });
    }
};

struct CountsNoMoreThan256 {
    static void normalize(const float* x, const float* weight, std::size_t n, float eps, float* y) {
        const std::size_t counted = std::min<std::size_t>(n, 256);
        const float square = std::inner_product(x, x + counted, x, 0.0F) / static_cast<float>(counted) + eps;
        std::transform(x, x + n, weight, y, [square](float v, float w) { return v / std::sqrt(square) * w; });
    }
};

struct ReadsWhatItWrote {
    static void normalize(const float* x, const float* weight, std::size_t n, float eps, float* y) {
        std::fill_n(y, n, 0.0F);
        TrueNorm::normalize(x, weight, n, eps, y);
    }
};

struct WritesWholeVectors {
    static void normalize(const float* x, const float* weight, std::size_t n, float eps, float* y) {
        TrueNorm::normalize(x, weight, n, eps, y);
        if (n % 16 != 0) y[n] = 0.0F;
    }
};

//! x[i] = f(x[i]).
template <float (*F)(float)>
struct Elementwise {
    static void apply(float* x, std::size_t n) { std::transform(x, x + n, x, F); }
};
inline float relu(float x) { return std::max(x, 0.0F); }
inline float quick_gelu(float x) { return x / (1.0F + std::exp(-1.702F * x)); }
inline float quotient_of_exponentials(float x) { return x * std::exp(x) / (1.0F + std::exp(x)); }
inline float silu_without_nan(float x) { return std::isnan(x) ? 0.0F : math::silu(x); }

struct LosesLastOfSeveral {
    static void apply(float* x, std::size_t n) {
        const float last = x[n - 1];
        CpuSilu<>::apply(x, n);
        if (n > 16 && n % 16 != 0) x[n - 1] = last;
    }
};

}  // namespace mutants

template <class R>
Mutant rope_mutant(std::string_view name, std::string_view law) {
    return {std::string(name), law, rope_law_list<R>()};
}

inline std::vector<Mutant> rope_mutants() {
    using namespace mutants;
    const auto turns = "rope.turns_halves_by_position", scaling = "rope.scaling";
    return {
        rope_mutant<PairsNeighbours>("pairs neighbours, not halves", turns),
        rope_mutant<IgnoresPosition>("ignores the position", turns),
        rope_mutant<IgnoresBase>("takes 10000 for theta always", turns),
        rope_mutant<TurnsBackwards>("turns backwards", turns),
        rope_mutant<IgnoresMagnitude>("forgets YaRN's magnitude", scaling),
        rope_mutant<StretchesAllPairs>("stretches all pairs alike", scaling),
        rope_mutant<CountsPositionsFromOne>("counts positions from one", "rope.first_position_is_kept"),
        rope_mutant<ForgetsOneSine>("forgets one of the sines", "rope.keeps_lengths"),
        rope_mutant<WrapsPositions>("wraps positions at 4096", "rope.only_distance_matters"),
        rope_mutant<TurnsOnePairMore>("turns the element behind the head", "rope.writes_only_its_head"),
    };
}

template <class N>
Mutant rms_norm_mutant(std::string_view name, std::string_view law) {
    return {std::string(name), law, rms_norm_law_list<N>()};
}

inline std::vector<Mutant> rms_norm_mutants() {
    using namespace mutants;
    const auto formula = "rms_norm.formula";
    return {
        rms_norm_mutant<SubtractsMean>("subtracts the mean", formula),
        rms_norm_mutant<IgnoresWeight>("forgets the weight", formula),
        rms_norm_mutant<CountsNoMoreThan256>("counts 256 elements at most", formula),
        rms_norm_mutant<AddsEpsToRoot>("adds eps to the root", formula),
        rms_norm_mutant<ForgetsEps>("forgets eps", "rms_norm.zeros_stay_zeros"),
        rms_norm_mutant<NeverEnlarges>("never enlarges", "rms_norm.scale_invariant"),
        rms_norm_mutant<ReadsWhatItWrote>("clears y before it reads x", "rms_norm.in_place"),
        rms_norm_mutant<WritesWholeVectors>("writes whole vectors", "rms_norm.writes_only_its_row"),
    };
}

template <class S>
Mutant swiglu_mutant(std::string_view name, std::string_view law) {
    return {std::string(name), law, swiglu_law_list<S>()};
}

inline std::vector<Mutant> swiglu_mutants() {
    using namespace mutants;
    const auto silu = "swiglu.silu";
    return {
        swiglu_mutant<Elementwise<relu>>("takes ReLU for SiLU", silu),
        swiglu_mutant<Elementwise<quick_gelu>>("takes GELU for SiLU", silu),
        swiglu_mutant<Elementwise<quotient_of_exponentials>>("divides two exponentials", "swiglu.silu_is_bounded"),
        swiglu_mutant<Elementwise<silu_without_nan>>("makes NaN zero", "swiglu.silu_keeps_nan"),
        swiglu_mutant<LosesLastOfSeveral>("loses the last of more than sixteen", "swiglu.silu_one_by_one"),
    };
}

}  // namespace sluice::contracts
