// SPDX-License-Identifier: Apache-2.0
//! A set of number formats fixed at compile time, and the step from a run-time tag to its type.
#pragma once

#include <cassert>
#include <string>

#include "sluice/concepts/quantization.hpp"
#include "sluice/core/format.hpp"

namespace sluice::quant {

//! Whether blocks of F are as large as files with its tag say.
template <BlockFormat F>
constexpr bool fits_its_tag() {
    const auto info = format_info(F::format);
    return !info || (info->block_size == F::block_size && info->block_bytes == sizeof(typename F::Block));
}

//! A Quantization: the formats First, Rest...
template <BlockFormat First, BlockFormat... Rest>
struct OneOf {
    static_assert(fits_its_tag<First>(), "OneOf: the first format's Block differs in size from what its tag means");

    static constexpr bool contains(Format format) {
        return format == First::format || (... || (format == Rest::format));
    }

    //! "Q4_K, Q6_K, F32"
    static std::string names() {
        std::string text(First::name);
        ((text += ", ", text += Rest::name), ...);
        return text;
    }

    //! f.template operator()<F>() for the F whose tag is `format`; needs contains(format). The compiler sees all the
    //! branches; a set of one has none.
    template <class Visitor>
    static constexpr decltype(auto) visit(Format format, Visitor&& f) {
        assert(contains(format));
        if constexpr (sizeof...(Rest) > 0) {
            if (format != First::format) return OneOf<Rest...>::visit(format, f);
        }
        return f.template operator()<First>();
    }
};

}  // namespace sluice::quant
