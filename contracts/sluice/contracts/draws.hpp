// SPDX-License-Identifier: Apache-2.0
//! Seeded random inputs for laws, the same on every compiler and standard library; awkward ones as often as nice ones.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <numeric>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "sluice/core/random.hpp"

namespace sluice::contracts {

//! A stream of random values, a pure function of its seed. Neighbouring seeds give unrelated streams.
class Draws {
public:
    explicit Draws(std::uint64_t seed) : seed_(seed) {}

    std::uint64_t seed() const { return seed_; }

    std::uint64_t bits() {
        const PhiloxBlock random = block();
        return static_cast<std::uint64_t>(random.words[1]) << 32 | random.words[0];
    }

    //! In [lowest, highest].
    template <std::integral I>
    I integer(std::type_identity_t<I> lowest, I highest) {
        const std::uint64_t count = static_cast<std::uint64_t>(highest) - static_cast<std::uint64_t>(lowest) + 1;
        const std::uint64_t offset = count == 0 ? bits() : bits() % count;  // 0: all 2^64 values
        return static_cast<I>(static_cast<std::uint64_t>(lowest) + offset);
    }

    //! In [lowest, highest).
    double real(double lowest, double highest) {
        return lowest + (highest - lowest) * (static_cast<double>(bits() >> 11) * 0x1p-53);
    }

    bool chance(double probability) { return real(0.0, 1.0) < probability; }

    //! About normal, mean 0 and deviation 1, within [-3.5, 3.5]: the sum of four uniform numbers.
    double normal() {
        double sum = 0.0;
        for (const std::uint32_t word : block().words) sum += (word + 0.5) * 0x1p-32 - 0.5;
        return sum * 1.7320508075688772;  // sqrt(3): the variance of each is 1/12
    }

    template <class T>
    T pick(std::span<const T> from) {
        return from[integer<std::size_t>(0, from.size() - 1)];
    }
    template <class T>
    T pick(std::initializer_list<T> from) {
        return pick(std::span<const T>(from.begin(), from.size()));
    }

    //! The numbers [0, count) in random order.
    std::vector<std::size_t> shuffled(std::size_t count) {
        std::vector<std::size_t> order(count);
        std::iota(order.begin(), order.end(), std::size_t{0});
        for (std::size_t i = count; i > 1; --i) std::swap(order[i - 1], order[integer<std::size_t>(0, i - 1)]);
        return order;
    }

    //! `count` floats from `draw()`.
    template <class Draw>
    static std::vector<float> floats(std::size_t count, Draw draw) {
        std::vector<float> numbers(count);
        for (float& x : numbers) x = static_cast<float>(draw());
        return numbers;
    }

    std::vector<float> normals(std::size_t count, double deviation = 1.0) {
        return floats(count, [&] { return deviation * normal(); });
    }

    //! Finite logits of one of six kinds: spread normally, closely or widely; in a few levels, so with ties; all equal;
    //! one far above the rest; zeros of both signs among the smallest floats; anywhere up to the largest floats.
    std::vector<float> logits(std::size_t count) {
        switch (integer(0, 5)) {
            case 0:
                return floats(count, [&] { return integer(-3, 3); });
            case 1:
                return std::vector<float>(count, static_cast<float>(pick({0.0, 1.0, -40.0, 1e30}) * normal()));
            case 2: {
                std::vector<float> numbers = normals(count);
                if (count > 0) numbers[integer<std::size_t>(0, count - 1)] += pick({5.0F, 60.0F, 200.0F});
                return numbers;
            }
            case 3:
                return floats(count, [&] {
                    constexpr float tiny = std::numeric_limits<float>::denorm_min();
                    constexpr float small = std::numeric_limits<float>::min();
                    return pick({0.0F, -0.0F, tiny, -tiny, small, -small});
                });
            case 4: {
                const double scale = pick({100.0, 1e4, 1e20, 0x1.fffffep127 / 4});
                return normals(count, scale);
            }
            default:
                return normals(count, pick({1e-3, 1.0, 4.0, 20.0}));
        }
    }

    //! Logits of which some may be NaN or infinite.
    std::vector<float> hostile_logits(std::size_t count) {
        constexpr float infinity = std::numeric_limits<float>::infinity();
        constexpr float nan = std::numeric_limits<float>::quiet_NaN();
        std::vector<float> numbers = logits(count);
        const double share = pick({0.0, 0.05, 0.5, 1.0});
        const float bad = pick({nan, infinity, -infinity});
        for (float& x : numbers) {
            if (chance(share)) x = chance(0.8) ? bad : pick({nan, infinity, -infinity});
        }
        return numbers;
    }

private:
    PhiloxBlock block() { return philox(seed_, {{drawn_++, 0, 0, 0}}); }

    std::uint64_t seed_;
    std::uint32_t drawn_ = 0;
};

}  // namespace sluice::contracts
