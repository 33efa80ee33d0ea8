// SPDX-License-Identifier: Apache-2.0
//! A GGUF model file, opened: metadata by key with exact types, tensors by name, nothing copied.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/core/status.hpp"
#include "sluice/io/gguf_reader.hpp"
#include "sluice/io/gguf_types.hpp"
#include "sluice/io/mapped_file.hpp"

namespace sluice::gguf {

//! Versions 2 and 3, little-endian, in one file or split ("-00001-of-00003.gguf"). Moves, never copies; all views it
//! hands out live as long as it does. Everything is checked when the file is opened, down to the last string.
class File {
public:
    //! Maps the file, and with the first part of a split file its siblings. Error: a file that is missing, cannot be
    //! read, is damaged, or has a version or formats that are not known.
    static Expected<File> open(const std::filesystem::path& path) {
        SLUICE_ASSIGN(File file, map_part(path));
        SLUICE_ASSIGN(const Split split, file.split());
        if (split.parts > 1) SLUICE_TRY(file.join_siblings(split));
        return file;
    }

    //! Reads a file that is in memory already, at a multiple of 8; `bytes` must outlive the File, and `name` is for
    //! messages.
    static Expected<File> from_bytes(std::span<const std::byte> bytes, std::string name) {
        File file(std::move(name));
        if (reinterpret_cast<std::uintptr_t>(bytes.data()) % 8 != 0) {
            return Status(Errc::invalid_argument, file.name_, "begins at an address that is not a multiple of 8",
                          "copy it to a Buffer<std::byte>");
        }
        SLUICE_TRY(file.read(bytes));
        SLUICE_ASSIGN(const Split split, file.split());
        if (split.parts > 1) {
            return Status(Errc::unsupported, file.name_, "is " + split.text() + " of a split file",
                          "open the first part by its path, so that the others can be found");
        }
        return file;
    }

    File(File&&) = default;
    File& operator=(File&&) = default;

    const std::string& name() const { return name_; }         //!< its path, or from_bytes' name
    std::uint32_t version() const { return version_; }        //!< 2 or 3
    std::uint64_t file_bytes() const { return file_bytes_; }  //!< of all parts together

    std::span<const Metadata> metadata() const { return metadata_.items(); }  //!< in file order, of the first part
    std::span<const Tensor> tensors() const { return tensors_.items(); }      //!< in file order, of all parts

    //! The value of a key, or nullptr.
    const Value* find(std::string_view key) const {
        const Metadata* entry = metadata_.find(key);
        return entry == nullptr ? nullptr : &entry->value;
    }

    //! The value of a key as a T (see Value::as). A missing key and a value of another type are errors.
    template <class T>
    Expected<T> get(std::string_view key) const {
        const std::string place = name_ + ": key " + quote(key);
        const Value* value = find(key);
        if (value == nullptr)
            return Status(Errc::not_found, place, "is missing", "use a file that was converted with it");
        auto result = value->as<T>();
        if (!result.ok()) return result.status().within(place);
        return result;
    }

    //! As get, but `fallback` where the key is missing.
    template <class T>
    Expected<T> get_or(std::string_view key, T fallback) const {
        if (find(key) == nullptr) return fallback;
        return get<T>(key);
    }

    //! The tensor of that name, or nullptr.
    const Tensor* tensor(std::string_view name) const { return tensors_.find(name); }

private:
    //! Which part of a split file a file says it is.
    struct Split {
        std::uint64_t index = 0;    //!< from 0
        std::uint64_t parts = 1;    //!< 1, or 0 as some tools write it, for a file in one piece
        std::uint64_t tensors = 0;  //!< in all parts together

        std::string text() const { return "part " + std::to_string(index + 1) + " of " + std::to_string(parts); }

        //! "-00002-of-00003.gguf"
        std::string suffix() const {
            char text[64];
            std::snprintf(text, sizeof text, "-%05ju-of-%05ju.gguf", std::uintmax_t{index + 1}, std::uintmax_t{parts});
            return text;
        }
    };

    explicit File(std::string name) : name_(std::move(name)) {}

    static Expected<File> map_part(const std::filesystem::path& path) {
        SLUICE_ASSIGN(MappedFile mapping, MappedFile::open(path));
        File file(path.string());
        SLUICE_TRY(file.read(mapping.bytes()));
        file.mappings_.push_back(std::move(mapping));
        return file;
    }

    Status read(std::span<const std::byte> bytes) {
        auto part = read_part(bytes);
        if (!part.ok()) return part.status().within(name_);
        version_ = part->version;
        file_bytes_ = bytes.size();
        metadata_ = std::move(part->metadata);
        return adopt(std::move(part->tensors));
    }

    Status adopt(std::vector<Tensor> tensors) {
        tensors_ = TensorList(std::move(tensors));
        const Tensor* twice = tensors_.duplicate();
        if (twice == nullptr) return {};
        return detail::corrupt(name_ + ": tensor " + quote(twice->name), "appears twice");
    }

    Expected<Split> split() const {
        Split split;
        SLUICE_ASSIGN(split.parts, get_or<std::uint64_t>("split.count", 1));
        if (split.parts <= 1) return Split{};
        SLUICE_ASSIGN(split.index, get<std::uint16_t>("split.no"));
        SLUICE_ASSIGN(split.tensors, get<std::uint64_t>("split.tensors.count"));
        return split;
    }

    //! Opens parts 2 to N next to this part 1 and takes over their tensors.
    Status join_siblings(const Split& first) {
        if (first.index != 0) {
            return Status(Errc::invalid_argument, name_, "is " + first.text() + " of a split file",
                          "open its first part");
        }
        if (!name_.ends_with(first.suffix())) {
            return Status(Errc::invalid_argument, name_,
                          "is " + first.text() + " of a split file, but its name does not end in " + first.suffix(),
                          "give all parts the names they were made with");
        }
        const std::string stem = name_.substr(0, name_.size() - first.suffix().size());
        std::vector<Tensor> tensors(tensors_.items().begin(), tensors_.items().end());
        for (Split wanted = first; (++wanted.index) < wanted.parts;) {  // in brackets: nvcc sees a template in index <
            const std::string path = stem + wanted.suffix();
            auto part = map_part(path);
            if (!part.ok() && part.status().code() == Errc::not_found) {
                return Status(Errc::not_found, path, wanted.text() + " is missing", "put all parts into one folder");
            }
            if (!part.ok()) return part.status();
            SLUICE_ASSIGN(const Split found, part->split());
            if (found.index != wanted.index || found.parts != wanted.parts) {
                return Status(Errc::corrupt, path, "is " + found.text() + ", but its name says " + wanted.text(),
                              "give all parts the names they were made with");
            }
            file_bytes_ += part->file_bytes_;
            std::move(part->mappings_.begin(), part->mappings_.end(), std::back_inserter(mappings_));
            tensors.insert(tensors.end(), part->tensors().begin(), part->tensors().end());
        }
        if (tensors.size() != first.tensors) {
            return Status(Errc::corrupt, name_,
                          "split.tensors.count is " + std::to_string(first.tensors) + ", but the parts hold " +
                              std::to_string(tensors.size()) + " tensors",
                          "download all parts again from one place");
        }
        return adopt(std::move(tensors));
    }

    std::string name_;
    std::uint32_t version_ = 0;
    std::uint64_t file_bytes_ = 0;
    std::vector<MappedFile> mappings_;
    MetadataList metadata_;
    TensorList tensors_;
};

}  // namespace sluice::gguf
