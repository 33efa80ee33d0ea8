// SPDX-License-Identifier: Apache-2.0
#include "sluice/io/gguf.hpp"

#include <algorithm>
#include <cstdint>
#include <doctest/doctest.h>
#include <filesystem>
#include <string>
#include <vector>

#include "sluice/io/gguf_writer.hpp"
#include "unit/io/files.hpp"

using namespace sluice;
using namespace sluice::gguf;
using namespace sluice::test;
using quant::Format;

static_assert(!std::is_copy_constructible_v<File> && std::is_move_constructible_v<File>);

namespace {

//! Writes a file of these tensors, each filled with the first letter of its name.
void write_model(const std::filesystem::path& path, const Layout& layout) {
    auto writer = Writer::create(path, layout);
    REQUIRE_MESSAGE(writer.ok(), writer.status().message());
    for (const TensorSlot& slot : layout.tensors()) {
        const std::vector<std::byte> bytes(slot.bytes, static_cast<std::byte>(slot.name.front()));
        REQUIRE(writer->write(slot.name, bytes).ok());
    }
    REQUIRE(writer->finish().ok());
}

//! A small file that has each kind of record once.
std::vector<std::byte> small_file() {
    const TempFolder folder;
    Layout layout;
    layout.set("general.alignment", 16U)
        .set("n", std::uint8_t{7})
        .set("flag", true)
        .set("s", "text")
        .set("words", std::vector<std::string>{"a", "bc"})
        .set("numbers", std::vector<float>{1.0F, 2.0F});
    layout.add_tensor("t", Format::F32, {3}).add_tensor("u", Format::Q8_0, {32, 2});
    write_model(folder / "m", layout);
    return read_file(folder / "m");
}

//! Looks at everything a file holds, so that the sanitizers see every read; the sum keeps it from being left out.
std::size_t look_at_everything(const File& file) {
    std::size_t sum = 0;
    for (const auto& [key, value] : file.metadata()) {
        sum += value.as<std::uint32_t>().ok() + value.as<float>().ok() + value.as<bool>().ok();
        sum += value.as<std::string_view>().ok();
        if (const auto words = value.as<std::vector<std::string>>(); words.ok()) sum += words->size();
        if (const auto numbers = value.as<std::vector<double>>(); numbers.ok()) sum += numbers->size();
        sum += file.find(key) == &value;
    }
    for (const Tensor& tensor : file.tensors()) {
        for (const std::byte byte : tensor.bytes) sum += std::to_integer<std::size_t>(byte);
        sum += file.tensor(tensor.name) == &tensor;
    }
    return sum;
}

Layout split_layout(std::uint16_t index, std::uint16_t parts, std::int32_t tensors) {
    Layout layout;
    layout.set("split.no", index).set("split.count", parts).set("split.tensors.count", tensors);
    return layout;
}

//! A model of three parts: "a" and "b", then "c", then "d".
void write_split(const TempFolder& folder) {
    write_model(folder / "m-00001-of-00003.gguf", split_layout(0, 3, 4)
                                                      .set("general.name", "in three")
                                                      .add_tensor("a", Format::F32, {8})
                                                      .add_tensor("b", Format::F32, {4, 2}));
    write_model(folder / "m-00002-of-00003.gguf", split_layout(1, 3, 4).add_tensor("c", Format::Q8_0, {32}));
    write_model(folder / "m-00003-of-00003.gguf", split_layout(2, 3, 4).add_tensor("d", Format::I8, {5}));
}

bool open_fails(const std::filesystem::path& path, Errc code, std::initializer_list<std::string_view> words) {
    const auto file = File::open(path);
    return !file.ok() && file.status().code() == code && mentions(file.status().message(), words);
}

}  // namespace

