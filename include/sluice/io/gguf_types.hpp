// SPDX-License-Identifier: Apache-2.0
//! What a GGUF file is made of, and the rules that its reader and its writer share.
//! Source: the GGUF specification, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sluice/core/checked.hpp"
#include "sluice/core/format.hpp"
#include "sluice/core/quote.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/utf8.hpp"
#include "sluice/io/gguf_value.hpp"

namespace sluice::gguf {

inline constexpr std::uint32_t magic = 0x46554747;                      //!< "GGUF"
inline constexpr std::uint32_t oldest_version = 2;                      //!< that is read and written
inline constexpr std::uint32_t newest_version = 3;                      //!< likewise
inline constexpr std::size_t max_dims = 4;                              //!< dimensions of a tensor
inline constexpr std::size_t max_name_bytes = 65535;                    //!< of a key or a tensor's name
inline constexpr std::uint32_t default_alignment = 32;                  //!< bytes
inline constexpr std::string_view alignment_key = "general.alignment";  //!< states another one

//! Tensor data may start at multiples of a power of two from 8 to 65536 bytes.
constexpr bool is_alignment(std::uint64_t value) { return std::has_single_bit(value) && value >= 8 && value <= 65536; }

//! One key and its value.
struct Metadata {
    std::string_view key;
    Value value;
};

//! One tensor: rows of shape[0] elements in blocks of `format`, row after row.
struct Tensor {
    std::string_view name;
    quant::Format format;
    std::uint32_t n_dims;
    std::array<std::uint64_t, max_dims> shape;  //!< fastest first; 1 beyond n_dims
    std::span<const std::byte> bytes;           //!< its data, tensor_bytes(format, extents()) of them

    //! The extents that the file gives.
    std::span<const std::uint64_t> extents() const { return std::span(shape).first(n_dims); }
    //! Their product, which the reader has checked.
    std::uint64_t elements() const { return shape[0] * shape[1] * shape[2] * shape[3]; }
};

//! "2048x768x128": fastest first.
inline std::string shape_text(std::span<const std::uint64_t> shape) {
    std::string text;
    for (const std::uint64_t extent : shape) text += (text.empty() ? "" : "x") + std::to_string(extent);
    return text;
}

//! The rule for keys and tensor names: 1 to 65535 bytes of UTF-8 without NUL.
inline Status check_name(std::string_view name) {
    if (name.empty()) return Status(Errc::corrupt, {}, "an empty name");
    if (name.size() > max_name_bytes) return Status(Errc::corrupt, {}, "a name longer than 65535 bytes");
    if (name.find('\0') != name.npos) return Status(Errc::corrupt, quote(name), "a NUL in the name");
    if (!utf8::is_valid(name)) return Status(Errc::corrupt, quote(name), "the name is not valid UTF-8");
    return {};
}

//! The bytes that a tensor takes, or why there cannot be one: 1 to 4 extents, none zero, whole blocks in a row.
inline Expected<std::uint64_t> tensor_bytes(quant::Format format, std::span<const std::uint64_t> shape) {
    const auto layout = quant::format_info(format);
    if (!layout) {
        return Status(Errc::unsupported, {}, "unknown format id " + std::to_string(static_cast<std::uint32_t>(format)),
                      "use a file in a format that Sluice knows, such as Q4_K_M");
    }
    if (shape.empty() || shape.size() > max_dims) {
        return Status(Errc::corrupt, {}, std::to_string(shape.size()) + " dimensions, but 1 to 4 are possible");
    }
    if (shape[0] % layout->block_size != 0) {
        return Status(Errc::corrupt, {},
                      "rows of " + std::to_string(shape[0]) + " elements are not whole blocks of " +
                          std::to_string(layout->block_size) + ", as " + std::string(layout->name) + " needs");
    }
    std::optional<std::uint64_t> elements = 1;
    for (const std::uint64_t extent : shape) {
        if (extent == 0) return Status(Errc::corrupt, {}, "an empty dimension in shape " + shape_text(shape));
        elements = checked_mul(*elements, extent);
        if (!elements) return Status(Errc::corrupt, {}, "shape " + shape_text(shape) + " is too large");
    }
    const auto bytes = checked_mul(*elements / layout->block_size, layout->block_bytes);
    if (!bytes) return Status(Errc::corrupt, {}, "shape " + shape_text(shape) + " is too large");
    return *bytes;
}

}  // namespace sluice::gguf
