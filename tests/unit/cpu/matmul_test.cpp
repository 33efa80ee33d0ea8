// SPDX-License-Identifier: Apache-2.0
#include "sluice/cpu/matmul.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <doctest/doctest.h>
#include <initializer_list>
#include <limits>
#include <random>
#include <string_view>
#include <type_traits>
#include <vector>

#include "sluice/core/buffer.hpp"
#include "sluice/core/float16.hpp"
#include "sluice/cpu/quantize.hpp"
#include "sluice/quant/dot_reference.hpp"
#include "sluice/quant/row.hpp"
#include "sluice/quant/sets.hpp"
#include "support/numbers.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

//! A user's own integer format, which the kernels know only through unpack(): groups of 16, scales and minima at will.
struct OwnInteger {
    static constexpr auto format = static_cast<quant::Format>(1000);
    static constexpr std::string_view name = "OwnInteger";
    static constexpr std::size_t block_size = 32;
    using Activation = quant::Q8View<32>;
    using Levels = quant::LevelsWithMin<32, 16>;
    struct Block {
        Half d, dmin;
        std::int8_t scale[2];
        std::uint8_t min[2];
        std::int8_t q[32];
    };
    static Levels unpack(const Block& block) {
        Levels levels;
        std::memcpy(levels.q, block.q, 32);
        std::memcpy(levels.scale, block.scale, 2);
        for (int g = 0; g < 2; ++g) levels.min[g] = block.min[g] & 127;
        levels.d = to_float(block.d);
        levels.dmin = to_float(block.dmin);
        return levels;
    }
};

//! One group as wide as the widest block, and no minima.
struct OwnWide {
    static constexpr auto format = static_cast<quant::Format>(1002);
    static constexpr std::string_view name = "OwnWide";
    static constexpr std::size_t block_size = 256;
    using Activation = quant::Q8View<256>;
    using Levels = quant::Levels<256, 256>;
    struct Block {
        Half d;
        std::int8_t q[256];
    };
    static Levels unpack(const Block& block) {
        Levels levels;
        std::memcpy(levels.q, block.q, 256);
        levels.scale[0] = -3;
        levels.d = to_float(block.d);
        return levels;
    }
};

//! And a float format: signed bytes in sixteenths.
struct OwnFloat {
    static constexpr auto format = static_cast<quant::Format>(1001);
    static constexpr std::string_view name = "OwnFloat";
    static constexpr std::size_t block_size = 1;
    using Activation = quant::F32View;
    using Block = std::int8_t;
    static float decode(Block value) { return static_cast<float>(value) / 16; }
};

static_assert(BlockFormat<OwnInteger> && BlockFormat<OwnWide> && BlockFormat<OwnFloat>);

enum class Content { random, extreme, hostile };

template <class Block>
void set_scale(Block& block, Half d) {
    block.d = d;
    if constexpr (requires { block.dmin; }) block.dmin = Half{static_cast<std::uint16_t>(d.bits ^ 0x8001U)};
}

//! Blocks of random bytes with sane scales; of only the extreme bytes; with any scales, infinities and NaN too.
template <BlockFormat F>
std::vector<typename F::Block> weights(std::size_t count, Content content, std::mt19937& random) {
    std::vector<typename F::Block> blocks(count);
    for (auto& block : blocks) {
        if constexpr (FloatFormat<F>) {
            if constexpr (sizeof block == 1) {
                block = static_cast<typename F::Block>(random());
            } else {
                using Bits = std::conditional_t<sizeof block == 4, std::uint32_t, std::uint16_t>;
                block = std::bit_cast<typename F::Block>(static_cast<Bits>(random()));
            }
            if (content != Content::hostile && !(std::fabs(F::decode(block)) < 1e4F)) block = {};
        } else {
            unsigned char bytes[sizeof block];
            const unsigned char extremes[] = {0x00, 0xFF, 0x80, 0x7F, 0x0F, 0xF0};
            for (auto& byte : bytes) {
                byte = content == Content::extreme ? extremes[random() % 2 == 0 ? 1 : random() % 6]
                                                   : static_cast<unsigned char>(random());
            }
            std::memcpy(&block, bytes, sizeof block);
            const auto any = static_cast<std::uint16_t>(random());
            if (content != Content::hostile)
                set_scale(block, Half{static_cast<std::uint16_t>(0x2000 | (any & 0x8FFF))});
        }
    }
    return blocks;
}

std::vector<float> activations(std::size_t k, Content content, std::mt19937& random) {
    std::normal_distribution<float> normal;
    std::vector<float> x(k);
    for (float& value : x) {
        value = normal(random);
        if (content == Content::extreme) value = value < 0.3F ? -1.0F : 1.0F;  // all levels 127 or -127
        if (content == Content::hostile && random() % 4000 == 0) value = std::numeric_limits<float>::infinity();
    }
    return x;
}