TEST_CASE("gguf: values by key and type, and errors that name file, key and types") {
    const auto bytes = small_file();
    const auto file = File::from_bytes(bytes, "small.gguf");
    REQUIRE_MESSAGE(file.ok(), file.status().message());
    CHECK(file->name() == "small.gguf");
    CHECK(file->file_bytes() == bytes.size());
    CHECK(file->metadata().size() == 6);
    CHECK(*file->get<std::uint32_t>("n") == 7);
    CHECK(*file->get_or<std::uint32_t>("n", 3) == 7);
    CHECK(*file->get_or<std::uint32_t>("absent", 3) == 3);
    CHECK(file->find("absent") == nullptr);
    CHECK(file->tensor("absent") == nullptr);
    CHECK(file->tensor("u")->bytes.front() == std::byte{'u'});

    const auto absent = file->get<float>("absent");
    REQUIRE(!absent.ok());
    CHECK(absent.status().code() == Errc::not_found);
    CHECK(mentions(absent.status().message(), {"small.gguf", "key 'absent'", "is missing"}));
    const auto wrong = file->get<float>("words");
    REQUIRE(!wrong.ok());
    CHECK(mentions(wrong.status().message(), {"small.gguf", "key 'words'", "array of string", "f32 is wanted"}));
    CHECK_FALSE(file->get_or<float>("words", 1.0F).ok());
}

TEST_CASE("gguf: views stay valid when the file object moves") {
    const TempFolder folder;
    write_split(folder);
    auto opened = File::open(folder / "m-00001-of-00003.gguf");
    REQUIRE(opened.ok());
    const auto* data = opened->tensor("c")->bytes.data();
    const File file = std::move(*opened);
    CHECK(file.tensor("c")->bytes.data() == data);
    CHECK(*data == std::byte{'c'});
    CHECK(look_at_everything(file) > 0);
}

TEST_CASE("gguf: the parts of a split file are one model") {
    const TempFolder folder;
    write_split(folder);
    const auto file = File::open(folder / "m-00001-of-00003.gguf");
    REQUIRE_MESSAGE(file.ok(), file.status().message());
    REQUIRE(file->tensors().size() == 4);
    for (const std::string_view name : {"a", "b", "c", "d"}) {
        REQUIRE(file->tensor(name) != nullptr);
        CHECK(file->tensor(name)->bytes.back() == static_cast<std::byte>(name.front()));
    }
    CHECK(*file->get<std::string_view>("general.name") == "in three");
    std::uint64_t bytes = 0;
    for (const auto* part : {"m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf"}) {
        bytes += std::filesystem::file_size(folder / part);
    }
    CHECK(file->file_bytes() == bytes);
}

TEST_CASE("gguf: says which part of a split file is missing, misplaced or of another model") {
    const TempFolder folder;
    write_split(folder);
    const auto first = folder / "m-00001-of-00003.gguf";
    const auto second = folder / "m-00002-of-00003.gguf";
    const auto third = folder / "m-00003-of-00003.gguf";

    CHECK(open_fails(second, Errc::invalid_argument, {"m-00002", "is part 2 of 3", "open its first part"}));

    const auto in_memory = File::from_bytes(read_file(first), "bytes");
    REQUIRE(!in_memory.ok());
    CHECK(mentions(in_memory.status().message(), {"bytes", "part 1 of 3", "by its path"}));

    std::filesystem::copy_file(first, folder / "renamed.gguf");
    CHECK(open_fails(folder / "renamed.gguf", Errc::invalid_argument, {"renamed.gguf", "-00001-of-00003.gguf"}));

    std::filesystem::rename(third, folder / "away");
    CHECK(open_fails(first, Errc::not_found, {"m-00003-of-00003.gguf", "part 3 of 3 is missing"}));
    std::filesystem::copy_file(second, third);
    CHECK(open_fails(first, Errc::corrupt, {"m-00003", "is part 2 of 3, but its name says part 3 of 3"}));

    write_model(third, split_layout(2, 3, 4).add_tensor("a", Format::I8, {5}));
    CHECK(open_fails(first, Errc::corrupt, {"tensor 'a'", "twice"}));
    write_model(third, split_layout(2, 3, 4).add_tensor("d", Format::I8, {5}).add_tensor("e", Format::I8, {5}));
    CHECK(open_fails(first, Errc::corrupt, {"split.tensors.count is 4", "5 tensors"}));
    write_model(third, Layout().add_tensor("d", Format::I8, {5}));
    CHECK(open_fails(first, Errc::corrupt, {"m-00003", "is part 1 of 1"}));
    write_file(third, Bytes{}.raw("GGUF").data);
    CHECK(open_fails(first, Errc::corrupt, {"m-00003", "download"}));
}

