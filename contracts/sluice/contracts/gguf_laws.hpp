// SPDX-License-Identifier: Apache-2.0
//! The laws of readers of GGUF files: what was written comes back, and whatever was damaged is refused.
//!
//!     TEST_CASE("my reader keeps the laws") { sluice::contracts::gguf_laws("my_reader", my_reader); }
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/contracts/check.hpp"
#include "sluice/contracts/text_draws.hpp"
#include "sluice/core/format.hpp"

namespace sluice::contracts {

//! A key or a tensor, in the file's own numbers.
struct GgufItem {
    std::string name;
    std::uint32_t type = 0;            //!< of the value, or the format
    std::vector<std::uint64_t> shape;  //!< of a tensor
    std::string bytes;                 //!< of an array with its element type and count

    bool operator==(const GgufItem&) const = default;
};
struct GgufContent {
    std::vector<GgufItem> keys, tensors;

    bool operator==(const GgufContent&) const = default;
};

//! Nothing where the file is refused. The bytes begin at a multiple of 8.
using ReadGguf = std::function<std::optional<GgufContent>(std::span<const std::byte>)>;

inline std::string show(const GgufItem& item) {
    return item.name + ": type " + to_text(item.type) + ", shape " + show(item.shape) + ", " +
           to_text(item.bytes.size()) + " bytes";
}
inline std::string show(const GgufContent& content) { return show(content.keys) + " " + show(content.tensors); }

namespace detail {

inline constexpr std::size_t gguf_alignment = 32;
inline constexpr std::uint32_t gguf_string = 8, gguf_array = 9;

inline std::size_t aligned(std::size_t bytes) { return (bytes + gguf_alignment - 1) / gguf_alignment * gguf_alignment; }

//! The bytes of a tensor, by the formats that files have; nothing for an unknown format.
inline std::optional<std::uint64_t> gguf_tensor_bytes(std::uint32_t format, const std::vector<std::uint64_t>& shape) {
    const auto info = quant::format_info(static_cast<quant::Format>(format));
    if (!info) return std::nullopt;
    const auto elements = std::accumulate(shape.begin(), shape.end(), std::uint64_t{1}, std::multiplies<>());
    return elements / info->block_size * info->block_bytes;
}

//! A random file, written plainly, and where in it the numbers are that a reader must not believe.
class RandomGguf {
public:
    explicit RandomGguf(Case& c) {
        for (auto left = c.integer<std::size_t>(0, 4); left > 0; --left) content_.keys.push_back(key(c));
        for (auto left = c.integer<std::size_t>(2, 4); left > 0; --left) content_.tensors.push_back(tensor(c));
        c.given("keys", content_.keys.size());
        c.given("tensors", content_.tensors.size());
        write(content_);
    }

    const GgufContent& content() const { return content_; }
    std::span<const std::byte> file() const { return file_; }
    std::size_t head_bytes() const { return head_bytes_; }

    //! Where 64-bit lengths, counts, extents and offsets are.
    const std::vector<std::size_t>& numbers() const { return numbers_; }
    std::uint64_t number(std::size_t at) const {
        std::uint64_t value = 0;
        std::memcpy(&value, &file_[at], sizeof value);
        return value;
    }
    void set_number(std::size_t at, std::uint64_t value) { std::memcpy(&file_[at], &value, sizeof value); }
    void flip(std::size_t at, std::byte bits) { file_[at] ^= bits; }

    //! Gives the second key or tensor the first one's name, or the second tensor the first one's bytes.
    void repeat_name(bool of_keys) {
        std::vector<GgufItem>& items = of_keys ? content_.keys : content_.tensors;
        items[1].name = items[0].name;
        write(content_);
    }
    void share_bytes() { set_number(offsets_[1], number(offsets_[0])); }

private:
    std::string name(Case& c) {
        return std::string(c.pick<std::string_view>({"a", "b.c", "\u00E9"})) + to_text(++names_);
    }

    static std::string raw(Case& c, std::size_t size) {
        std::string bytes(size, '\0');
        for (char& byte : bytes) byte = static_cast<char>(c.integer(0, 255));
        return bytes;
    }
    static std::string string_bytes(Case& c) {
        const std::string drawn = text(c, 2);
        std::string bytes(sizeof(std::uint64_t), '\0');
        bytes[0] = static_cast<char>(drawn.size());
        return bytes + drawn;
    }

    //! A number, a string, or an array of numbers or strings.
    GgufItem key(Case& c) {
        switch (c.integer(0, 2)) {
            case 0:
                return {name(c), 10, {}, raw(c, 8)};  // u64
            case 1:
                return {name(c), gguf_string, {}, string_bytes(c)};
            default: {
                const bool of_strings = c.chance(0.5);
                const auto count = c.integer<std::uint8_t>(0, 3);
                std::string bytes(12, '\0');
                bytes[0] = static_cast<char>(of_strings ? gguf_string : 4);  // or u32
                bytes[4] = static_cast<char>(count);
                for (int i = 0; i < count; ++i) bytes += of_strings ? string_bytes(c) : raw(c, 4);
                return {name(c), gguf_array, {}, bytes};
            }
        }
    }
    GgufItem tensor(Case& c) {
        GgufItem item{name(c), c.pick({0U, 1U, 8U}), {32 * c.integer<std::uint64_t>(1, 2)}, ""};  // F32, F16, Q8_0
        for (auto left = c.integer(0, 3); left > 0; --left) item.shape.push_back(c.integer<std::uint64_t>(1, 3));
        item.bytes = raw(c, *gguf_tensor_bytes(item.type, item.shape));
        return item;
    }

