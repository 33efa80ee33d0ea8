// SPDX-License-Identifier: Apache-2.0
//! Number formats that are wrong in one way each.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
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

struct RoundsTowardsZero : quant::BF16 {
    static Block encode(float x) { return {static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(x) >> 16)}; }
};

struct LosesSubnormals : quant::F16 {
    static Block encode(float x) { return F16::encode(std::fabs(x) < 0x1p-14F ? 0.0F : x); }
};

}  // namespace mutants

template <BlockFormat F>
Mutant quantization_mutant(std::string_view name, std::string_view law) {
    return {std::string(name), law, quantization_law_list<F>()};
}

//! The faults that any format can have; the format's name ends that of the mutant.
inline void add_mutants_of(const detail::AnyFormat& right, std::vector<Mutant>& mutants) {
    using detail::ActivationRow, detail::AnyFormat, detail::BlockBytes;
    const auto add = [&](const AnyFormat& wrong, std::string_view fault, std::string_view law) {
        mutants.push_back({std::string(fault) + " " + std::string(right.name), law,
                           quantization_law_list(wrong, oracle::layout_of(right.format))});
    };
    const auto without_bad_numbers = [](std::vector<float> x) {
        for (float& v : x) v = std::isfinite(v) ? v : 0.0F;
        return x;
    };

    AnyFormat wrong = right;
    ++wrong.block_bytes;
    add(wrong, "counts a byte too many in blocks of", "quantization.block_facts");

    wrong = right;
    wrong.decode = [right](const BlockBytes& block) {
        std::vector<float> x = right.decode(block);
        for (float& v : x) v = std::fabs(v);
        return x;
    };
    add(wrong, "drops the signs of", "quantization.decodes_published_layout");

    wrong = right;
    wrong.dot = [right](const unsigned char* row, std::size_t k, const ActivationRow& x) {
        return right.dot(row, k - right.block_size, x);
    };
    add(wrong, "leaves the last block out of products of", "quantization.dot_product");

    wrong = right;
    wrong.encode = [right](std::vector<float> x) {
        for (float& v : x) v *= 2.0F;
        return right.encode(x);
    };
    add(wrong, "encodes numbers twice as large in",
        right.is_float() ? "quantization.encodes_to_nearest" : "quantization.encoding_error");
    if (right.is_float()) return;

    wrong = right;
    wrong.decode = [=](const BlockBytes& block) { return without_bad_numbers(right.decode(block)); };
    add(wrong, "reads infinite scales as zero in", "quantization.bad_scales_show");

    wrong = right;
    wrong.encode = [=](const std::vector<float>& x) { return right.encode(without_bad_numbers(x)); };
    add(wrong, "encodes NaN as zero in", "quantization.bad_numbers_show");

    wrong = right;
    wrong.encode = [right, former = BlockBytes(right.block_bytes)](const std::vector<float>& x) mutable {
        return std::exchange(former, right.encode(x));
    };
    add(wrong, "encodes the block before in", "quantization.encodes_alike");
}

inline std::vector<Mutant> quantization_mutants() {
    using namespace mutants;
    const auto layout = "quantization.decodes_published_layout", error = "quantization.encoding_error",
               any = "quantization.encodes_any_finite_numbers";
    std::vector<Mutant> all = {
        quantization_mutant<SwapsNibbles>("swaps the nibbles of Q4_0", layout),
        quantization_mutant<CentresAtSeven>("takes 7 for the middle of Q4_0", layout),
        quantization_mutant<ReversesFifthBits>("reads Q5_0's fifth bits big-endian", layout),
        quantization_mutant<DropsScaleTops>("drops the upper bits of Q4_K's scales 4 to 7", layout),
        quantization_mutant<SwapsScaleAndMin>("swaps d and dmin of Q4_K", layout),
        quantization_mutant<AddsMinimum>("adds the minimum of Q4_K", layout),
        quantization_mutant<TakesFifthBitsOfFirstGroup>("gives all groups of Q5_K the first one's fifth bits", layout),
        quantization_mutant<SharesScalesInPairs>("reads a scale of Q6_K for each 32", layout),
        quantization_mutant<FlushesSubnormals>("reads subnormal numbers of F16 as zero", layout),
        quantization_mutant<EncodesWithoutFifthBits>("sets all fifth bits of Q5_0", error),
        quantization_mutant<EncodesInSteepSteps>("encodes in steps of eight levels of Q8_0", error),
        quantization_mutant<EncodesWithoutMinimum>("encodes without the minimum of Q4_K", error),
        quantization_mutant<LetsScaleOverflow>("lets the scale of Q8_0 overflow", any),
        quantization_mutant<DividesByZeroRange>("divides by the range of zeros in Q6_K", any),
        quantization_mutant<RoundsTowardsZero>("rounds towards zero in BF16", "quantization.encodes_to_nearest"),
        quantization_mutant<LosesSubnormals>("encodes subnormal numbers of F16 as zero",
                                             "quantization.keeps_its_own_numbers"),
    };
    [&]<class... F>(std::type_identity<quant::OneOf<F...>>) {
        (add_mutants_of(detail::AnyFormat::of<F>(), all), ...);
    }(std::type_identity<quant::Any>());
    return all;
}

}  // namespace sluice::contracts
