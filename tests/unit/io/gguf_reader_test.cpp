// SPDX-License-Identifier: Apache-2.0
#include "sluice/io/gguf_reader.hpp"

#include <algorithm>
#include <cstdint>
#include <doctest/doctest.h>
#include <filesystem>
#include <string>
#include <tuple>

#include "sluice/io/mapped_file.hpp"
#include "support/numbers.hpp"
#include "unit/io/files.hpp"

using namespace sluice;
using namespace sluice::gguf;
using sluice::test::Bytes;
using sluice::test::max_u64;
using sluice::test::mentions;

namespace {

Bytes head(std::uint64_t n_tensors, std::uint64_t n_keys, std::uint32_t version = 3) {
    return Bytes{}.raw("GGUF").u32(version).u64(n_tensors).u64(n_keys);
}

Bytes& add_key(Bytes& file, std::string_view name, ValueType type) {
    return file.text(name).u32(static_cast<std::uint32_t>(type));
}

Bytes& add_tensor(Bytes& file, std::string_view name, std::initializer_list<std::uint64_t> shape, std::uint32_t format,
                  std::uint64_t offset) {
    file.text(name).u32(static_cast<std::uint32_t>(shape.size()));
    for (const std::uint64_t extent : shape) file.u64(extent);
    return file.u32(format).u64(offset);
}

//! A file of one tensor and its data: enough for the largest tensor that any test here gives.
Bytes one_tensor(std::string_view name, std::initializer_list<std::uint64_t> shape, std::uint32_t format,
                 std::uint64_t offset) {
    Bytes file = head(1, 0);
    return add_tensor(file, name, shape, format, offset).pad(32).zeros(256);
}

//! Whether the file is refused with a message that holds all the words.
bool refused(const Bytes& file, std::initializer_list<std::string_view> words) {
    // The bytes get a block of their own, so that the address sanitizer sees a read past their end.
    const auto bytes = std::vector<std::byte>(file.data.begin(), file.data.end());
    const auto part = read_part(bytes);
    if (part.ok()) {
        MESSAGE("the file was accepted");
        return false;
    }
    return mentions(part.status().message(), words);
}

}  // namespace

TEST_CASE("gguf_reader: a count of keys or tensors takes no memory before they are there") {
    // The rest of the file is a hole, which has room for billions of records.
    const sluice::test::TempFolder folder;
    for (const Bytes& file : {head(0, std::uint64_t{1} << 32U), head(std::uint64_t{1} << 31U, 0)}) {
        sluice::test::write_file(folder / "hole.gguf", file.data);
        std::filesystem::resize_file(folder / "hole.gguf", std::uint64_t{1} << 37U);
        const auto mapped = MappedFile::open(folder / "hole.gguf");
        REQUIRE_MESSAGE(mapped.ok(), mapped.status().message());
        CHECK(read_part(mapped->bytes()).status().code() == Errc::corrupt);
    }
}

TEST_CASE("gguf_reader: a file of every value type and two tensors, version 2 and 3") {
    for (const std::uint32_t version : {2U, 3U}) {
        Bytes file = head(2, 4, version);
        add_key(file, "name", ValueType::string).text("Ada");
        add_key(file, "flags", ValueType::array).u32(static_cast<std::uint32_t>(ValueType::boolean)).u64(3);
        file.number(std::uint8_t{1}).number(std::uint8_t{0}).number(std::uint8_t{1});
        add_key(file, "words", ValueType::array).u32(static_cast<std::uint32_t>(ValueType::string)).u64(2);
        file.text("one").text("two");
        add_key(file, "general.alignment", ValueType::u32).u32(64);
        add_tensor(file, "second", {2, 3}, 0, 64);
        add_tensor(file, "first", {32}, 8, 0);
        file.pad(64);
        const std::size_t data = file.data.size();
        file.zeros(64 + 24);

        const auto part = read_part(file.data);
        REQUIRE_MESSAGE(part.ok(), part.status().message());
        CHECK(part->version == version);
        REQUIRE(part->metadata.items().size() == 4);
        CHECK(part->metadata.items()[0].key == "name");
        CHECK(*part->metadata.find("name")->value.as<std::string_view>() == "Ada");
        CHECK(*part->metadata.find("flags")->value.as<std::vector<bool>>() == std::vector<bool>{true, false, true});
        CHECK(part->metadata.find("words")->value.as<std::vector<std::string>>()->at(1) == "two");
        REQUIRE(part->tensors.size() == 2);
        const auto& [second, first] = std::tie(part->tensors[0], part->tensors[1]);
        CHECK(second.name == "second");
        CHECK(second.format == quant::Format::F32);
        CHECK(std::ranges::equal(second.extents(), std::vector<std::uint64_t>{2, 3}));
        CHECK(second.elements() == 6);
        CHECK(second.bytes.data() == file.data.data() + data + 64);
        CHECK(second.bytes.size() == 24);
        CHECK(first.format == quant::Format::Q8_0);
        CHECK(first.bytes.data() == file.data.data() + data);
        CHECK(first.bytes.size() == 34);
    }
}

