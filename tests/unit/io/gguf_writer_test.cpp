// SPDX-License-Identifier: Apache-2.0
#include "sluice/io/gguf_writer.hpp"

#include <csignal>
#include <cstdint>
#include <doctest/doctest.h>
#include <filesystem>
#include <string>
#include <sys/resource.h>
#include <vector>

#include "sluice/io/gguf.hpp"
#include "unit/io/files.hpp"

using namespace sluice;
using namespace sluice::gguf;
using namespace sluice::test;
using quant::Format;

namespace {

//! Bytes that tell their place.
std::vector<std::byte> pattern(std::size_t count, unsigned start) {
    std::vector<std::byte> bytes(count);
    for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(start + i * 7);
    return bytes;
}

Layout two_tensors() {
    Layout layout;
    layout.add_tensor("a", Format::F32, {3}).add_tensor("b", Format::Q8_0, {32, 2});
    return layout;
}

}  // namespace

TEST_CASE("gguf_writer: every type, both versions and other alignments come back as they were written") {
    const TempFolder folder;
    for (const std::uint32_t version : {2U, 3U}) {
        for (const std::uint32_t alignment : {8U, 32U, 4096U}) {
            Layout layout(version);
            layout.set("general.alignment", alignment)
                .set("u8", std::uint8_t{255})
                .set("i8", std::int8_t{-128})
                .set("u16", std::uint16_t{65535})
                .set("i16", std::int16_t{-32768})
                .set("u32", std::uint32_t{4294967295})
                .set("i32", std::int32_t{-2147483647})
                .set("u64", ~std::uint64_t{0})
                .set("i64", std::int64_t{-1})
                .set("f32", 0.1F)
                .set("f64", 0.1)
                .set("bool", true)
                .set("text", "caf\xC3\xA9")
                .set("empty text", std::string())
                .set("words", std::vector<std::string>{"a", "", "ccc"})
                .set("flags", std::vector<bool>{true, false})
                .set("numbers", std::vector<float>{1.5F, -2.0F})
                .set("nothing", std::vector<std::int32_t>{});
            layout.add_tensor("a", Format::F32, {3})
                .add_tensor("b", Format::Q8_0, {32, 2})
                .add_tensor("c", Format::I8, {1});
            REQUIRE_MESSAGE(layout.status().ok(), layout.status().message());

            const auto path = folder / "model.gguf";
            auto writer = Writer::create(path, layout);
            REQUIRE(writer.ok());
            CHECK_FALSE(std::filesystem::exists(path));
            CHECK(writer->write("a", pattern(12, 1)).ok());
            const auto b = pattern(68, 2);
            CHECK(writer->write("b", std::span(b).first(5)).ok());
            CHECK(writer->write("b", std::span(b).subspan(5)).ok());
            CHECK(writer->write("c", pattern(1, 3)).ok());
            REQUIRE(writer->finish().ok());
            CHECK_FALSE(std::filesystem::exists(folder / "model.gguf.part"));

            const auto file = File::open(path);
            REQUIRE_MESSAGE(file.ok(), file.status().message());
            CHECK(file->version() == version);
            CHECK(*file->get<std::uint8_t>("u8") == 255);
            CHECK(*file->get<std::int8_t>("i8") == -128);
            CHECK(*file->get<std::uint16_t>("u16") == 65535);
            CHECK(*file->get<std::int16_t>("i16") == -32768);
            CHECK(*file->get<std::uint32_t>("u32") == 4294967295);
            CHECK(*file->get<std::int32_t>("i32") == -2147483647);
            CHECK(*file->get<std::uint64_t>("u64") == ~std::uint64_t{0});
            CHECK(*file->get<std::int64_t>("i64") == -1);
            CHECK(*file->get<float>("f32") == 0.1F);
            CHECK(*file->get<double>("f64") == 0.1);
            CHECK(*file->get<bool>("bool"));
            CHECK(*file->get<std::string_view>("text") == "caf\xC3\xA9");
            CHECK(file->get<std::string_view>("empty text")->empty());
            CHECK(*file->get<std::vector<std::string>>("words") == std::vector<std::string>{"a", "", "ccc"});
            CHECK(*file->get<std::vector<bool>>("flags") == std::vector<bool>{true, false});
            CHECK(*file->get<std::vector<float>>("numbers") == std::vector<float>{1.5F, -2.0F});
            CHECK(file->get<std::vector<std::int32_t>>("nothing")->empty());
            CHECK(std::ranges::equal(file->tensor("a")->bytes, pattern(12, 1)));
            CHECK(std::ranges::equal(file->tensor("b")->bytes, b));
            CHECK(std::ranges::equal(file->tensor("c")->bytes, pattern(1, 3)));
            for (const Tensor& tensor : file->tensors()) {
                CHECK(reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % alignment == 0);
            }
            std::filesystem::remove(path);
        }
    }
}

