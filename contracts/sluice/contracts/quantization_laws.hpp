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

//! What the bytes do not fill, of a Block that is larger than its layout, is zero.
template <BlockFormat F>
typename F::Block block_of(const BlockBytes& bytes) {
    typename F::Block block = {};
    std::memcpy(&block, bytes.data(), std::min(sizeof block, bytes.size()));
    return block;
}

template <BlockFormat F>
BlockBytes bytes_of(const typename F::Block& block) {
    BlockBytes bytes(sizeof block);
    std::memcpy(bytes.data(), &block, sizeof block);
    return bytes;
}

template <BlockFormat F>
std::vector<float> decode(const typename F::Block& block) {
    std::vector<float> values(F::block_size);
    quant::decode<F>(block, values.data());
    return values;
}

template <BlockFormat F>
typename F::Block encode(const std::vector<float>& x) {
    typename F::Block block;
    quant::encode_row<F>(x.data(), F::block_size, reinterpret_cast<std::byte*>(&block));
    return block;
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

//! An activation row in the form that F reads, and the numbers it stands for.
template <BlockFormat F>
struct ActivationRow {
    std::vector<float> x;
    std::vector<std::int8_t> q;
    std::vector<float> d;
    std::vector<std::int16_t> sums;

    //! k numbers; levels of -127 and 127 only, too.
    ActivationRow(Draws& c, std::size_t k) {
        if constexpr (FloatFormat<F>) {
            x = c.normals(k, c.pick({1e-6, 1.0, 1e3}));
        } else {
            const int limit = c.pick({127, 127, 5});
            const bool extreme = c.chance(0.3);
            for (std::size_t i = 0; i < k; ++i) {
                if (i % F::block_size == 0) d.push_back(static_cast<float>(c.normal() * c.pick({1e-6, 0.01, 10.0})));
                if (i % 16 == 0) sums.push_back(0);
                const int level = extreme ? c.pick({-127, 127}) : c.integer(-limit, limit);
                q.push_back(static_cast<std::int8_t>(level));
                sums.back() = static_cast<std::int16_t>(sums.back() + level);
            }
        }
    }

    typename F::Activation view() const {
        if constexpr (FloatFormat<F>) {
            return {x.data()};
        } else {
            return {q.data(), d.data(), sums.data()};
        }
    }
    double value(std::size_t i) const {
        if constexpr (FloatFormat<F>) {
            return x[i];
        } else {
            return static_cast<double>(d[i / F::block_size]) * q[i];
        }
    }
};

}  // namespace detail

//! What a format's blocks mean.
template <BlockFormat F>
std::vector<Law> decoding_laws(const oracle::BlockLayout& layout) {
    using namespace detail;
    std::vector<Law> laws = {
        {"quantization.block_facts", "The format's name, block size and bytes are those of its tag in files.",
         [layout](Case& c) {
             c.equal("block_size", F::block_size, layout.block_size);
             c.equal("bytes of a block", sizeof(typename F::Block), layout.block_bytes);
             if (const auto known = quant::format_info(F::format)) {
                 c.equal("name", std::string(F::name), std::string(known->name));
                 c.equal("block_size", F::block_size, known->block_size);
                 c.equal("bytes of a block", sizeof(typename F::Block), known->block_bytes);
             }
         },
         1},
        {"quantization.decodes_published_layout", "A block stands for the numbers that its layout defines.",
         [layout](Case& c) {
             const BlockBytes bytes = block_bytes(c, layout);
             c.given("bytes", bytes);
             const oracle::Decoded expected = layout.decode(bytes);
             const std::vector<float> got = decode<F>(block_of<F>(bytes));
             if constexpr (FloatFormat<F>) {
                 c.same_bits("number", got, std::vector{static_cast<float>(expected.values[0])});
             } else {
                 c.near("numbers", got, expected.values, expected.magnitudes, tolerance::decoded);
             }
         }},
        {"quantization.dot_product", "dot_reference is the dot product of the numbers that both rows stand for.",
         [layout](Case& c) {
             const std::size_t blocks = c.integer<std::size_t>(1, F::block_size == 1 ? 40 : 3);
             std::vector<typename F::Block> row;
             oracle::Vector w, magnitudes;
             for (std::size_t b = 0; b < blocks; ++b) {
                 BlockBytes bytes = block_bytes(c, layout);
                 oracle::Decoded decoded = layout.decode(bytes);
                 if (F::block_size == 1 && !(std::fabs(decoded.values[0]) < 1e30)) {
                     bytes.assign(bytes.size(), 0);
                     decoded = layout.decode(bytes);
                 }
                 row.push_back(block_of<F>(bytes));
                 w.insert(w.end(), decoded.values.begin(), decoded.values.end());
                 magnitudes.insert(magnitudes.end(), decoded.magnitudes.begin(), decoded.magnitudes.end());
             }
             const ActivationRow<F> x(c, w.size());
             double dot = 0.0, magnitude = 0.0;
             for (std::size_t i = 0; i < w.size(); ++i) {
                 dot += w[i] * x.value(i);
                 magnitude += magnitudes[i] * std::fabs(x.value(i));
             }
             const float got = quant::dot_reference<F>(row.data(), w.size(), x.view());
             c.near("dot product", std::span(&got, 1), std::span(&dot, 1), std::span(&magnitude, 1), tolerance::dot);
         }},
    };
    if constexpr (IntegerFormat<F>) {
        laws.push_back({"quantization.bad_scales_show", "Scales that are infinite or NaN make no finite number.",
                        [layout](Case& c) {
                            const BlockBytes bytes = block_bytes(c, layout, true);
                            c.given("bytes", bytes);
                            for (const float value : decode<F>(block_of<F>(bytes))) {
                                c.expect(!std::isfinite(value), "a number is finite: " + show(value));
                            }
                        }});
    }
    return laws;
}

