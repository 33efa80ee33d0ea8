// SPDX-License-Identifier: Apache-2.0
//! Asking for memory before it is read.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sluice/core/config.hpp"

namespace sluice::cpu {

//! A stretch of memory that a kernel will read soon, and asks for in small pieces while it computes: a core has few
//! places for lines that are on their way, and stands still while it asks for more. Figures: docs/performance.md.
template <class V>
class ReadAhead {
public:
    //! Nothing.
    ReadAhead() = default;

    //! `bytes` bytes, which begin `distance` after `from`. They may be no object's: they are asked for, not read.
    ReadAhead(const std::byte* from, std::size_t distance, std::size_t bytes)
        : next_(reinterpret_cast<std::uintptr_t>(from) + distance), end_(next_ + bytes) {}

    //! The next `lines` lines of 64 bytes, if anything is left; at its end that may be some more.
    SLUICE_INLINE void ask(std::size_t lines) {
        if (next_ >= end_) return;
        SLUICE_UNROLL
        for (std::size_t i = 0; i < lines; ++i) {
            // NOLINTNEXTLINE(performance-no-int-to-ptr)
            V::prefetch(reinterpret_cast<const void*>(next_ + 64 * i));
        }
        next_ += 64 * lines;
    }

private:
    std::uintptr_t next_ = 0, end_ = 0;
};

}  // namespace sluice::cpu
