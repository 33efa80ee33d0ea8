// SPDX-License-Identifier: Apache-2.0
//! The laws of number formats: what their blocks mean, and what an encoder makes of numbers.
//!
//!     TEST_CASE("my format keeps the laws") { sluice::contracts::quantization_laws<MyFormat>("MyFormat", my_layout); }
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/concepts/quantization.hpp"
#include "sluice/contracts/check.hpp"
#include "sluice/contracts/quantization_oracles.hpp"
#include "sluice/contracts/tolerances.hpp"
#include "sluice/quant/dot_reference.hpp"
#include "sluice/quant/row.hpp"

namespace sluice::contracts {

namespace detail {

using BlockBytes = std::vector<unsigned char>;

//! Random bytes, or extreme ones only; with finite scales, unless `hostile`.
inline BlockBytes block_bytes(Draws& c, const oracle::BlockLayout& layout, bool hostile = false) {
    BlockBytes bytes(layout.block_bytes);
    const bool extreme = c.chance(0.3);
    for (unsigned char& byte : bytes) {
        byte = extreme ? c.pick<unsigned char>({0x00, 0xFF, 0x80, 0x7F, 0x0F, 0xF0}) : c.integer<unsigned char>(0, 255);
    }
    for (const std::size_t scale : layout.scales) {
        unsigned char& top = bytes.at(scale + 1);
        if ((top & 0x7C) == 0x7C) top ^= 0x40;
        if (hostile) top |= 0x7C;
    }
    return bytes;
}

//! Numbers to be encoded, none beyond `largest`: spread, constant, one-sided, sparse, zeros, tiny.
inline std::vector<float> numbers_to_encode(Case& c, std::size_t count, double largest) {
    const double scale = c.pick({1e-3, 0.05, 1.0, 300.0, largest / 4});
    std::vector<float> x = c.normals(count, scale);
    switch (c.integer(0, 5)) {
        case 0:
            std::fill(x.begin(), x.end(), c.pick({0.0F, -0.0F, x[0], x[0] * 1e-6F}));
            break;
        case 1:
            for (float& v : x) v = std::fabs(v) * (scale == 1.0 ? -1.0F : 1.0F);
            break;
        case 2:
            for (float& v : x) v = c.chance(0.05) ? v : 0.0F;
            break;
        case 3:
            for (float& v : x) v = c.pick({0.0F, v, v * 1e-4F, v * 1e-12F, std::numeric_limits<float>::denorm_min()});
            break;
        default:
            break;
    }
    c.given("numbers", x);
    return x;
}

//! The range of numbers that an encoder's error is relative to; see oracle::BlockLayout.
inline double range_of(const oracle::BlockLayout& layout, const std::vector<float>& x) {
    const double high = std::max(0.0F, *std::max_element(x.begin(), x.end()));
    const double low = std::max(0.0F, -*std::min_element(x.begin(), x.end()));
    return layout.has_min ? high + low : std::max(high, low);
}

//! An activation row in the form that a format reads, and the numbers it stands for: floats, or the levels of blocks.
struct ActivationRow {
    std::size_t block;
    std::vector<float> x;
    std::vector<std::int8_t> q;
    std::vector<float> d;
    std::vector<std::int16_t> sums;

    //! k numbers; levels of -127 and 127 only, too.
    ActivationRow(Draws& c, std::size_t block_size, std::size_t k) : block(block_size) {
        if (block == 1) {
            x = c.normals(k, c.pick({1e-6, 1.0, 1e3}));
            return;
        }
        const int limit = c.pick({127, 127, 5});
        const bool extreme = c.chance(0.3);
        for (std::size_t i = 0; i < k; ++i) {
            if (i % block == 0) d.push_back(static_cast<float>(c.normal() * c.pick({1e-6, 0.01, 10.0})));
            if (i % 16 == 0) sums.push_back(0);
            const int level = extreme ? c.pick({-127, 127}) : c.integer(-limit, limit);
            q.push_back(static_cast<std::int8_t>(level));
            sums.back() = static_cast<std::int16_t>(sums.back() + level);
        }
    }

    template <BlockFormat F>
    typename F::Activation view() const {
        if constexpr (FloatFormat<F>) {
            return {x.data()};
        } else {
            return {q.data(), d.data(), sums.data()};
        }
    }
    double value(std::size_t i) const {
        return block == 1 ? static_cast<double>(x[i]) : static_cast<double>(d[i / block]) * q[i];
    }
};

//! A format whatever its type, so that the laws are compiled once: functions of bytes.
struct AnyFormat {
    quant::Format format;
    std::string_view name;
    std::size_t block_size, block_bytes;
    std::function<std::vector<float>(const BlockBytes& block)> decode;
    std::function<BlockBytes(const std::vector<float>& x)> encode;  //!< empty without an encoder
    std::function<float(const unsigned char* row, std::size_t k, const ActivationRow& x)> dot;