//! Wrong elements of the product of `rows` rows and `count` columns, of rows [first, last) only, from rows as in a file
//! and from interleaved ones; and of the elements around them, which must stay.
template <BlockFormat F, class V>
int wrong_products(std::size_t rows, std::size_t k, std::size_t count, std::size_t first, std::size_t last,
                   Content content, std::uint32_t seed) {
    using View = typename F::Activation;
    constexpr float untouched = 12345.0F;
    std::mt19937 random(seed);
    const auto blocks = weights<F>(rows * k / F::block_size, content, random);
    const std::size_t row_bytes = quant::row_bytes<F>(k), stride = View::row_bytes(k);
    std::vector<std::vector<float>> x, y(count, std::vector<float>(rows, untouched));
    std::vector<std::byte> storage(count * stride + 64);
    auto* aligned = storage.data() + (64 - reinterpret_cast<std::uintptr_t>(storage.data()) % 64) % 64;
    std::vector<cpu::Column<View>> columns(count);
    for (std::size_t c = 0; c < count; ++c) {
        x.push_back(activations(k, content, random));
        columns[c].y = y[c].data();
        if constexpr (FloatFormat<F>) {
            columns[c].x = {x[c].data()};
        } else {
            columns[c].x = cpu::quantize_row<F::block_size, V>(x[c], aligned + c * stride);
        }
    }
    const Matrix matrix = {reinterpret_cast<const std::byte*>(blocks.data()), F::format, rows, k, row_bytes};
    cpu::multiply<F, V>(matrix, first, last, columns);
    const auto count_wrong = [&](std::size_t from) {
        int wrong = 0;
        for (std::size_t c = 0; c < count; ++c) {
            for (std::size_t r = 0; r < rows; ++r) {
                const auto* row = blocks.data() + r * k / F::block_size;
                const bool is_asked = r >= from && r < last;
                const float expected = is_asked ? quant::dot_reference<F>(row, k, columns[c].x) : untouched;
                wrong += !same_bits(y[c][r], expected);
            }
        }
        return wrong;
    };
    int wrong = count_wrong(first);
    if constexpr (IntegerFormat<F>) {
        for (auto& column : y) std::fill(column.begin(), column.end(), untouched);
        Buffer<std::byte> copy(cpu::interleaved_bytes<F>(rows, k));
        cpu::multiply<F, V>(cpu::interleave<F, V>(matrix, copy.data()), first / 16 * 16, last, columns);
        wrong += count_wrong(first / 16 * 16);
    }
    return wrong;
}

template <BlockFormat F, class V>
void check_kernels() {
    constexpr std::size_t unit = F::block_size == 1 ? 16 : F::block_size;
    for (const Content content : {Content::random, Content::extreme, Content::hostile}) {
        const auto seed = static_cast<std::uint32_t>(content);
        CHECK(wrong_products<F, V>(256, 128 * F::block_size, 1, 0, 256, content, seed) == 0);  // 32768 blocks
        CHECK(wrong_products<F, V>(64, 8 * unit, 30, 0, 64, content, seed + 10) == 0);
    }
    for (std::size_t columns = 1; columns <= 17; ++columns) {
        CHECK(wrong_products<F, V>(35, 3 * unit, columns, 3, 34, Content::random, 77) == 0);
    }
    CHECK(wrong_products<F, V>(20, 5 * unit, 150, 1, 18, Content::random, 78) == 0);
    CHECK(wrong_products<F, V>(20, 21 * unit, 5, 1, 18, Content::extreme, 83) == 0);
    CHECK(wrong_products<F, V>(20, unit, 1, 7, 8, Content::random, 79) == 0);
    CHECK(wrong_products<F, V>(20, unit, 5, 7, 7, Content::random, 80) == 0);
    if constexpr (F::block_size == 1) {
        for (std::size_t k = 1; k < 40; ++k) CHECK(wrong_products<F, V>(5, k, 6, 0, 5, Content::random, 81) == 0);
    }
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("matmul: every kernel gives the bits of the reference", V, every_backend) {
    check_kernels<quant::Q4_K, V>();
    check_kernels<quant::Q5_K, V>();
    check_kernels<quant::Q6_K, V>();
    check_kernels<quant::Q8_0, V>();
    check_kernels<quant::Q4_0, V>();
    check_kernels<quant::Q5_0, V>();
    check_kernels<quant::F32, V>();
    check_kernels<quant::F16, V>();
    check_kernels<quant::BF16, V>();
    check_kernels<OwnInteger, V>();
    check_kernels<OwnFloat, V>();
    for (std::size_t columns = 1; columns <= 3; ++columns) {
        CHECK(wrong_products<OwnWide, V>(20, 3 * 256, columns, 1, 19, Content::extreme, 82) == 0);
    }
}
TEST_CASE_TEMPLATE_APPLY(every_backend, simd::Backends);
