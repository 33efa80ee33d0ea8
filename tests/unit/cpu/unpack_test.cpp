// SPDX-License-Identifier: Apache-2.0
#include "sluice/cpu/unpack.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <doctest/doctest.h>
#include <random>
#include <utility>

#include "sluice/cpu/row_tile.hpp"
#include "sluice/cpu/simd.hpp"

using namespace sluice;

namespace {

template <class F, class V, int Run>
int wrong_levels(const typename F::Block* blocks) {
    using U = cpu::Unpack<F, V>;
    std::uint8_t bytes[64];
    V::store_bytes(bytes, U::template levels<Run>(blocks));
    int wrong = 0;
    for (std::size_t i = 0; i < 64; ++i) {
        const std::size_t element = 64 * Run + i;
        const auto levels = F::unpack(blocks[element / F::block_size]);
        wrong += bytes[i] != levels.q[element % F::block_size] + U::bias || bytes[i] > U::max;
    }
    return wrong;
}

template <class F, class V>
void check_unpack() {
    using U = cpu::Unpack<F, V>;
    std::mt19937 random(4);
    int wrong = 0;
    for (int n = 0; n < 500; ++n) {
        std::array<typename F::Block, 16> blocks;
        unsigned char bytes[sizeof blocks];
        for (auto& byte : bytes) byte = static_cast<unsigned char>(random());
        std::memcpy(blocks.data(), bytes, sizeof blocks);
        [&]<int... Run>(std::integer_sequence<int, Run...>) {
            ((wrong += wrong_levels<F, V, Run>(blocks.data())), ...);
        }
        (std::make_integer_sequence<int, cpu::Unit<F>::size / 64>());

        if constexpr (F::block_size == 256) {
            const auto block_at = [&](std::size_t r) { return &blocks[r]; };
            alignas(64) std::int8_t buffer[16][16];
            U::unpack_scales(block_at, buffer);
            for (std::size_t r = 0; r < 16; ++r) {
                const auto levels = F::unpack(blocks[r]);
                wrong += std::memcmp(U::scales(blocks[r], buffer[r]), levels.scale, sizeof levels.scale) != 0;
                if constexpr (F::Levels::has_min) wrong += std::memcmp(buffer[r] + 8, levels.min, 8) != 0;
            }
        }
    }
    CHECK(wrong == 0);
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("unpack: the levels and scales that the formats state", V, unpack_backends) {
    check_unpack<quant::Q4_K, V>();
    check_unpack<quant::Q5_K, V>();
    check_unpack<quant::Q6_K, V>();
    check_unpack<quant::Q8_0, V>();
    check_unpack<quant::Q4_0, V>();
    check_unpack<quant::Q5_0, V>();
}
TEST_CASE_TEMPLATE_APPLY(unpack_backends, simd::Backends);
