// SPDX-License-Identifier: Apache-2.0
#include "sluice/quant/one_of.hpp"

#include <doctest/doctest.h>
#include <string_view>

#include "sluice/quant/sets.hpp"

using namespace sluice;
using quant::Format;

namespace {

//! A user's own format: 32 signs under one scale, 6 bytes.
struct Sign32 {
    static constexpr auto format = static_cast<Format>(1000);
    static constexpr std::string_view name = "Sign32";
    static constexpr std::size_t block_size = 32;
    using Activation = quant::Q8View<32>;
    using Levels = quant::Levels<32, 32>;
    struct Block {
        Half d;
        std::uint16_t signs[2];
    };
    static Levels unpack(const Block& block) {
        Levels levels;
        for (std::size_t i = 0; i < 32; ++i) levels.q[i] = ((block.signs[i / 16] >> (i % 16)) & 1) != 0 ? 1 : -1;
        levels.scale[0] = 1;
        levels.d = to_float(block.d);
        return levels;
    }
};

std::string visited(auto set, Format format) {
    return set.visit(format, []<class F>() { return std::string(F::name); });
}

}  // namespace

static_assert(BlockFormat<Sign32>);
static_assert(!BlockFormat<int>);
static_assert(Quantization<quant::Q4_K_M> && Quantization<quant::OneOf<Sign32>> && !Quantization<quant::Q4_K>);

TEST_CASE("one_of: names, membership and visiting") {
    using Set = quant::OneOf<quant::Q4_K, Sign32, quant::F32>;
    CHECK(Set::names() == "Q4_K, Sign32, F32");
    CHECK(Set::contains(Format::Q4_K));
    CHECK(Set::contains(static_cast<Format>(1000)));
    CHECK(!Set::contains(Format::Q6_K));
    CHECK(visited(Set{}, Format::Q4_K) == "Q4_K");
    CHECK(visited(Set{}, static_cast<Format>(1000)) == "Sign32");
    CHECK(visited(Set{}, Format::F32) == "F32");
    CHECK(visited(quant::OnlyF32{}, Format::F32) == "F32");
}

TEST_CASE("one_of: the ready-made sets visit each of their formats") {
    int formats = 0;
    for (const quant::FormatInfo& info : quant::known_formats) {
        if (!quant::Any::contains(info.format)) continue;
        ++formats;
        CHECK(visited(quant::Any{}, info.format) == info.name);
        quant::Any::visit(info.format, [&]<class F>() {
            CHECK(sizeof(typename F::Block) == info.block_bytes);
            CHECK(F::block_size == info.block_size);
        });
    }
    CHECK(formats == 9);
    CHECK(quant::Q4_K_M::names() == "Q4_K, Q6_K, F32");
}
