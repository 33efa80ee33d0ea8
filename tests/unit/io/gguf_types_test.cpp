// SPDX-License-Identifier: Apache-2.0
#include "sluice/io/gguf_types.hpp"

#include <doctest/doctest.h>
#include <vector>

#include "unit/io/files.hpp"

using namespace sluice;
using namespace sluice::gguf;
using quant::Format;
using sluice::test::mentions;

namespace {

Expected<std::uint64_t> bytes_of(Format format, const std::vector<std::uint64_t>& shape) {
    return tensor_bytes(format, shape);
}

}  // namespace

TEST_CASE("gguf_types: the bytes of a tensor") {
    CHECK(*bytes_of(Format::F32, {3}) == 12);
    CHECK(*bytes_of(Format::Q4_K, {2048, 768, 128}) == 2048ULL * 768 * 128 / 256 * 144);
    CHECK(*bytes_of(Format::Q8_0, {32, 1, 2, 3}) == 34 * 6);
}

TEST_CASE("gguf_types: refuses shapes that cannot be stored") {
    constexpr std::uint64_t huge = std::uint64_t{1} << 62U;
    const auto refused = [](Format format, const std::vector<std::uint64_t>& shape, std::string_view word) {
        const auto result = bytes_of(format, shape);
        return !result.ok() && mentions(result.status().message(), {word});
    };
    CHECK(refused(Format::F32, {}, "0 dimensions"));
    CHECK(refused(Format::F32, {1, 1, 1, 1, 1}, "5 dimensions"));
    CHECK(refused(Format::F32, {0}, "empty dimension"));
    CHECK(refused(Format::F32, {4, 0}, "empty dimension in shape 4x0"));
    CHECK(refused(Format::Q4_K, {128, 2}, "rows of 128 elements are not whole blocks of 256, as Q4_K needs"));
    CHECK(refused(Format::F32, {huge, 4}, "too large"));  // the elements overflow
    CHECK(refused(Format::F32, {huge}, "too large"));     // only the bytes do
    CHECK(refused(Format::F32, {huge, huge, huge, huge}, "too large"));

    const auto unknown = bytes_of(static_cast<Format>(99), {32});
    REQUIRE(!unknown.ok());
    CHECK(unknown.status().code() == Errc::unsupported);
    CHECK(mentions(unknown.status().message(), {"99"}));
}

TEST_CASE("gguf_types: names are UTF-8 without NUL, and not endless") {
    using namespace std::string_view_literals;
    CHECK(check_name("blk.0.attn_q.weight").ok());
    CHECK(check_name("schl\xC3\xBCssel").ok());
    CHECK(check_name(std::string(65535, 'k')).ok());
    CHECK_FALSE(check_name("").ok());
    CHECK_FALSE(check_name("a\0b"sv).ok());
    CHECK_FALSE(check_name("\xC3").ok());
    CHECK_FALSE(check_name("\xED\xA0\x80").ok());
    CHECK_FALSE(check_name(std::string(65536, 'k')).ok());
}

TEST_CASE("gguf_types: alignments are powers of two from 8 to 65536") {
    for (const std::uint64_t good : {8U, 32U, 64U, 4096U, 65536U}) CHECK(is_alignment(good));
    for (const std::uint64_t bad : {0U, 1U, 4U, 24U, 33U, 131072U}) CHECK_FALSE(is_alignment(bad));
}
