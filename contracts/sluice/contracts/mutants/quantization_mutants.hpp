// SPDX-License-Identifier: Apache-2.0
//! Number formats that are wrong in one way each.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "sluice/contracts/mutant.hpp"
#include "sluice/contracts/quantization_laws.hpp"
#include "sluice/core/float16.hpp"
#include "sluice/quant/sets.hpp"

namespace sluice::contracts {

namespace mutants {

struct SwapsNibbles : quant::Q4_0 {
    static Levels unpack(const Block& block) {
        Levels levels = Q4_0::unpack(block);
        std::swap_ranges(levels.q, levels.q + 16, levels.q + 16);
        return levels;
    }
};

struct CentresAtSeven : quant::Q4_0 {
    static Levels unpack(const Block& block) {
        Levels levels = Q4_0::unpack(block);
        for (auto& q : levels.q) ++q;
        return levels;
    }
};

struct ReversesFifthBits : quant::Q5_0 {
    static Levels unpack(Block block) {
        std::reverse(block.high, block.high + 4);
        return Q5_0::unpack(block);
    }
};

struct DropsSigns : quant::Q8_0 {
    static Levels unpack(Block block) {
        for (auto& q : block.q) q &= 127;
        return Q8_0::unpack(block);
    }
};

struct DropsScaleTops : quant::Q4_K {
    static Levels unpack(const Block& block) {
        Levels levels = Q4_K::unpack(block);
        for (std::size_t g = 4; g < 8; ++g) levels.scale[g] &= 15;
        return levels;
    }
};

struct SwapsScaleAndMin : quant::Q4_K {
    static Levels unpack(const Block& block) {
        Levels levels = Q4_K::unpack(block);
        std::swap(levels.d, levels.dmin);
        return levels;
    }
};

struct AddsMinimum : quant::Q4_K {
    static Levels unpack(const Block& block) {
        Levels levels = Q4_K::unpack(block);
        levels.dmin = -levels.dmin;
        return levels;
    }
};

struct TakesFifthBitsOfFirstGroup : quant::Q5_K {
    static Levels unpack(const Block& block) {
        Levels levels = Q5_K::unpack(block);
        for (std::size_t i = 32; i < 256; ++i) {
            levels.q[i] = static_cast<std::int8_t>((levels.q[i] & 15) | (levels.q[i % 32] & 16));
        }
        return levels;
    }
};

struct SharesScalesInPairs : quant::Q6_K {
    static Levels unpack(Block block) {
        for (std::size_t g = 0; g < 16; ++g) block.scale[g] = block.scale[g / 2 * 2];
        return Q6_K::unpack(block);
    }
};

struct FlushesSubnormals : quant::F16 {
    static float decode(Block value) { return F16::decode((value.bits & 0x7C00) == 0 ? Half{0} : value); }
};

struct TakesQ6_KForQ4_K : quant::Q6_K {
    static constexpr quant::Format format = quant::Format::Q4_K;
};

struct HidesInfiniteScale : quant::Q4_0 {
    static Levels unpack(const Block& block) {
        Levels levels = Q4_0::unpack(block);
        if (!std::isfinite(levels.d)) levels.d = 0.0F;
        return levels;
    }
};

struct EncodesWithoutFifthBits : quant::Q5_0 {
    static Block encode(const float* x) {
        Block block = Q5_0::encode(x);
        std::fill_n(block.high, 4, std::uint8_t{0xFF});
        return block;
    }
};

struct EncodesInSteepSteps : quant::Q8_0 {
    static Block encode(const float* x) {
        Block block = Q8_0::encode(x);
        for (auto& q : block.q) q = static_cast<std::int8_t>(q / 8 * 8);
        return block;
    }
};

struct EncodesWithoutMinimum : quant::Q4_K {
    static Block encode(const float* x) {
        Block block = Q4_K::encode(x);
        block.dmin = Half{0};
        return block;
    }
};

//! The textbook encoder: the largest magnitude becomes 127.
struct LetsScaleOverflow : quant::Q8_0 {
    static Block encode(const float* x) {
        Block block = Q8_0::encode(x);
        float largest = 0.0F;
        for (std::size_t i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(x[i]));
        if (const Half d = to_half(largest / 127); std::isinf(to_float(d))) block.d = d;
        return block;
    }
};

struct DividesByZeroRange : quant::Q6_K {
    static Block encode(const float* x) {
        Block block = Q6_K::encode(x);
        if (std::all_of(x, x + 256, [](float v) { return v == 0.0F; })) block.d = to_half(std::nanf(""));
        return block;
    }
};

struct SkipsBadNumbers : quant::Q8_0 {
    static Block encode(const float* x) {
        float good[32];
        for (std::size_t i = 0; i < 32; ++i) good[i] = std::isfinite(x[i]) ? x[i] : 0.0F;
        return Q8_0::encode(good);
    }
};

struct EncodesByFormerScale : quant::Q8_0 {
    static Block encode(const float* x) {
        static thread_local Half former{0};
        Block block = Q8_0::encode(x);
        std::swap(block.d, former);
        return block;
    }
};

struct RoundsTowardsZero : quant::BF16 {
    static Block encode(float x) { return {static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(x) >> 16)}; }
};

struct LosesSubnormals : quant::F16 {
    static Block encode(float x) { return F16::encode(std::fabs(x) < 0x1p-14F ? 0.0F : x); }
};

}  // namespace mutants