TEST_CASE("gguf_reader: refuses what is not a GGUF file it knows") {
    CHECK(refused(Bytes{}, {"magic", "4 bytes", "0 are left", "download"}));
    CHECK(refused(Bytes{}.raw("version https://git-lfs.github.com/spec/v1"), {"not a GGUF file", "git lfs pull"}));
    CHECK(refused(Bytes{}.raw("GGUF"), {"version"}));
    CHECK(refused(head(0, 0, 1), {"version 1", "2 and 3"}));
    CHECK(refused(head(0, 0, 4), {"version 4"}));
    CHECK(refused(head(0, 0, 0), {"version 0"}));
    CHECK(refused(head(0, 0, 0x03000000), {"big-endian"}));
}

TEST_CASE("gguf_reader: refuses counts and lengths past the end, before it makes room for them") {
    CHECK(refused(head(max_u64, 0), {"number of tensors", "18446744073709551615"}));
    CHECK(refused(head(0, max_u64), {"number of keys"}));
    CHECK(refused(head(1, 0), {"number of tensors is 1", "8 bytes are left"}));
    CHECK(refused(head(0, 1).u64(max_u64).zeros(64), {"byte 32", "a key takes 18446744073709551615 bytes"}));
    Bytes string = head(0, 1);
    CHECK(refused(add_key(string, "k", ValueType::string).u64(max_u64 - 40), {"key 'k'", "a string"}));
    Bytes array = head(0, 1);
    add_key(array, "k", ValueType::array)
        .u32(static_cast<std::uint32_t>(ValueType::u64))
        .u64(max_u64 / 8 + 2)
        .zeros(32);
    CHECK(refused(array, {"key 'k'", "too long"}));  // the product wraps to 8
    Bytes strings = head(0, 1);
    add_key(strings, "k", ValueType::array).u32(static_cast<std::uint32_t>(ValueType::string)).u64(max_u64).text("a");
    CHECK(refused(strings, {"key 'k'", "a string"}));
    CHECK(refused(head(1, 0).u64(max_u64).zeros(64), {"a tensor's name"}));
}

TEST_CASE("gguf_reader: refuses bad keys and values") {
    using namespace std::string_view_literals;
    const auto key = [](std::string_view name) {
        Bytes file = head(0, 1);
        return add_key(file, name, ValueType::u32).u32(1).zeros(16);
    };
    REQUIRE(read_part(key("k").data).ok());
    CHECK(refused(key(""), {"byte 24", "empty name"}));
    CHECK(refused(key("a\0b"sv), {"'a\\x00b'", "NUL"}));
    CHECK(refused(key("a\xFF"), {"'a\\xff'", "UTF-8"}));
    CHECK(refused(key(std::string(65536, 'k')), {"longer than 65535"}));

    Bytes twice = head(0, 2);
    add_key(twice, "k", ValueType::u32).u32(1);
    CHECK(refused(add_key(twice, "k", ValueType::u32).u32(1), {"key 'k'", "twice"}));

    Bytes type = head(0, 1);
    CHECK(refused(add_key(type, "k", static_cast<ValueType>(13)).zeros(16), {"key 'k'", "value type 13"}));
    Bytes element = head(0, 1);
    CHECK(
        refused(add_key(element, "k", ValueType::array).u32(max_u64 & 0xFFFFFFFFU).u64(0), {"value type 4294967295"}));
    Bytes nested = head(0, 1);
    add_key(nested, "k", ValueType::array).u32(static_cast<std::uint32_t>(ValueType::array)).u64(1).zeros(64);
    CHECK(refused(nested, {"key 'k'", "array of arrays"}));
    Bytes boolean = head(0, 1);
    CHECK(refused(add_key(boolean, "k", ValueType::boolean).number(std::uint8_t{2}), {"key 'k'", "neither 0 nor 1"}));
}

