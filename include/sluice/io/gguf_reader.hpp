// SPDX-License-Identifier: Apache-2.0
//! Reads the head of one GGUF part, trusting nothing: every length is held against the bytes that are left before it
//! is used. Programs use gguf::File, which puts the parts of a split file together.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/core/checked.hpp"
#include "sluice/core/named_list.hpp"
#include "sluice/core/status.hpp"
#include "sluice/io/gguf_types.hpp"

namespace sluice::gguf {

using MetadataList = NamedList<Metadata, &Metadata::key>;
using TensorList = NamedList<Tensor, &Tensor::name>;

//! One file's content. Tensor names may still clash with those of other parts.
struct Part {
    std::uint32_t version = 0;
    MetadataList metadata;
    std::vector<Tensor> tensors;
};

namespace detail {

inline constexpr std::string_view download_again = "the file is cut short or damaged: download or write it again";

inline Status corrupt(std::string where, std::string what, std::string mend = std::string(download_again)) {
    return Status(Errc::corrupt, std::move(where), std::move(what), std::move(mend));
}

//! Puts the mend that every damaged file shares where a shared rule gave none.
inline Status with_mend(const Status& status) {
    if (!status.mend().empty()) return status;
    return Status(status.code(), status.where(), status.what(), std::string(download_again));
}

//! A position in bytes that it cannot leave.
class Cursor {
public:
    explicit Cursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

    std::uint64_t position() const { return position_; }
    std::uint64_t remaining() const { return bytes_.size() - position_; }

    //! "byte 1234", for messages.
    std::string place() const { return "byte " + std::to_string(position_); }

    //! The next `length` bytes; `what` names them if they are not there.
    Expected<std::span<const std::byte>> take(std::uint64_t length, std::string_view what) {
        if (length > remaining()) {
            return corrupt(place(), std::string(what) + " takes " + std::to_string(length) + " bytes, but " +
                                        std::to_string(remaining()) + " are left");
        }
        const auto taken = bytes_.subspan(position_, static_cast<std::size_t>(length));
        position_ += taken.size();
        return taken;
    }

    template <class T>
    Expected<T> number(std::string_view what) {
        SLUICE_ASSIGN(const auto bytes, take(sizeof(T), what));
        T value;
        std::memcpy(&value, bytes.data(), sizeof value);
        return value;
    }

    Expected<std::string_view> string(std::string_view what) {
        SLUICE_ASSIGN(const auto length, number<std::uint64_t>(what));
        SLUICE_ASSIGN(const auto bytes, take(length, what));
        return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }

