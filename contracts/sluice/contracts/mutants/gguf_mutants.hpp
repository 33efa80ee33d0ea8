// SPDX-License-Identifier: Apache-2.0
//! A plain reader of GGUF files, and the checks that it can forget.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/contracts/gguf_laws.hpp"
#include "sluice/contracts/mutant.hpp"

namespace sluice::contracts {

namespace mutants {

enum class GgufFault {
    none,
    turns_shapes,
    fills_with_zeros,
    believes_lengths,
    lets_sums_wrap,
    takes_unknown_formats,
    takes_names_twice,
    takes_shared_bytes,
};

//! Knows the types that the laws draw: u32, u64, strings, and arrays of them.
class PlainGguf {
    using Fault = GgufFault;
    struct Refused {};

public:
    static ReadGguf reader(Fault fault) {
        return [fault](std::span<const std::byte> file) -> std::optional<GgufContent> {
            try {
                return PlainGguf(file, fault).read();
            } catch (const Refused&) {
                return std::nullopt;
            }
        };
    }

private:
    PlainGguf(std::span<const std::byte> file, Fault fault)
        : file_(reinterpret_cast<const char*>(file.data()), file.size()), fault_(fault) {}

    GgufContent read() {
        refuse_unless(take(4) == "GGUF" && number<std::uint32_t>() == 3);
        const auto tensors = number<std::uint64_t>(), keys = number<std::uint64_t>();
        GgufContent content;
        for (std::uint64_t i = 0; i < keys && goes_on(); ++i) content.keys.push_back(key());
        std::vector<std::uint64_t> offsets;
        for (std::uint64_t i = 0; i < tensors && goes_on(); ++i) {
            content.tensors.push_back(tensor());
            offsets.push_back(number<std::uint64_t>());
            refuse_unless(offsets.back() % detail::gguf_alignment == 0);
        }
        const std::uint64_t start = detail::aligned(at_);
        for (std::size_t i = 0; i < offsets.size(); ++i) place(content.tensors[i], start, offsets[i]);
        if (fault_ != Fault::takes_shared_bytes) refuse_shared(content.tensors, offsets);
        for (const auto* items : {&content.keys, &content.tensors}) {
            std::set<std::string> names;
            for (const GgufItem& item : *items) names.insert(item.name);
            refuse_unless(names.size() == items->size() || fault_ == Fault::takes_names_twice);
        }
        return content;
    }

    GgufItem key() {
        GgufItem item{name(), number<std::uint32_t>(), {}, ""};
        const std::size_t from = at_;
        if (item.type == detail::gguf_array) {
            const auto type = number<std::uint32_t>();
            const auto count = number<std::uint64_t>();
            for (std::uint64_t i = 0; i < count && goes_on(); ++i) skip(type);
        } else {
            skip(item.type);
        }
        item.bytes = file_.substr(from, at_ - from);
        return item;
    }
    void skip(std::uint32_t type) {
        refuse_unless(type == 4 || type == 10 || type == detail::gguf_string);
        take(type == 4 ? 4 : type == 10 ? 8 : number<std::uint64_t>());
    }

    GgufItem tensor() {
        GgufItem item{name(), 0, {}, ""};
        const auto dims = number<std::uint32_t>();
        refuse_unless(1 <= dims && dims <= 4);
        for (std::uint32_t i = 0; i < dims; ++i) item.shape.push_back(number<std::uint64_t>());
        if (fault_ == Fault::turns_shapes) std::reverse(item.shape.begin(), item.shape.end());
        item.type = number<std::uint32_t>();
        return item;
    }

    //! Gives a tensor its bytes.
    void place(GgufItem& tensor, std::uint64_t start, std::uint64_t offset) {
        constexpr auto most = std::numeric_limits<std::uint64_t>::max();
        const auto info = quant::format_info(static_cast<quant::Format>(tensor.type));
        refuse_unless(info || fault_ == Fault::takes_unknown_formats);
        std::uint64_t elements = 1;
        for (const std::uint64_t extent : tensor.shape) {
            refuse_unless(extent > 0 && (elements <= most / 256 / extent || fault_ == Fault::lets_sums_wrap));
            elements *= extent;
        }
        refuse_unless(!info || tensor.shape[0] % info->block_size == 0 || fault_ == Fault::turns_shapes);
        const std::uint64_t bytes = info ? elements / info->block_size * info->block_bytes : 0;
        const bool wraps = start > most - offset || start + offset > most - bytes;
        refuse_unless(!wraps || fault_ == Fault::lets_sums_wrap);
        const std::uint64_t end = start + offset + bytes;
        if (fault_ == Fault::fills_with_zeros && start + offset <= file_.size() && bytes < 4096) {
            tensor.bytes = file_.substr(start + offset, bytes);
            tensor.bytes.resize(bytes);
            return;
        }
        refuse_unless(end <= file_.size());
        if (!wraps) tensor.bytes = file_.substr(start + offset, bytes);
    }

    static void refuse_shared(const std::vector<GgufItem>& tensors, const std::vector<std::uint64_t>& offsets) {
        for (std::size_t a = 0; a < tensors.size(); ++a) {
            for (std::size_t b = 0; b < a; ++b) {
                refuse_unless(offsets[a] + tensors[a].bytes.size() <= offsets[b] ||
                              offsets[b] + tensors[b].bytes.size() <= offsets[a]);
            }
        }
    }

    std::string name() {
        const std::string_view taken = take(number<std::uint64_t>());
        refuse_unless(!taken.empty() || fault_ == Fault::believes_lengths);
        return std::string(taken);
    }
    template <class T>
    T number() {
        T value{};
        const std::string_view bytes = take(sizeof value);
        std::memcpy(&value, bytes.data(), bytes.size());
        return value;
    }
    std::string_view take(std::uint64_t bytes) {
        refuse_unless(bytes <= file_.size() - at_ || fault_ == Fault::believes_lengths);
        const std::string_view taken = file_.substr(at_, bytes);
        at_ += taken.size();
        return taken;
    }
    //! Ends a count that is believed.
    bool goes_on() const { return at_ < file_.size() || fault_ != Fault::believes_lengths; }

    static void refuse_unless(bool right) {
        if (!right) throw Refused();
    }

    std::string_view file_;
    Fault fault_;
    std::size_t at_ = 0;
};

}  // namespace mutants

inline std::vector<Mutant> gguf_mutants() {
    using mutants::PlainGguf;
    using Fault = mutants::GgufFault;
    const auto mutant = [](Fault fault, std::string_view name, std::string_view law) {
        return Mutant{std::string(name), law, gguf_law_list(PlainGguf::reader(fault))};
    };
    const auto numbers = "gguf.numbers_that_do_not_fit_are_errors";
    return {
        mutant(Fault::turns_shapes, "reads shapes slowest first", "gguf.reads_what_was_written"),
        mutant(Fault::fills_with_zeros, "fills what is missing of a tensor with zeros", "gguf.cut_short_is_error"),
        mutant(Fault::believes_lengths, "takes what there is of a length that is too large", numbers),
        mutant(Fault::lets_sums_wrap, "lets sums and products wrap around", numbers),
        mutant(Fault::takes_unknown_formats, "takes tensors of unknown formats", "gguf.any_byte_may_be_wrong"),
        mutant(Fault::takes_names_twice, "takes a name twice", "gguf.names_are_unique"),
        mutant(Fault::takes_shared_bytes, "takes tensors that share bytes", "gguf.tensors_are_apart"),
    };
}

}  // namespace sluice::contracts
