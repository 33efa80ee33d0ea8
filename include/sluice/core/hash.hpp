// SPDX-License-Identifier: Apache-2.0
//! XXH3-64 of bytes, by the xxHash library's header: for fingerprints and caches, not for secrets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>

// XXH_INLINE_ALL asks for a private copy, so that nothing has to be linked; it is taken back for the includer's sake.
// XXH_VECTOR 0 is the scalar code, which hashes alike: g++ 12 warns, wrongly, about the AVX-512 one.
#pragma push_macro("XXH_VECTOR")
#undef XXH_VECTOR
#define XXH_VECTOR 0
#if !defined(XXH_INLINE_ALL)
#define XXH_INLINE_ALL
#include <xxhash.h>
#undef XXH_INLINE_ALL
#else
#include <xxhash.h>
#endif
#pragma pop_macro("XXH_VECTOR")

namespace sluice {

//! The same 64 bits on every machine, compiler and instruction set. `seed` 0 is plain XXH3-64.
inline std::uint64_t hash_bytes(std::span<const std::byte> bytes, std::uint64_t seed = 0) {
    return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

//! The hash of the memory of trivially copyable elements, in this machine's byte order.
template <class T>
requires std::is_trivially_copyable_v<T> std::uint64_t hash_of(std::span<const T> elements, std::uint64_t seed = 0) {
    return hash_bytes(std::as_bytes(elements), seed);
}

//! Sixteen lower-case hexadecimal digits, most significant first.
inline std::string to_hex(std::uint64_t value) {
    std::string text(16, '0');
    for (auto digit = text.rbegin(); digit != text.rend(); ++digit, value >>= 4U) {
        *digit = "0123456789abcdef"[value & 0xFU];
    }
    return text;
}

}  // namespace sluice
