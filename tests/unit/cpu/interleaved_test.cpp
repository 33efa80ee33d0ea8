// SPDX-License-Identifier: Apache-2.0
#include "sluice/cpu/interleaved.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <doctest/doctest.h>
#include <random>
#include <utility>
#include <vector>

#include "sluice/core/buffer.hpp"
#include "sluice/cpu/row_tile.hpp"
#include "sluice/cpu/simd.hpp"

using namespace sluice;

namespace {

template <class F>
std::vector<typename F::Block> random_blocks(std::size_t count, std::mt19937& random) {
    std::vector<unsigned char> bytes(count * sizeof(typename F::Block));
    for (auto& byte : bytes) byte = static_cast<unsigned char>(random());
    std::vector<typename F::Block> blocks(count);
    std::memcpy(blocks.data(), bytes.data(), bytes.size());
    return blocks;
}

template <class V>
std::array<std::int32_t, 16> lanes_of(typename V::I32 v) {
    std::array<std::int32_t, 16> lanes;
    V::store(lanes.data(), v);
    return lanes;
}

//! Numbers of unit `unit` that differ from what F::unpack says of `rows` [16, blocks of a unit].
template <class F, class V>
int wrong_numbers(const typename F::Block* rows, const std::byte* unit) {
    using T = cpu::Interleaved<F, V>;
    using L = typename F::Levels;
    constexpr std::size_t blocks = cpu::Unit<F>::blocks;
    int wrong = 0;
    const auto levels_of = [&](std::size_t r, std::size_t element) {
        return F::unpack(rows[r * blocks + element / L::size]);
    };
    const auto check_strip = [&]<std::size_t S>() {
        for (std::size_t i = 0; i < 4; ++i) {
            std::uint8_t bytes[64];
            V::store_bytes(bytes, T::template levels<S>(unit, i));
            for (std::size_t j = 0; j < 64; ++j) {
                const std::size_t element = 16 * S + 4 * i + j % 4;
                const int level = levels_of(j / 4, element).q[element % L::size];
                const int byte = bytes[j];
                wrong += byte != level + T::bias || byte > T::max;
            }
        }
    };
    const auto check_group = [&]<std::size_t G>() {
        if constexpr (T::has_scales) {
            const auto scales = lanes_of<V>(T::template scale<G>(unit));
            for (std::size_t r = 0; r < 16; ++r) {
                wrong += scales[r] != levels_of(r, G * L::group).scale[G % L::groups];
            }
        }
    };
    const auto check_pair = [&]<std::size_t P>() {
        const auto check = [&](const std::array<std::int32_t, 16>& pairs, auto number) {
            for (std::size_t r = 0; r < 16; ++r) {
                for (std::size_t half = 0; half < 2; ++half) {
                    const std::size_t element = 32 * P + 16 * half;
                    const auto found = static_cast<std::int16_t>(static_cast<std::uint32_t>(pairs[r]) >> (16 * half));
                    wrong += found != number(levels_of(r, element), element % L::size / L::group);
                }
            }
        };
        if constexpr (T::has_scales && T::bias != 0) {
            check(lanes_of<V>(T::template scale_pair<P>(unit)), [](const L& l, std::size_t g) { return l.scale[g]; });
        }
        if constexpr (L::has_min) {
            check(lanes_of<V>(T::template min_pair<P>(unit)), [](const L& l, std::size_t g) { return l.min[g]; });
        }
    };
    constexpr std::size_t size = cpu::Unit<F>::size;
    [&]<std::size_t... S>(std::index_sequence<S...>) { (check_strip.template operator()<S>(), ...); }
    (std::make_index_sequence<size / 16>());
    [&]<std::size_t... G>(std::index_sequence<G...>) { (check_group.template operator()<G>(), ...); }
    (std::make_index_sequence<size / L::group>());
    [&]<std::size_t... P>(std::index_sequence<P...>) { (check_pair.template operator()<P>(), ...); }
    (std::make_index_sequence<size / 32>());
    return wrong;
}

template <class F, class V>
void check_format() {
    constexpr std::size_t blocks = cpu::Unit<F>::blocks;
    std::mt19937 random(4);
    alignas(64) std::array<std::byte, cpu::Interleaved<F, V>::words * 64> unit;
    int wrong = 0;
    for (int n = 0; n < 60; ++n) {
        const auto rows = random_blocks<F>(16 * blocks, random);
        const auto* first = reinterpret_cast<const std::byte*>(rows.data());
        cpu::Interleaved<F, V>::pack(cpu::RowTile(first, cpu::Unit<F>::bytes, 16), 0, unit.data());
        wrong += wrong_numbers<F, V>(rows.data(), unit.data());
    }
    CHECK(wrong == 0);
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("interleaved: the levels, scales and minima that the formats state", V, backends) {
    check_format<quant::Q4_K, V>();
    check_format<quant::Q5_K, V>();
    check_format<quant::Q6_K, V>();
    check_format<quant::Q8_0, V>();
    check_format<quant::Q4_0, V>();
    check_format<quant::Q5_0, V>();
}
TEST_CASE_TEMPLATE_APPLY(backends, simd::Backends);

TEST_CASE("interleaved: the built-in formats keep their size, and every back end writes the same bytes") {
    const auto check = []<class F>() {
        CHECK(cpu::keeps_its_size<F>());
        constexpr std::size_t rows = 21, k = 3 * F::block_size;
        std::mt19937 random(5);
        const auto blocks = random_blocks<F>(rows * 3, random);
        const Matrix matrix = {reinterpret_cast<const std::byte*>(blocks.data()), F::format, rows, k,
                               3 * sizeof(typename F::Block)};
        const std::size_t bytes = cpu::interleaved_bytes<F>(rows, k);
        Buffer<std::byte> native(bytes), scalar(bytes);
        const Matrix copy = cpu::interleave<F>(matrix, native.data());
        cpu::interleave<F, simd::Scalar>(matrix, scalar.data());
        CHECK(copy.interleaved);
        CHECK(copy.row_bytes * 32 == bytes);
        CHECK(std::memcmp(native.data(), scalar.data(), bytes) == 0);
    };
    check.template operator()<quant::Q4_K>();
    check.template operator()<quant::Q5_K>();
    check.template operator()<quant::Q6_K>();
    check.template operator()<quant::Q8_0>();
    check.template operator()<quant::Q4_0>();
    check.template operator()<quant::Q5_0>();
}
