// SPDX-License-Identifier: Apache-2.0
//! How a cache on the device stores its numbers: the values that cpu/kv_cache.hpp stores, to the bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "sluice/core/float16.hpp"
#include "sluice/cuda/context.hpp"
#include "sluice/quant/activation.hpp"
#include "sluice/quant/q8_0.hpp"

namespace sluice::cuda {

//! Elements in units of float or Half, one behind the other.
template <class Unit>
struct StoredRows {
    static constexpr std::size_t block = 1;  //!< elements of a unit

    Unit* elements = nullptr;

    //! Bytes of memory that `count` elements take, and they in that memory.
    static constexpr std::size_t bytes(std::size_t count) { return count * sizeof(Unit); }
    static StoredRows in(std::byte* memory, std::size_t /*count*/) { return {reinterpret_cast<Unit*>(memory)}; }

    SLUICE_HD float at(std::size_t i) const { return read(elements[i]); }

    //! Elements [i, i + 16), i being a multiple of 16.
    SLUICE_HD void load(std::size_t i, float (&to)[16]) const {
        struct alignas(16) Sixteen {
            Unit elements[16];
        };
        const auto from = cuda::load<Sixteen>(elements + i);
        for (std::size_t j = 0; j < 16; ++j) to[j] = read(from.elements[j]);
    }

    //! Elements [i, i + count) become `numbers` [count]; by all threads of a warp. i and count are multiples of
    //! `block`.
    template <ThreadContext T>
    SLUICE_HD void store(T& t, std::size_t i, const float* numbers, std::size_t count) const {
        for (std::size_t j = t.thread() % warp_size; j < count; j += warp_size) write(elements[i + j], numbers[j]);
    }

    friend bool operator==(const StoredRows&, const StoredRows&) = default;

private:
    static SLUICE_HD float read(float x) { return x; }
    static SLUICE_HD float read(Half x) { return to_float(x); }
    static SLUICE_HD void write(float& to, float x) { to = x; }
    static SLUICE_HD void write(Half& to, float x) { to = to_half(x); }
};

//! Blocks of 32 int8 levels under a scale (cpu::StoredRow has the code), in two planes: so sixteen levels are one load.
template <>
struct StoredRows<quant::Q8_0::Block> {
    static constexpr std::size_t block = quant::Q8_0::block_size;
    static_assert(block == warp_size);

    std::int8_t* levels = nullptr;
    Half* scales = nullptr;  //!< of each block

    static constexpr std::size_t bytes(std::size_t count) { return count + count / block * sizeof(Half); }
    static StoredRows in(std::byte* memory, std::size_t count) {
        return {reinterpret_cast<std::int8_t*>(memory), reinterpret_cast<Half*>(memory + count)};
    }

    SLUICE_HD float at(std::size_t i) const { return to_float(scales[i / block]) * static_cast<float>(levels[i]); }

    SLUICE_HD void load(std::size_t i, float (&to)[16]) const {
        struct alignas(16) Sixteen {
            std::int8_t levels[16];
        };
        const float d = to_float(scales[i / block]);
        const auto from = cuda::load<Sixteen>(levels + i);
        for (std::size_t j = 0; j < 16; ++j) to[j] = d * static_cast<float>(from.levels[j]);
    }

    template <ThreadContext T>
    SLUICE_HD void store(T& t, std::size_t i, const float* numbers, std::size_t count) const {
        const unsigned lane = t.thread() % warp_size;
        for (std::size_t first = 0; first < count; first += block) {
            const float x = numbers[first + lane];
            float largest = ::fabsf(x) < infinity ? ::fabsf(x) : infinity;
            for (unsigned mask = warp_size / 2; mask > 0; mask /= 2) {
                const float other = t.shuffle_xor(largest, mask);
                largest = other > largest ? other : largest;
            }
            const Half scale = to_half(largest < infinity ? largest / 127.0F : nan);
            const float d = to_float(scale);
            int level = 0;
            if (d > 0.0F && d < infinity) {  // a scale that was rounded down a lot leaves levels above 127
                const float scaled = x / d;
                level = quant::round_even(scaled < -127.0F ? -127.0F : scaled > 127.0F ? 127.0F : scaled);
            }
            levels[i + first + lane] = static_cast<std::int8_t>(level);
            if (lane == 0) scales[(i + first) / block] = scale;
        }
    }

    friend bool operator==(const StoredRows&, const StoredRows&) = default;

private:
    static constexpr float infinity = std::numeric_limits<float>::infinity();
    static constexpr float nan = std::numeric_limits<float>::quiet_NaN();
};

}  // namespace sluice::cuda
