// SPDX-License-Identifier: Apache-2.0
//! Compiler facts: the only macros of the library. Every name starts with SLUICE_.
#pragma once

#if defined(__cplusplus) && __cplusplus < 202002L
#error "sluice needs C++20: compile with -std=c++20 or later"
#endif

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "sluice promises bit-identical results: compile without -ffast-math and -ffinite-math-only"
#endif
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
#error "sluice promises bit-identical results: compile with -msse2 -mfpmath=sse, so that floats are computed as floats"
#endif

//! major * 10000 + minor * 100 + patch; CMakeLists.txt reads it from here.
#define SLUICE_VERSION 100

//! Marks a function that also compiles for the device under nvcc.
#if defined(__CUDACC__)
#define SLUICE_HD __host__ __device__
#else
#define SLUICE_HD
#endif

//! Always inlined: the one-instruction wrappers of cpu/simd*.hpp, and the kernels whose registers they are. The second
//! goes after the parameters of a lambda.
#if defined(__GNUC__) || defined(__clang__)
#define SLUICE_INLINE inline __attribute__((always_inline))
#define SLUICE_INLINE_LAMBDA __attribute__((always_inline))
#else
#define SLUICE_INLINE inline
#define SLUICE_INLINE_LAMBDA
#endif

//! Goes before a short loop over registers: it is unrolled at -O2 too, where g++ would keep the registers in memory.
#if defined(__clang__) || defined(__CUDACC__)
#define SLUICE_UNROLL _Pragma("unroll")
#elif defined(__GNUC__)
#define SLUICE_UNROLL _Pragma("GCC unroll 16")
#else
#define SLUICE_UNROLL
#endif

//! Returns the error of `expr` (a Status or an Expected) from the enclosing function, if it is one.
#define SLUICE_TRY(expr)                                                                 \
    do {                                                                                 \
        if (auto&& sluice_try_ = (expr); !sluice_try_.ok()) return sluice_try_.status(); \
    } while (false)

//! Declares `declaration` from the value of an Expected, or returns its error: SLUICE_ASSIGN(auto file, open(path));
#define SLUICE_ASSIGN(declaration, expr) SLUICE_ASSIGN_(declaration, expr, __LINE__)
#define SLUICE_ASSIGN_(declaration, expr, line) SLUICE_ASSIGN_AT_(declaration, expr, line)
#define SLUICE_ASSIGN_AT_(declaration, expr, line)                            \
    auto sluice_expected_##line = (expr);                                     \
    if (!sluice_expected_##line.ok()) return sluice_expected_##line.status(); \
    declaration = std::move(*sluice_expected_##line)
