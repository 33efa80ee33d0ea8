// SPDX-License-Identifier: Apache-2.0
//! Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as
//! 1, 2, 3", SC 2011). A number is a pure function of its key and counter, so it needs no state, no order and no lock.
#pragma once

#include <cstdint>

#include "sluice/core/config.hpp"

namespace sluice {

//! Four 32-bit words: Philox's counter and its output.
struct PhiloxBlock {
    std::uint32_t words[4];
};

//! Philox4x32-10: 128 random bits for the 64-bit key and the 128-bit counter.
SLUICE_HD constexpr PhiloxBlock philox(std::uint64_t key, PhiloxBlock counter) {
    constexpr std::uint64_t multiplier0 = 0xD2511F53U, multiplier1 = 0xCD9E8D57U;
    auto key0 = static_cast<std::uint32_t>(key), key1 = static_cast<std::uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round) {
        const auto& c = counter.words;
        const std::uint64_t product0 = multiplier0 * c[0], product1 = multiplier1 * c[2];
        counter = {{static_cast<std::uint32_t>(product1 >> 32) ^ c[1] ^ key0, static_cast<std::uint32_t>(product1),
                    static_cast<std::uint32_t>(product0 >> 32) ^ c[3] ^ key1, static_cast<std::uint32_t>(product0)}};
        key0 += 0x9E3779B9U;
        key1 += 0xBB67AE85U;
    }
    return counter;
}

//! The `draw`-th number in [0, 1) for the token at `position` of `sequence` under `seed`: a multiple of 2^-53.
SLUICE_HD constexpr double uniform(std::uint64_t seed, std::uint32_t sequence, std::uint32_t position,
                                   std::uint32_t draw = 0) {
    const PhiloxBlock random = philox(seed, {{position, sequence, draw, 0}});
    const std::uint64_t bits = static_cast<std::uint64_t>(random.words[1]) << 32 | random.words[0];
    return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace sluice
