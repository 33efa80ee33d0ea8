// SPDX-License-Identifier: Apache-2.0
#include "sluice/cpu/activations.hpp"

#include <algorithm>
#include <cstddef>
#include <doctest/doctest.h>
#include <span>
#include <vector>

#include "sluice/quant/sets.hpp"
#include "support/numbers.hpp"

using namespace sluice;
using namespace sluice::test;
using quant::Format;

TEST_CASE("activations: a matrix's format says which form its reader needs") {
    const auto forms_of = [](std::initializer_list<Format> formats) {
        cpu::ActivationForms forms;
        for (const Format format : formats) forms.add<quant::Any>(Matrix{.format = format});
        return forms;
    };
    CHECK(!forms_of({Format::F32, Format::BF16, Format::F16}).q8_32);
    CHECK(!forms_of({Format::F32, Format::BF16, Format::F16}).q8_256);
    CHECK(forms_of({Format::Q8_0}).q8_32);
    CHECK(!forms_of({Format::Q8_0}).q8_256);
    CHECK(forms_of({Format::Q4_K}).q8_256);
    CHECK(!forms_of({Format::Q4_K}).q8_32);
    CHECK(forms_of({Format::Q5_0, Format::Q6_K, Format::F32}).q8_32);
    CHECK(forms_of({Format::Q5_0, Format::Q6_K, Format::F32}).q8_256);
}

TEST_CASE("activations: every row has its own floats and int8 forms, as the reference quantizes them") {
    constexpr std::size_t rows = 3, k = 512;
    cpu::Activations<> x(rows, k, {.q8_32 = true, .q8_256 = true});
    for (std::size_t r = 0; r < rows; ++r) {
        const auto values = random_floats(k, static_cast<std::uint32_t>(r));
        std::copy(values.begin(), values.end(), x.row(r));
    }
    for (std::size_t r = 0; r < rows; ++r) x.quantize(r);
    CHECK(x.k() == k);
    for (std::size_t r = 0; r < rows; ++r) {
        CAPTURE(r);
        const auto values = random_floats(k, static_cast<std::uint32_t>(r));
        CHECK(same_bits(std::span(x.view<quant::F32View>(r).x, k), values));
        const auto check_form = [&]<std::size_t N>() {
            Buffer<std::byte> storage(quant::Q8View<N>::row_bytes(k));
            const auto wanted = quant::quantize_reference<N>(values, storage.data());
            const auto got = x.template view<quant::Q8View<N>>(r);
            CHECK(std::equal(got.q, got.q + k, wanted.q));
            CHECK(std::equal(got.sums, got.sums + k / 16, wanted.sums));
            CHECK(same_bits(std::span(got.d, k / N), std::span(wanted.d, k / N)));
        };
        check_form.operator()<32>();
        check_form.operator()<256>();
    }
}