    template <class T>
    void put(T number) {
        if (sizeof number == sizeof(std::uint64_t)) numbers_.push_back(file_.size());
        file_.resize(file_.size() + sizeof number);
        std::memcpy(&file_[file_.size() - sizeof number], &number, sizeof number);
    }
    void put_bytes(std::string_view bytes) {
        const auto first = reinterpret_cast<const std::byte*>(bytes.data());
        file_.insert(file_.end(), first, first + bytes.size());
    }
    void put_name(std::string_view name) {
        put(std::uint64_t{name.size()});
        put_bytes(name);
    }

    void write(const GgufContent& content) {
        file_.clear();
        numbers_.clear();
        offsets_.clear();
        put_bytes("GGUF");
        put(std::uint32_t{3});
        put(std::uint64_t{content.tensors.size()});
        put(std::uint64_t{content.keys.size()});
        for (const GgufItem& key : content.keys) {
            put_name(key.name);
            put(key.type);
            if (key.type == gguf_string) numbers_.push_back(file_.size());
            if (key.type == gguf_array) numbers_.push_back(file_.size() + 4);
            put_bytes(key.bytes);
        }
        std::uint64_t offset = 0;
        for (const GgufItem& tensor : content.tensors) {
            put_name(tensor.name);
            put(static_cast<std::uint32_t>(tensor.shape.size()));
            for (const std::uint64_t extent : tensor.shape) put(extent);
            put(tensor.type);
            offsets_.push_back(file_.size());
            put(offset);
            offset += aligned(tensor.bytes.size());
        }
        head_bytes_ = file_.size();
        for (const GgufItem& tensor : content.tensors) {
            file_.resize(aligned(file_.size()));
            put_bytes(tensor.bytes);
        }
    }

    GgufContent content_;
    std::vector<std::byte> file_;
    std::vector<std::size_t> numbers_, offsets_;
    std::size_t head_bytes_ = 0;
    int names_ = 0;
};

}  // namespace detail

inline std::vector<Law> gguf_law_list(const ReadGguf& read) {
    using namespace detail;
    return {
        {"gguf.reads_what_was_written", "All keys and tensors come back in order, to the bit.",
         [read](Case& c) {
             const RandomGguf random(c);
             const auto got = read(random.file());
             c.expect(got.has_value(), "a good file is refused");
             c.equal("content", *got, random.content());
         }},
        {"gguf.cut_short_is_error", "A file that ends too early is refused, wherever.",
         [read](Case& c) {
             const RandomGguf random(c);
             const auto left = c.integer<std::size_t>(0, random.file().size() - 1);
             c.given("bytes left", left);
             c.expect(!read(random.file().first(left)), "it is taken");
         }},
        {"gguf.numbers_that_do_not_fit_are_errors",
         "A length, count, extent or offset past the file's end is refused, also where sums and products overflow.",
         [read](Case& c) {
             RandomGguf random(c);
             const std::size_t at = c.pick(std::span(random.numbers()));
             constexpr std::uint64_t most = ~std::uint64_t{0};
             const std::uint64_t size = random.file().size();
             const std::uint64_t hostile =
                 c.pick({most, most - 31, most / 2 + 1, most / 32 + 1, most / 32 * 2 + 2, std::uint64_t{1} << 32,
                         aligned(size), most - size + 1, most / 64 + 1 + random.number(at)});
             c.given("place", at);
             c.given("number", hostile);
             random.set_number(at, hostile);
             c.expect(!read(random.file()), "it is taken");
         }},
        {"gguf.any_byte_may_be_wrong",
         "With any bytes of the head changed the file is refused, or each tensor has a known format and all its bytes.",
         [read](Case& c) {
             RandomGguf random(c);
             for (int left = c.integer(1, 2); left > 0; --left) {
                 const auto at = c.integer<std::size_t>(0, random.head_bytes() - 1);
                 random.flip(at,
                             std::byte{c.pick({std::uint8_t{1}, std::uint8_t{32}, c.integer<std::uint8_t>(1, 255)})});
                 c.given("changed byte", at);
             }
             const auto got = read(random.file());
             if (!got) return;
             for (const GgufItem& tensor : got->tensors) {
                 const auto bytes = gguf_tensor_bytes(tensor.type, tensor.shape);
                 c.expect(bytes.has_value(), "a tensor of the unknown format " + to_text(tensor.type) + " is taken");
                 c.equal("bytes of a tensor", tensor.bytes.size(), *bytes);
             }
         }},
        {"gguf.names_are_unique", "Two keys, or two tensors, of one name are refused.",
         [read](Case& c) {
             RandomGguf random(c);
             random.repeat_name(random.content().keys.size() > 1 && c.chance(0.5));
             c.expect(!read(random.file()), "it is taken");
         }},
        {"gguf.tensors_are_apart", "Two tensors that share bytes are refused.",
         [read](Case& c) {
             RandomGguf random(c);
             random.share_bytes();
             c.expect(!read(random.file()), "it is taken");
         }},
    };
}

//! Checks all laws of a reader, inside a doctest test case.
inline void gguf_laws(std::string_view subject, const ReadGguf& read) { check_laws(subject, gguf_law_list(read)); }

}  // namespace sluice::contracts
