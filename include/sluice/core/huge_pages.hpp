// SPDX-License-Identifier: Apache-2.0
//! Asks the system to back memory, or a mapped file, with pages of 2 MiB: Linux's transparent huge pages, where they
//! are left to programs. What reads a model of 18.5 GB for the first time, by decoding, did so at 5 to 10 tokens a
//! second without and at 13 to 18 with them (ext4, Linux 6.18).
#pragma once

#include <cstddef>
#include <sys/mman.h>

namespace sluice {

//! For memory that begins on a page; what the system makes of it changes nothing but the speed.
inline void prefer_huge_pages([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t bytes) {
#if defined(MADV_HUGEPAGE)
    static_cast<void>(::madvise(memory, bytes, MADV_HUGEPAGE));
#endif
}

}  // namespace sluice