TEST_CASE("gguf_reader: refuses bad alignments") {
    for (const std::uint32_t alignment : {0U, 1U, 4U, 24U, 131072U, 0xFFFFFFFFU, 0x80000000U}) {
        Bytes file = head(0, 1);
        add_key(file, "general.alignment", ValueType::u32).u32(alignment);
        CHECK(refused(file, {"'general.alignment'", std::to_string(alignment), "power of two"}));
    }
    Bytes text = head(0, 1);
    CHECK(refused(add_key(text, "general.alignment", ValueType::string).text("32"), {"has type string"}));
}

TEST_CASE("gguf_reader: refuses bad tensor records, by the tensor's name") {
    REQUIRE(read_part(one_tensor("w", {32}, 0, 0).data).ok());
    CHECK(refused(one_tensor("w", {}, 0, 0), {"tensor 'w'", "0 dimensions"}));
    CHECK(refused(one_tensor("w", {32, 1, 1, 1, 1}, 0, 0), {"tensor 'w'", "5 dimensions"}));
    CHECK(refused(head(1, 0).text("w").u32(0xFFFFFFFF).zeros(64), {"tensor 'w'", "4294967295 dimensions"}));
    CHECK(refused(one_tensor("w", {0}, 0, 0), {"tensor 'w'", "empty dimension"}));
    CHECK(refused(one_tensor("w", {32, 0}, 0, 0), {"tensor 'w'", "empty dimension"}));
    CHECK(refused(one_tensor("w", {31}, 8, 0), {"tensor 'w'", "31", "blocks of 32", "Q8_0"}));
    CHECK(refused(one_tensor("w", {max_u64, max_u64}, 24, 0), {"tensor 'w'", "too large"}));
    CHECK(refused(one_tensor("w", {32}, 99, 0), {"tensor 'w'", "format id 99"}));
    CHECK(refused(one_tensor("w", {32}, 4, 0), {"tensor 'w'", "format id 4"}));  // withdrawn from the specification
    CHECK(refused(one_tensor("", {32}, 0, 0), {"empty name"}));
}

TEST_CASE("gguf_reader: refuses tensor data outside the file, unaligned or shared") {
    CHECK(refused(one_tensor("w", {32}, 0, 16), {"tensor 'w'", "offset 16", "alignment 32"}));
    CHECK(refused(one_tensor("w", {65}, 0, 0), {"tensor 'w'", "260 bytes", "end at byte 320"}));
    CHECK(refused(one_tensor("w", {1}, 0, 256), {"tensor 'w'", "offset 256"}));
    CHECK(refused(one_tensor("w", {1}, 0, max_u64 - 31), {"tensor 'w'", "download"}));  // the sum wraps
    CHECK(refused(one_tensor("w", {max_u64 - 31}, 24, 32), {"tensor 'w'"}));

    Bytes shared = head(2, 0);
    add_tensor(shared, "late", {16}, 0, 32);
    add_tensor(shared, "early", {9}, 0, 0);
    CHECK(refused(shared.pad(32).zeros(256), {"tensor 'early'", "shares bytes with tensor 'late'"}));
    Bytes touching = head(2, 0);
    add_tensor(touching, "late", {16}, 0, 32);
    add_tensor(touching, "early", {8}, 0, 0);
    CHECK(read_part(touching.pad(32).zeros(96).data).ok());
}

TEST_CASE("gguf_reader: a file without tensors may end where its keys end") {
    Bytes file = head(0, 1);
    add_key(file, "k", ValueType::u8).number(std::uint8_t{1});
    CHECK(read_part(file.data).ok());
}