TEST_CASE("gguf_writer: a file copied value by value is the same file") {
    const TempFolder folder;
    Layout layout(2);
    layout.set("general.alignment", std::uint32_t{64}).set("words", std::vector<std::string>{"x", "yz"}).set("n", 1U);
    layout.add_tensor("a", Format::F32, {3}).add_tensor("b", Format::Q8_0, {32, 2});
    auto writer = Writer::create(folder / "one", layout);
    REQUIRE(writer.ok());
    REQUIRE(writer->write("a", pattern(12, 9)).ok());
    REQUIRE(writer->write("b", pattern(68, 8)).ok());
    REQUIRE(writer->finish().ok());

    const auto original = File::open(folder / "one");
    REQUIRE(original.ok());
    Layout again(original->version());
    for (const auto& [key, value] : original->metadata()) again.set(key, value);
    for (const Tensor& tensor : original->tensors()) again.add_tensor(tensor.name, tensor.format, tensor.extents());
    auto copier = Writer::create(folder / "two", again);
    REQUIRE(copier.ok());
    for (const Tensor& tensor : original->tensors()) REQUIRE(copier->write(tensor.name, tensor.bytes).ok());
    REQUIRE(copier->finish().ok());
    CHECK(read_file(folder / "one") == read_file(folder / "two"));
}

TEST_CASE("gguf_writer: the first mistake in a layout is the one reported") {
    const auto mistake = [](Layout& layout, std::initializer_list<std::string_view> words) {
        const auto head = layout.head();
        return !head.ok() && head.status().code() == Errc::invalid_argument && mentions(head.status().message(), words);
    };
    Layout none;
    CHECK(none.head().ok());
    CHECK(mistake(Layout().set("k", 1U).set("k", 2U).set("", 3U), {"key 'k'", "twice"}));
    CHECK(mistake(Layout().set("", 3U), {"empty name"}));
    CHECK(mistake(Layout().set("\xFF", 3U), {"UTF-8"}));
    CHECK(mistake(Layout().set("general.alignment", 33U), {"'general.alignment'", "power of two"}));
    CHECK(mistake(Layout().set("general.alignment", "32"), {"'general.alignment'"}));
    CHECK(mistake(Layout().add_tensor("t", Format::F32, {1}).set("general.alignment", 64U), {"after a tensor"}));
    CHECK(mistake(Layout().add_tensor("t", Format::Q8_0, {33}), {"tensor 't'", "blocks of 32"}));
    CHECK(mistake(Layout().add_tensor("t", Format::F32, {0}), {"tensor 't'", "empty dimension"}));
    CHECK(
        mistake(Layout().add_tensor("t", Format::F32, {1}).add_tensor("t", Format::F32, {1}), {"tensor 't'", "twice"}));
    constexpr std::uint64_t half = std::uint64_t{1} << 63U;
    CHECK(mistake(Layout().add_tensor("a", Format::I8, {half}).add_tensor("b", Format::I8, {half}), {"2^64"}));
    Layout version(1);
    CHECK(mistake(version, {"version 1"}));
}

TEST_CASE("gguf_writer: tensors come once, in order and whole") {
    const TempFolder folder;
    auto writer = Writer::create(folder / "m", two_tensors());
    REQUIRE(writer.ok());
    CHECK(mentions(writer->write("b", pattern(68, 0)).message(), {"tensor 'b'", "before its turn", "'a' first"}));
    CHECK(mentions(writer->write("a", pattern(13, 0)).message(), {"tensor 'a'", "13 bytes", "12"}));
    CHECK(writer->write("a", pattern(8, 0)).ok());
    CHECK(mentions(writer->finish().message(), {"tensor 'a'", "lacks 4"}));
    CHECK(writer->write("a", pattern(4, 0)).ok());
    CHECK(writer->write("b", pattern(68, 0)).ok());
    CHECK(mentions(writer->write("b", pattern(68, 0)).message(), {"tensor 'b'", "after the last"}));
    CHECK(writer->finish().ok());
    CHECK(mentions(writer->finish().message(), {"finished already"}));
}

TEST_CASE("gguf_writer: a file that is not finished leaves nothing, and an old one untouched") {
    const TempFolder folder;
    write_file(folder / "m", Bytes{}.raw("old").data);
    {
        auto writer = Writer::create(folder / "m", two_tensors());
        REQUIRE(writer.ok());
        REQUIRE(writer->write("a", pattern(12, 0)).ok());
        CHECK(std::filesystem::exists(folder / "m.part"));
    }
    CHECK_FALSE(std::filesystem::exists(folder / "m.part"));
    CHECK(read_file(folder / "m") == Bytes{}.raw("old").data);
}

TEST_CASE("gguf_writer: reports a folder that is not there and a disk that is full") {
    const TempFolder folder;
    const auto absent = Writer::create(folder / "no/m", two_tensors());
    REQUIRE(!absent.ok());
    CHECK(absent.status().code() == Errc::io);
    CHECK(mentions(absent.status().message(), {"no/m.part", "cannot be created", "No such file"}));

    Layout layout;
    layout.add_tensor("big", Format::I8, {1 << 20});
    auto writer = Writer::create(folder / "m", layout);
    REQUIRE(writer.ok());
    // A limit on file sizes fails writes as a full disk does.
    struct rlimit before {};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    const struct rlimit small { 4096, before.rlim_max };
    const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    const Status written = writer->write("big", pattern(1 << 20, 0));
    const Status finished = writer->finish();
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    std::signal(SIGXFSZ, old_handler);
    REQUIRE(!written.ok());
    CHECK(written.code() == Errc::io);
    CHECK(mentions(written.message(), {"m.part", "cannot be written", "space"}));
    CHECK_FALSE(finished.ok());
    CHECK_FALSE(std::filesystem::exists(folder / "m"));
}
