// SPDX-License-Identifier: Apache-2.0
//! How far a float result may lie from its double-precision oracle, each bound with its reason.
#pragma once

#include <cstddef>

namespace sluice::contracts {

//! Allows |got - expected| <= absolute + relative * |expected|.
struct Tolerance {
    double relative = 0.0;
    double absolute = 0.0;
};

namespace tolerance {

//! A weight or probability out of a float softmax. Relative: x - max is rounded by up to 2^-18 where e^x is not yet
//! negligible (|x - max| < 87.4), e^x and the sum add a few 2^-23. Absolute: e^x may be flushed below e^-87.33
//! = 1.2e-38.
inline constexpr Tolerance softmax{1e-5, 1e-37};

//! A sum that is one by construction: each of up to 128 quotients is rounded by 2^-25 of itself, and so is each
//! partial sum, which is at most 1.
inline constexpr Tolerance sum_to_one{1e-5, 0.0};

//! A row through SwiGLU experts, relative to the same sums of magnitudes: two dot products of at most 40 terms in a
//! row, each step of which rounds by 2^-24, and a few more for silu and the weights.
inline constexpr Tolerance experts{1e-5, 1e-37};

//! One or two float operations against the same in doubles: each rounds by 2^-24, and by 1e-45 among the subnormals.
inline constexpr Tolerance one_float_step{1e-6, 1e-37};

//! A logit of a sampler after up to a dozen additions of penalties or biases, which may cancel it: numbers of up to
//! some hundred, each sum rounded by 2^-24 of itself.
inline constexpr Tolerance penalty_sum{1e-6, 1e-4};

//! Absolute, of a sum of probabilities: those of samplers come from a float softmax, see `softmax`.
inline constexpr double probability_sum = 1e-5;

//! The logarithm of a probability: the difference of two logits is rounded by 2^-24, and so is the result; a sum of
//! float exponentials, whose logarithm is taken in double, is right to 1e-5 of itself.
inline constexpr Tolerance logprob{1e-6, 2e-5};

//! Relative, of a token's probability to the best one's, for the same reason.
inline constexpr double likelihood_ratio = 1e-5;

//! A block's decoded number, relative to the magnitudes of its terms: d * scale, times the level, minus the minimum's
//! product, each rounded by 2^-24.
inline constexpr Tolerance decoded{0x1p-22, 0.0};

//! A dot product of few blocks or numbers, relative to the magnitudes of all terms: the factors d and the integer sums
//! are rounded by 2^-24 and so is each addition. Absolute: products of subnormal weights.
inline constexpr Tolerance dot{1e-6, 1e-37};

//! The error of a quantized activation in steps d: half a step, and the rounding of x / d, at most 127, by 2^-23.
inline constexpr double activation_steps = 0.5 + 5e-5;

//! A block of activations counts as zero where its largest magnitude x is below this: the inverse of its scale, 127 /
//! x, would not be finite from 3.7e-37 down.
inline constexpr float smallest_activation = 1e-36F;

//! Attention's mixed value, relative to the largest |value|: up to 1024 additions in a row of 2^-24 each, which the sum
//! of weights makes otherwise. To be multiplied by one plus a tenth of the largest sum of a score's magnitudes: a
//! score's rounding, 2^-24 for each of up to ten steps, is the relative error of its weight.
inline constexpr Tolerance attention{6e-5, 1e-37};

//! A rotated element, relative to its pair's magnitudes: cos, sin, and the two products are rounded by 2^-24 each. The
//! angle is in double precision.
inline constexpr Tolerance rope{5e-7, 1e-37};

//! A normalized element of n: the sum of squares, in 16 strided partial sums, has n / 16 steps of 2^-24 in a row,
//! halved by the root; sixteen and four roundings more for the sum of the partial sums and the rest.
constexpr Tolerance rms_norm(std::size_t n) { return {2e-6 + static_cast<double>(n) / 32 * 0x1p-24, 1e-37}; }

//! silu(x): e^-x to 1.5 ulp, a sum and a quotient. Absolute: e^88.02 = 1.7e38 is the result for all that is larger.
inline constexpr Tolerance silu{1e-6, 1e-36};

//! sum((got - truth)^2) / sum(truth^2) of a small model's logits: each operation rounds by 2^-24, an error that norms,
//! scores and two layers carry on. A fault of the computation gives 1e-4 and more.
inline constexpr double forward_nmse = 1e-9;

//! The least distance, in probability, between an expert that is chosen and one that is not: where it is smaller, the
//! rounding of a float softmax, see `softmax`, may choose the other, and the logits say nothing.
inline constexpr double tied_experts = 1e-5;

//! How far attention's mixed value may lie outside the visible values, relative to the largest |value|: as the weights'
//! quotients sum to one, see `sum_to_one`.
inline constexpr double mixed_beyond = 1e-5;

//! Absolute, of a number that an integer format encodes, for each step of its code: scales in half precision are
//! multiples of 2^-24, and rounded to them by up to half of that.
inline constexpr double encoded_step = 0x1p-25;

//! How large a number may come back from an integer format, of the largest number that went in. Relative: more than a
//! step beyond it, which is a seventh in the coarsest code. Absolute: where scales in half precision get as coarse as
//! 2^-24, times a code of up to some hundred.
inline constexpr Tolerance encoded_bound{1.25, 0x1p-16};

}  // namespace tolerance
}  // namespace sluice::contracts