template <BlockFormat F>
Mutant quantization_mutant(std::string_view name, std::string_view law) {
    return {name, law, quantization_law_list<F>()};
}

inline std::vector<Mutant> quantization_mutants() {
    using namespace mutants;
    const auto layout = "quantization.decodes_published_layout", error = "quantization.encoding_error";
    return {
        quantization_mutant<TakesQ6_KForQ4_K>("takes Q6_K for Q4_K", "quantization.block_facts"),
        quantization_mutant<SwapsNibbles>("swaps the nibbles of Q4_0", layout),
        quantization_mutant<CentresAtSeven>("takes 7 for the middle of Q4_0", layout),
        quantization_mutant<ReversesFifthBits>("reads Q5_0's fifth bits big-endian", layout),
        quantization_mutant<DropsSigns>("drops the signs of Q8_0", layout),
        quantization_mutant<DropsScaleTops>("drops the upper bits of Q4_K's scales 4 to 7", layout),
        quantization_mutant<SwapsScaleAndMin>("swaps d and dmin of Q4_K", layout),
        quantization_mutant<TakesFifthBitsOfFirstGroup>("gives all groups of Q5_K the first one's fifth bits", layout),
        quantization_mutant<SharesScalesInPairs>("reads a scale of Q6_K for each 32", layout),
        quantization_mutant<FlushesSubnormals>("reads subnormal halves as zero", layout),
        quantization_mutant<AddsMinimum>("adds the minimum", "quantization.dot_product"),
        quantization_mutant<HidesInfiniteScale>("reads an infinite scale as zero", "quantization.bad_scales_show"),
        quantization_mutant<EncodesWithoutFifthBits>("sets all fifth bits", error),
        quantization_mutant<EncodesInSteepSteps>("encodes in steps of eight levels", error),
        quantization_mutant<EncodesWithoutMinimum>("encodes without the minimum", error),
        quantization_mutant<LetsScaleOverflow>("lets the scale overflow", "quantization.encodes_any_finite_numbers"),
        quantization_mutant<DividesByZeroRange>("divides by the range of zeros",
                                                "quantization.encodes_any_finite_numbers"),
        quantization_mutant<SkipsBadNumbers>("encodes NaN as zero", "quantization.bad_numbers_show"),
        quantization_mutant<EncodesByFormerScale>("stores the scale of the block before", "quantization.encodes_alike"),
        quantization_mutant<RoundsTowardsZero>("rounds towards zero", "quantization.encodes_to_nearest"),
        quantization_mutant<LosesSubnormals>("encodes subnormals as zero", "quantization.keeps_its_own_numbers"),
    };
}

}  // namespace sluice::contracts