    //! How many records follow; each takes at least `least` bytes, so that room may be reserved for the answer.
    Expected<std::size_t> count(std::uint64_t least, std::string_view what) {
        SLUICE_ASSIGN(const auto number_of, number<std::uint64_t>(what));
        if (number_of > remaining() / least) {
            return corrupt(place(), std::string(what) + " is " + std::to_string(number_of) + ", but only " +
                                        std::to_string(remaining()) + " bytes are left");
        }
        return static_cast<std::size_t>(number_of);
    }

private:
    std::span<const std::byte> bytes_;
    std::size_t position_ = 0;
};

inline Expected<std::string_view> read_name(Cursor& cursor, std::string_view what) {
    const std::string place = cursor.place();
    SLUICE_ASSIGN(const auto name, cursor.string(what));
    if (const Status valid = check_name(name); !valid.ok()) return with_mend(valid).within(place);
    return name;
}

inline Expected<ValueType> read_value_type(Cursor& cursor) {
    const std::string place = cursor.place();
    SLUICE_ASSIGN(const auto id, cursor.number<std::uint32_t>("a value type"));
    if (id >= value_types.size()) {
        return corrupt(place, "unknown value type " + std::to_string(id),
                       "the file is damaged or newer than Sluice: download or convert it again");
    }
    return static_cast<ValueType>(id);
}

//! Moves over one value, or over an array's `count` values.
inline Status skip_values(Cursor& cursor, ValueType type, std::uint64_t count) {
    const std::string place = cursor.place();
    if (type == ValueType::string) {
        for (std::uint64_t i = 0; i < count; ++i) SLUICE_TRY(cursor.string("a string"));
        return {};
    }
    const auto bytes = checked_mul(count, info(type).bytes);
    if (!bytes) return corrupt(place, "an array of " + std::to_string(count) + " elements is too long");
    SLUICE_ASSIGN(const auto values, cursor.take(*bytes, "a value"));
    const auto is_boolean = [](std::byte byte) { return byte <= std::byte{1}; };
    if (type == ValueType::boolean && !std::all_of(values.begin(), values.end(), is_boolean)) {
        return corrupt(place, "a boolean that is neither 0 nor 1");
    }
    return {};
}

inline Expected<Value> read_value(Cursor& cursor, std::span<const std::byte> file) {
    SLUICE_ASSIGN(const auto type, read_value_type(cursor));
    const auto values = [&](std::uint64_t from) {
        return file.subspan(static_cast<std::size_t>(from), static_cast<std::size_t>(cursor.position() - from));
    };
    if (type != ValueType::array) {
        const std::uint64_t start = cursor.position();
        SLUICE_TRY(skip_values(cursor, type, 1));
        return Value(type, values(start));
    }
    const std::string place = cursor.place();
    SLUICE_ASSIGN(const auto element, read_value_type(cursor));
    if (element == ValueType::array) {
        return Status(Errc::unsupported, place, "an array of arrays", "convert the model without nested arrays");
    }
    SLUICE_ASSIGN(const auto count, cursor.number<std::uint64_t>("an array's length"));
    const std::uint64_t start = cursor.position();
    SLUICE_TRY(skip_values(cursor, element, count));
    return Value(element, count, values(start));
}

inline Expected<std::uint32_t> read_version(Cursor& cursor) {
    SLUICE_ASSIGN(const auto start, cursor.number<std::uint32_t>("the magic number"));
    if (start != magic) {
        return Status(Errc::corrupt, {}, "is not a GGUF file: it does not begin with \"GGUF\"",
                      "name a model in GGUF format (after a git clone, \"git lfs pull\" fetches the real file)");
    }
    SLUICE_ASSIGN(const auto version, cursor.number<std::uint32_t>("the version"));
    if (version != 0 && (version & 0xFFFFU) == 0) {
        return Status(Errc::unsupported, {}, "is a big-endian GGUF file",
                      "convert the model for little-endian machines");
    }
    if (version < oldest_version || version > newest_version) {
        return Status(Errc::unsupported, {},
                      "is GGUF version " + std::to_string(version) + ", but 2 and 3 are supported",
                      "convert the model again with a current converter");
    }
    return version;
}

//! Records that memory is set aside for on a file's word alone; for more of them it grows as they turn out to be there.
inline constexpr std::size_t trusted_count = 4096;

inline Expected<MetadataList> read_metadata(Cursor& cursor, std::span<const std::byte> file, std::size_t count) {
    std::vector<Metadata> metadata;
    metadata.reserve(std::min(count, trusted_count));
    for (std::size_t i = 0; i < count; ++i) {
        SLUICE_ASSIGN(const auto key, read_name(cursor, "a key"));
        auto value = read_value(cursor, file);
        if (!value.ok()) return value.status().within("key " + quote(key));
        metadata.push_back({key, *value});
    }
    MetadataList list(std::move(metadata));
    if (const auto* twice = list.duplicate()) return corrupt("key " + quote(twice->key), "appears twice");
    return list;
}

inline Expected<std::uint64_t> read_alignment(const MetadataList& metadata) {
    const Metadata* entry = metadata.find(alignment_key);
    if (entry == nullptr) return default_alignment;
    const std::string where = "key " + quote(alignment_key);
    const auto alignment = entry->value.as<std::uint64_t>();
    if (!alignment.ok()) return alignment.status().within(where);
    if (!is_alignment(*alignment)) {
        return corrupt(where, std::to_string(*alignment) + " is not a power of two from 8 to 65536");
    }
    return *alignment;
}

//! A tensor whose data is still to be found `offset` bytes into the data section.
struct TensorRecord {
    Tensor tensor;
    std::uint64_t offset;
    std::uint64_t bytes;
};

inline Expected<TensorRecord> read_tensor(Cursor& cursor, std::string_view name, std::uint64_t alignment) {
    SLUICE_ASSIGN(const auto n_dims, cursor.number<std::uint32_t>("the number of dimensions"));
    if (n_dims == 0 || n_dims > max_dims) {
        return corrupt({}, std::to_string(n_dims) + " dimensions, but 1 to 4 are possible");
    }
    TensorRecord record{{name, {}, n_dims, {1, 1, 1, 1}, {}}, 0, 0};
    for (std::uint32_t i = 0; i < n_dims; ++i) {
        SLUICE_ASSIGN(record.tensor.shape[i], cursor.number<std::uint64_t>("the shape"));
    }
    SLUICE_ASSIGN(const auto format, cursor.number<std::uint32_t>("the format"));
    record.tensor.format = static_cast<quant::Format>(format);
    const auto bytes = tensor_bytes(record.tensor.format, record.tensor.extents());
    if (!bytes.ok()) return with_mend(bytes.status());
    record.bytes = *bytes;
    SLUICE_ASSIGN(record.offset, cursor.number<std::uint64_t>("the offset"));
    if (record.offset % alignment != 0) {
        return corrupt({}, "offset " + std::to_string(record.offset) + " is not a multiple of the alignment " +
                               std::to_string(alignment));
    }
    return record;
}

inline Expected<std::vector<TensorRecord>> read_tensors(Cursor& cursor, std::size_t count, std::uint64_t alignment) {
    std::vector<TensorRecord> records;
    records.reserve(std::min(count, trusted_count));
    for (std::size_t i = 0; i < count; ++i) {
        SLUICE_ASSIGN(const auto name, read_name(cursor, "a tensor's name"));
        auto record = read_tensor(cursor, name, alignment);
        if (!record.ok()) return record.status().within("tensor " + quote(name));
        records.push_back(*record);
    }
    return records;
}

//! Gives each record its bytes: inside the file, and no byte to two tensors.
inline Expected<std::vector<Tensor>> place_tensors(std::span<const std::byte> file, std::uint64_t head_bytes,
                                                   std::uint64_t alignment, std::span<const TensorRecord> records) {
    const std::uint64_t data_start = *checked_align_up(head_bytes, alignment);  // a size in memory never gets near 2^64
    std::vector<Tensor> tensors;
    tensors.reserve(records.size());
    for (const auto& [tensor, offset, bytes] : records) {
        const auto start = checked_add(data_start, offset);
        const auto end = start ? checked_add(*start, bytes) : std::nullopt;
        if (!end || *end > file.size()) {
            return corrupt("tensor " + quote(tensor.name),
                           std::to_string(bytes) + " bytes at offset " + std::to_string(offset) +
                               " of the data (byte " + std::to_string(data_start) + ") pass the file's end at byte " +
                               std::to_string(file.size()));
        }
        tensors.push_back(tensor);
        tensors.back().bytes = file.subspan(static_cast<std::size_t>(*start), static_cast<std::size_t>(bytes));
    }

    std::vector<const Tensor*> by_place;
    by_place.reserve(tensors.size());
    for (const Tensor& tensor : tensors) by_place.push_back(&tensor);
    std::sort(by_place.begin(), by_place.end(),
              [](const Tensor* a, const Tensor* b) { return a->bytes.data() < b->bytes.data(); });
    const auto overlap =
        std::adjacent_find(by_place.begin(), by_place.end(), [](const Tensor* before, const Tensor* after) {
            return before->bytes.data() + before->bytes.size() > after->bytes.data();
        });
    if (overlap != by_place.end()) {
        return corrupt("tensor " + quote((*overlap)->name), "shares bytes with tensor " + quote(overlap[1]->name));
    }
    return tensors;
}

}  // namespace detail

//! Reads metadata and tensor records of a whole file in memory; all views in the Part point into `file`.
inline Expected<Part> read_part(std::span<const std::byte> file) {
    // The shortest records: length, one letter, type, one byte; length, one letter, dimensions, extent, format, offset.
    constexpr std::uint64_t least_metadata = 8 + 1 + 4 + 1;
    constexpr std::uint64_t least_tensor = 8 + 1 + 4 + 8 + 4 + 8;

    detail::Cursor cursor(file);
    Part part;
    SLUICE_ASSIGN(part.version, detail::read_version(cursor));
    SLUICE_ASSIGN(const auto n_tensors, cursor.count(least_tensor, "the number of tensors"));
    SLUICE_ASSIGN(const auto n_metadata, cursor.count(least_metadata, "the number of keys"));
    SLUICE_ASSIGN(part.metadata, detail::read_metadata(cursor, file, n_metadata));
    SLUICE_ASSIGN(const auto alignment, detail::read_alignment(part.metadata));
    SLUICE_ASSIGN(const auto records, detail::read_tensors(cursor, n_tensors, alignment));
    SLUICE_ASSIGN(part.tensors, detail::place_tensors(file, cursor.position(), alignment, records));
    return part;
}

}  // namespace sluice::gguf