TEST_CASE("gguf: a split count of 0 or 1 is a file in one piece") {
    const TempFolder folder;
    for (const std::uint16_t parts : {std::uint16_t{0}, std::uint16_t{1}}) {
        write_model(folder / "m.gguf", split_layout(0, parts, 1).add_tensor("a", Format::I8, {1}));
        CHECK(File::open(folder / "m.gguf").ok());
    }
    write_model(folder / "m.gguf", Layout().set("split.count", std::uint16_t{2}));
    CHECK(open_fails(folder / "m.gguf", Errc::not_found, {"'split.no'"}));
}

TEST_CASE("gguf: refuses two tensors of one name") {
    Bytes file = Bytes{}.raw("GGUF").u32(3).u64(2).u64(0);
    for (const std::uint64_t offset : {0U, 32U}) file.text("w").u32(1).u64(4).u32(0).u64(offset);
    file.pad(32).zeros(64);
    const auto opened = File::from_bytes(file.data, "m");
    REQUIRE(!opened.ok());
    CHECK(mentions(opened.status().message(), {"m: tensor 'w'", "twice"}));
}

TEST_CASE("gguf: refuses a file cut short at any byte") {
    const auto whole = small_file();
    const auto last = File::from_bytes(whole, "m")->tensors().back();
    const auto end = static_cast<std::size_t>(last.bytes.data() + last.bytes.size() - whole.data());
    for (std::size_t size = 0; size <= whole.size(); ++size) {
        const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        const auto file = File::from_bytes(cut, "cut.gguf");
        CAPTURE(size);
        REQUIRE(file.ok() == (size >= end));  // the padding at the very end is nobody's data
        if (file.ok()) continue;
        CHECK(file.status().code() == Errc::corrupt);
        CHECK(mentions(file.status().message(), {"cut.gguf", "cut short or damaged"}));
    }
}

TEST_CASE("gguf: any byte changed to any value gives an error or a file that can be read") {
    const auto original = small_file();
    std::size_t refused = 0;
    std::size_t sum = 0;
    for (std::size_t at = 0; at < original.size(); ++at) {
        for (unsigned change = 1; change < 256; ++change) {
            auto bytes = original;
            bytes[at] ^= static_cast<std::byte>(change);
            const auto file = File::from_bytes(bytes, "changed");
            if (file.ok()) {
                sum += look_at_everything(*file);
            } else {
                ++refused;
                REQUIRE_FALSE(file.status().mend().empty());
            }
        }
    }
    CHECK(refused > 10000);
    CHECK(sum > 0);
}

TEST_CASE("gguf: opens the story model") {
    const auto file = File::open(SLUICE_SOURCE_DIR "/samples/models/story-Q4_K_M.gguf");
    REQUIRE_MESSAGE(file.ok(), file.status().message());
    CHECK(*file->get<std::string_view>("general.architecture") == "qwen3moe");
    CHECK(*file->get<std::uint32_t>("qwen3moe.block_count") == 4);
    CHECK(*file->get<float>("qwen3moe.rope.freq_base") == 1e6F);
    CHECK(file->get<std::vector<std::string_view>>("tokenizer.ggml.tokens")->size() == 2048);
    CHECK(file->get<std::vector<std::int32_t>>("tokenizer.ggml.token_type")->size() == 2048);
    CHECK(file->tensors().size() == 3 + 4 * 12);
    std::uint64_t elements = 0;
    for (const Tensor& tensor : file->tensors()) elements += tensor.elements();
    CHECK(elements == 14437120);
    for (const std::string layer : {"blk.0.", "blk.1.", "blk.2.", "blk.3."}) {
        const Tensor* gate = file->tensor(layer + "ffn_gate_exps.weight");
        REQUIRE(gate != nullptr);
        CHECK(gate->format == Format::Q4_K);
        CHECK(std::ranges::equal(gate->extents(), std::vector<std::uint64_t>{256, 256, 16}));
        CHECK(gate->bytes.size() == 256 * 16 * 144);
        CHECK(file->tensor(layer + "ffn_gate_inp.weight")->format == Format::F32);
    }
}
