// SPDX-License-Identifier: Apache-2.0
//! Sixteen-lane vectors in three instruction sets with one meaning. A kernel is a template over the back end V; because
//! every operation is the same IEEE or integer operation lane by lane, all back ends give the same bits.
//!
//! A back end V has F32 (16 floats), I32 (16 int32), Bytes (64 bytes) and Scales (16 small factors), and static
//! functions on them; simd_scalar.hpp documents each. `Native` is the widest one that the includer's compiler flags
//! allow. Compile all translation units of a program with the same -m flags.
#pragma once

#include <tuple>

#include "sluice/cpu/simd_scalar.hpp"

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include "sluice/cpu/simd_avx2.hpp"
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__) && \
    defined(__AVX512VNNI__)
#include "sluice/cpu/simd_avx512.hpp"
namespace sluice::simd {
using Native = Avx512;
using Backends = std::tuple<Scalar, Avx2, Avx512>;
}  // namespace sluice::simd
#else
namespace sluice::simd {
using Native = Avx2;
using Backends = std::tuple<Scalar, Avx2>;
}  // namespace sluice::simd
#endif
#else
namespace sluice::simd {
using Native = Scalar;
using Backends = std::tuple<Scalar>;  //!< every back end that this build can run, for tests
}  // namespace sluice::simd
#endif