    bool is_float() const { return block_size == 1; }

    template <BlockFormat F>
    static AnyFormat of() {
        AnyFormat any{F::format, F::name, F::block_size, sizeof(typename F::Block), decode_block<F>, {}, dot_row<F>};
        if constexpr (
            requires(const float* x) { F::encode(x); } || requires(float x) { F::encode(x); }) {
            any.encode = encode_block<F>;
        }
        return any;
    }

private:
    //! What the bytes do not fill, of a Block that is larger than its layout, is zero.
    template <BlockFormat F>
    static std::vector<float> decode_block(const BlockBytes& bytes) {
        typename F::Block block = {};
        std::memcpy(&block, bytes.data(), std::min(sizeof block, bytes.size()));
        std::vector<float> values(F::block_size);
        quant::decode<F>(block, values.data());
        return values;
    }
    template <BlockFormat F>
    static BlockBytes encode_block(const std::vector<float>& x) {
        BlockBytes block(sizeof(typename F::Block));
        quant::encode_row<F>(x.data(), F::block_size, reinterpret_cast<std::byte*>(block.data()));
        return block;
    }
    template <BlockFormat F>
    static float dot_row(const unsigned char* row, std::size_t k, const ActivationRow& x) {
        return quant::dot_reference<F>(reinterpret_cast<const typename F::Block*>(row), k, x.view<F>());
    }
};

}  // namespace detail

//! What a format's blocks mean.
inline std::vector<Law> decoding_laws(const detail::AnyFormat& format, const oracle::BlockLayout& layout) {
    using namespace detail;
    std::vector<Law> laws = {
        {"quantization.block_facts", "The format's name, block size and bytes are those of its tag in files.",
         [format, layout](Case& c) {
             c.equal("block_size", format.block_size, layout.block_size);
             c.equal("bytes of a block", format.block_bytes, layout.block_bytes);
             if (const auto known = quant::format_info(format.format)) {
                 c.equal("name", format.name, known->name);
                 c.equal("block_size", format.block_size, known->block_size);
                 c.equal("bytes of a block", format.block_bytes, known->block_bytes);
             }
         },
         1},
        {"quantization.decodes_published_layout", "A block stands for the numbers that its layout defines.",
         [format, layout](Case& c) {
             const BlockBytes bytes = block_bytes(c, layout);
             c.given("bytes", bytes);
             const oracle::Decoded expected = layout.decode(bytes);
             const std::vector<float> got = format.decode(bytes);
             if (format.is_float()) {
                 c.same_bits("number", got, std::vector{static_cast<float>(expected.values[0])});
             } else {
                 c.near("numbers", got, expected.values, expected.magnitudes, tolerance::decoded);
             }
         }},
        {"quantization.dot_product", "dot_reference is the dot product of the numbers that both rows stand for.",
         [format, layout](Case& c) {
             const std::size_t blocks = c.integer<std::size_t>(1, format.block_size == 1 ? 40 : 3);
             BlockBytes row;
             oracle::Vector w, magnitudes;
             for (std::size_t b = 0; b < blocks; ++b) {
                 BlockBytes bytes = block_bytes(c, layout);
                 oracle::Decoded decoded = layout.decode(bytes);
                 if (format.block_size == 1 && !(std::fabs(decoded.values[0]) < 1e30)) {
                     bytes.assign(bytes.size(), 0);
                     decoded = layout.decode(bytes);
                 }
                 bytes.resize(format.block_bytes);
                 row.insert(row.end(), bytes.begin(), bytes.end());
                 w.insert(w.end(), decoded.values.begin(), decoded.values.end());
                 magnitudes.insert(magnitudes.end(), decoded.magnitudes.begin(), decoded.magnitudes.end());
             }
             const ActivationRow x(c, format.block_size, w.size());
             double dot = 0.0, magnitude = 0.0;
             for (std::size_t i = 0; i < w.size(); ++i) {
                 dot += w[i] * x.value(i);
                 magnitude += magnitudes[i] * std::fabs(x.value(i));
             }
             const float got = format.dot(row.data(), w.size(), x);
             c.near("dot product", std::span(&got, 1), std::span(&dot, 1), std::span(&magnitude, 1), tolerance::dot);
         }},
    };
    if (!format.is_float()) {
        laws.push_back({"quantization.bad_scales_show", "Scales that are infinite or NaN make no finite number.",
                        [format, layout](Case& c) {
                            const BlockBytes bytes = block_bytes(c, layout, true);
                            c.given("bytes", bytes);
                            for (const float value : format.decode(bytes)) {
                                c.expect(!std::isfinite(value), "a number is finite: " + show(value));
                            }
                        }});
    }
    return laws;
}

//! What a float format makes of numbers.
inline std::vector<Law> float_encoding_laws(const detail::AnyFormat& format, const oracle::BlockLayout& layout) {
    using namespace detail;
    return {
        {"quantization.encodes_to_nearest", "A number is rounded to the format's nearest one, ties to even.",
         [format, layout](Case& c) {
             const float x = c.chance(0.5) ? c.hostile_logits(1)[0] : format.decode(block_bytes(c, layout))[0];
             const float between = x * (1.0F + static_cast<float>(c.pick({0.0, 0x1p-12, -0x1p-12, 0x1p-9, 0x1p-8})));
             c.given("number", between);
             c.same_bits("number", format.decode(format.encode({between})),
                         std::vector{static_cast<float>(layout.nearest(between))});
         }},
        {"quantization.keeps_its_own_numbers", "A number of the format is encoded to the bits it came from.",
         [format, layout](Case& c) {
             const BlockBytes bytes = block_bytes(c, layout);
             c.given("bytes", bytes);
             const std::vector<float> value = format.decode(bytes);
             const BlockBytes again = format.encode(value);
             if (!std::isnan(value[0])) c.equal("bytes", again, bytes);
         }},
    };
}

//! What an integer format makes of numbers.
inline std::vector<Law> integer_encoding_laws(const detail::AnyFormat& format, const oracle::BlockLayout& layout) {
    using namespace detail;
    constexpr double largest_half = 65504;
    return {
        {"quantization.encoding_error", "The numbers come back within what half a step of their range allows.",
         [format, layout](Case& c) {
             const std::vector<float> x = numbers_to_encode(c, format.block_size, largest_half),
                                      y = format.decode(format.encode(x));
             const double allowed =
                 layout.encoding_error * range_of(layout, x) + layout.largest_code * tolerance::encoded_step;
             for (std::size_t first = 0; first < x.size(); first += layout.group) {
                 double square = 0.0;
                 for (std::size_t i = first; i < first + layout.group; ++i) {
                     square += std::pow(static_cast<double>(x[i]) - y[i], 2);
                 }
                 c.between("RMS error of the group at " + to_text(first),
                           std::sqrt(square / static_cast<double>(layout.group)), 0.0, allowed);
             }
         }},
        {"quantization.encodes_any_finite_numbers",
         "However large, small or equal, finite numbers come back finite and hardly larger; zeros come back as zeros.",
         [format](Case& c) {
             const std::vector<float> x = numbers_to_encode(
                 c, format.block_size, c.pick<double>({1.0, 0x1p-130, std::numeric_limits<float>::max()}));
             double largest = 0.0;
             for (const float v : x) largest = std::max(largest, std::fabs(static_cast<double>(v)));
             constexpr Tolerance bound = tolerance::encoded_bound;
             const double allowed = largest == 0.0 ? 0.0 : bound.relative * largest + bound.absolute;
             for (const float y : format.decode(format.encode(x))) c.between<double>("number", y, -allowed, allowed);
         }},
        {"quantization.bad_numbers_show", "A number that is infinite or NaN makes its block NaN.",
         [format](Case& c) {
             std::vector<float> x = numbers_to_encode(c, format.block_size, 1.0);
             constexpr float infinity = std::numeric_limits<float>::infinity();
             x[c.integer<std::size_t>(0, x.size() - 1)] = c.pick({infinity, -infinity, std::nanf("")});
             for (const float y : format.decode(format.encode(x)))
                 c.expect(std::isnan(y), "a number is not NaN: " + show(y));
         }},
        {"quantization.encodes_alike", "The same numbers give the same bytes, whatever was encoded before.",
         [format](Case& c) {
             const std::vector<float> x = numbers_to_encode(c, format.block_size, 1.0);
             const BlockBytes first = format.encode(x);
             format.encode(numbers_to_encode(c, format.block_size, 1.0));
             c.equal("bytes", format.encode(x), first);
         }},
    };
}

//! All laws of a format; those of encoding only if it has an encoder.
inline std::vector<Law> quantization_law_list(const detail::AnyFormat& format, const oracle::BlockLayout& layout) {
    std::vector<Law> laws = decoding_laws(format, layout);
    if (format.encode) {
        const std::vector<Law> more =
            format.is_float() ? float_encoding_laws(format, layout) : integer_encoding_laws(format, layout);
        laws.insert(laws.end(), more.begin(), more.end());
    }
    return laws;
}
template <BlockFormat F>
std::vector<Law> quantization_law_list(const oracle::BlockLayout& layout = oracle::layout_of(F::format)) {
    return quantization_law_list(detail::AnyFormat::of<F>(), layout);
}

//! Checks all laws of a number format, inside a doctest test case.
template <BlockFormat F>
void quantization_laws(std::string_view subject, const oracle::BlockLayout& layout = oracle::layout_of(F::format)) {
    check_laws(subject, quantization_law_list<F>(layout));
}

}  // namespace sluice::contracts