//! What a float format makes of numbers.
template <FloatFormat F>
std::vector<Law> encoding_laws(const oracle::BlockLayout& layout) {
    using namespace detail;
    return {
        {"quantization.encodes_to_nearest", "A number is rounded to the format's nearest one, ties to even.",
         [layout](Case& c) {
             const float x = c.chance(0.5) ? c.hostile_logits(1)[0] : decode<F>(block_of<F>(block_bytes(c, layout)))[0];
             const float between = x * (1.0F + static_cast<float>(c.pick({0.0, 0x1p-12, -0x1p-12, 0x1p-9, 0x1p-8})));
             c.given("number", between);
             c.same_bits("number", decode<F>(encode<F>({between})),
                         std::vector{static_cast<float>(layout.nearest(between))});
         }},
        {"quantization.keeps_its_own_numbers", "A number of the format is encoded to the bits it came from.",
         [layout](Case& c) {
             const BlockBytes bytes = block_bytes(c, layout);
             c.given("bytes", bytes);
             const std::vector<float> value = decode<F>(block_of<F>(bytes));
             const BlockBytes again = bytes_of<F>(encode<F>(value));
             if (!std::isnan(value[0])) c.equal("bytes", again, bytes);
         }},
    };
}

//! The same of an integer format.
template <IntegerFormat F>
std::vector<Law> encoding_laws(const oracle::BlockLayout& layout) {
    using namespace detail;
    constexpr double largest_half = 65504;
    return {
        {"quantization.encoding_error", "The numbers come back within what half a step of their range allows.",
         [layout](Case& c) {
             const std::vector<float> x = numbers_to_encode(c, F::block_size, largest_half),
                                      y = decode<F>(encode<F>(x));
             // Scales, in half precision, are multiples of 2^-24.
             const double allowed = layout.encoding_error * range_of(layout, x) + layout.largest_code * 0x1p-25;
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
         [](Case& c) {
             const std::vector<float> x = numbers_to_encode(
                 c, F::block_size, c.pick<double>({1.0, 0x1p-130, std::numeric_limits<float>::max()}));
             double largest = 0.0;
             for (const float v : x) largest = std::max(largest, std::fabs(static_cast<double>(v)));
             const double allowed = largest == 0.0 ? 0.0 : 1.25 * largest + 0x1p-16;
             for (const float y : decode<F>(encode<F>(x))) c.between<double>("number", y, -allowed, allowed);
         }},
        {"quantization.bad_numbers_show", "A number that is infinite or NaN makes its block NaN.",
         [](Case& c) {
             std::vector<float> x = numbers_to_encode(c, F::block_size, 1.0);
             constexpr float infinity = std::numeric_limits<float>::infinity();
             x[c.integer<std::size_t>(0, x.size() - 1)] = c.pick({infinity, -infinity, std::nanf("")});
             for (const float y : decode<F>(encode<F>(x))) c.expect(std::isnan(y), "a number is not NaN: " + show(y));
         }},
        {"quantization.encodes_alike", "The same numbers give the same bytes, whatever was encoded before.",
         [](Case& c) {
             const std::vector<float> x = numbers_to_encode(c, F::block_size, 1.0);
             const BlockBytes first = bytes_of<F>(encode<F>(x));
             encode<F>(numbers_to_encode(c, F::block_size, 1.0));
             c.equal("bytes", bytes_of<F>(encode<F>(x)), first);
         }},
    };
}

//! All laws of a format; those of encoding only if it has an encoder.
template <BlockFormat F>
std::vector<Law> quantization_law_list(const oracle::BlockLayout& layout = oracle::layout_of(F::format)) {
    std::vector<Law> laws = decoding_laws<F>(layout);
    if constexpr (
        requires(const float* x) { F::encode(x); } || requires(float x) { F::encode(x); }) {
        const std::vector<Law> more = encoding_laws<F>(layout);
        laws.insert(laws.end(), more.begin(), more.end());
    }
    return laws;
}

//! Checks all laws of a number format, inside a doctest test case.
template <BlockFormat F>
void quantization_laws(std::string_view subject, const oracle::BlockLayout& layout = oracle::layout_of(F::format)) {
    check_laws(subject, quantization_law_list<F>(layout));
}

}  // namespace sluice::contracts
