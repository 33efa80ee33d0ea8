// SPDX-License-Identifier: Apache-2.0
//! The run-time tag of a tensor's number format: ids, names and block sizes as GGUF files use them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::quant {

//! A format's id in a GGUF tensor record.
enum class Format : std::uint32_t {
    F32 = 0,
    F16 = 1,
    Q4_0 = 2,
    Q4_1 = 3,
    Q5_0 = 6,
    Q5_1 = 7,
    Q8_0 = 8,
    Q8_1 = 9,
    Q2_K = 10,
    Q3_K = 11,
    Q4_K = 12,
    Q5_K = 13,
    Q6_K = 14,
    Q8_K = 15,
    IQ2_XXS = 16,
    IQ2_XS = 17,
    IQ3_XXS = 18,
    IQ1_S = 19,
    IQ4_NL = 20,
    IQ3_S = 21,
    IQ2_S = 22,
    IQ4_XS = 23,
    I8 = 24,
    I16 = 25,
    I32 = 26,
    I64 = 27,
    F64 = 28,
    IQ1_M = 29,
    BF16 = 30,
    TQ1_0 = 34,
    TQ2_0 = 35,
    MXFP4 = 39,
};

//! Size facts of a format: `block_bytes` bytes hold `block_size` consecutive elements of a row.
struct FormatInfo {
    Format format;
    std::string_view name;
    std::uint32_t block_size;
    std::uint32_t block_bytes;
};

//! Every format whose layout is known, so that a file can be checked and listed even where it cannot be computed with.
inline constexpr auto known_formats = std::to_array<FormatInfo>({
    {Format::F32, "F32", 1, 4},
    {Format::F16, "F16", 1, 2},
    {Format::Q4_0, "Q4_0", 32, 18},
    {Format::Q4_1, "Q4_1", 32, 20},
    {Format::Q5_0, "Q5_0", 32, 22},
    {Format::Q5_1, "Q5_1", 32, 24},
    {Format::Q8_0, "Q8_0", 32, 34},
    {Format::Q8_1, "Q8_1", 32, 36},
    {Format::Q2_K, "Q2_K", 256, 84},
    {Format::Q3_K, "Q3_K", 256, 110},
    {Format::Q4_K, "Q4_K", 256, 144},
    {Format::Q5_K, "Q5_K", 256, 176},
    {Format::Q6_K, "Q6_K", 256, 210},
    {Format::Q8_K, "Q8_K", 256, 292},
    {Format::IQ2_XXS, "IQ2_XXS", 256, 66},
    {Format::IQ2_XS, "IQ2_XS", 256, 74},
    {Format::IQ3_XXS, "IQ3_XXS", 256, 98},
    {Format::IQ1_S, "IQ1_S", 256, 50},
    {Format::IQ4_NL, "IQ4_NL", 32, 18},
    {Format::IQ3_S, "IQ3_S", 256, 110},
    {Format::IQ2_S, "IQ2_S", 256, 82},
    {Format::IQ4_XS, "IQ4_XS", 256, 136},
    {Format::I8, "I8", 1, 1},
    {Format::I16, "I16", 1, 2},
    {Format::I32, "I32", 1, 4},
    {Format::I64, "I64", 1, 8},
    {Format::F64, "F64", 1, 8},
    {Format::IQ1_M, "IQ1_M", 256, 56},
    {Format::BF16, "BF16", 1, 2},
    {Format::TQ1_0, "TQ1_0", 256, 54},
    {Format::TQ2_0, "TQ2_0", 256, 66},
    {Format::MXFP4, "MXFP4", 32, 17},
});

//! The facts of a format id, or nothing for an id that is not listed here.
constexpr std::optional<FormatInfo> format_info(Format format) {
    for (const FormatInfo& info : known_formats) {
        if (info.format == format) return info;
    }
    return std::nullopt;
}

//! "Q4_K", or "unknown" for an id that is not listed here.
constexpr std::string_view format_name(Format format) {
    const auto info = format_info(format);
    return info ? info->name : "unknown";
}

}  // namespace sluice::quant
