// SPDX-License-Identifier: Apache-2.0
//! What a build says about itself. The version and the flags come from the build system, if it gives them.
#pragma once

#include <string_view>

namespace sluice::bench {

#if defined(SLUICE_BUILD_VERSION)
inline constexpr std::string_view build_version = SLUICE_BUILD_VERSION;  //!< `git describe`
#else
inline constexpr std::string_view build_version = "unknown";
#endif

#if defined(SLUICE_BUILD_FLAGS)
inline constexpr std::string_view build_flags = SLUICE_BUILD_FLAGS;  //!< the compiler's
#else
inline constexpr std::string_view build_flags = "unknown";
#endif

#if defined(__clang__)
inline constexpr std::string_view compiler = "clang++ " __clang_version__;
#else
inline constexpr std::string_view compiler = "g++ " __VERSION__;
#endif

}  // namespace sluice::bench
