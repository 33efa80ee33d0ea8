// SPDX-License-Identifier: Apache-2.0
//! Writes GGUF files: a Layout names the metadata and tensors, a Writer then streams the tensors' bytes to disk, so
//! that a file may be far larger than memory.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <unordered_set>
#include <utility>
#include <vector>

#include "sluice/core/checked.hpp"
#include "sluice/core/status.hpp"
#include "sluice/io/gguf_types.hpp"

namespace sluice::gguf {

//! A tensor's name and the bytes of data that it takes.
struct TensorSlot {
    std::string name;
    std::uint64_t bytes;
};

//! What comes before the tensor data: keys and tensor records, in the order they are added.
//!
//! A mistake (a bad or repeated name, an impossible shape) is kept, later calls do nothing, and status() reports it.
class Layout {
public:
    //! `version` is 2 or 3; they differ in that number only.
    explicit Layout(std::uint32_t version = newest_version) : version_(version) {
        if (version < oldest_version || version > newest_version) {
            fail("version", "GGUF version " + std::to_string(version) + " is asked for", "write version 2 or 3");
        }
    }

    //! Adds a number, a boolean or a string.
    template <class T>
    Layout& set(std::string_view key, const T& value) {
        std::vector<std::byte> bytes;
        append(bytes, value);
        return set(key, Value(value_type_of<T>(), bytes));
    }

    //! Adds an array of them.
    template <class T>
    Layout& set(std::string_view key, const std::vector<T>& values) {
        std::vector<std::byte> bytes;
        for (const T& value : values) append(bytes, value);
        return set(key, Value(value_type_of<T>(), values.size(), bytes));
    }

    //! Adds a value as it is in another file. Setting "general.alignment" also aligns the tensors.
    Layout& set(std::string_view key, const Value& value) {
        if (!take_name(keys_, "key", key)) return *this;
        if (key == alignment_key) {
            const auto alignment = value.as<std::uint64_t>();
            if (!alignment.ok() || !is_alignment(*alignment)) {
                return fail("key " + quote(key), "is not a power of two from 8 to 65536", "leave it out, or set 32");
            }
            if (!tensors_.empty()) return fail("key " + quote(key), "comes after a tensor", "set it before any tensor");
            alignment_ = *alignment;
        }
        append(metadata_, key);
        append(metadata_, static_cast<std::uint32_t>(value.type()));
        if (value.type() == ValueType::array) {
            append(metadata_, static_cast<std::uint32_t>(value.element_type()));
            append(metadata_, value.count());
        }
        metadata_.insert(metadata_.end(), value.bytes().begin(), value.bytes().end());
        return *this;
    }

    //! Adds a tensor; `shape` is fastest first, 1 to 4 extents, with whole blocks of `format` in a row.
    Layout& add_tensor(std::string_view name, quant::Format format, std::span<const std::uint64_t> shape) {
        if (!take_name(tensor_names_, "tensor", name)) return *this;
        const auto bytes = tensor_bytes(format, shape);
        if (!bytes.ok())
            return fail("tensor " + quote(name), bytes.status().what(), "give it a shape that can be stored");
        const auto end = checked_add(data_bytes_, *bytes);
        const auto padded_end = end ? checked_align_up(*end, alignment_) : std::nullopt;
        if (!padded_end) return fail("tensor " + quote(name), "the file would pass 2^64 bytes", "split the model");

        append(records_, name);
        append(records_, static_cast<std::uint32_t>(shape.size()));
        for (const std::uint64_t extent : shape) append(records_, extent);
        append(records_, static_cast<std::uint32_t>(format));
        append(records_, data_bytes_);
        tensors_.push_back({std::string(name), *bytes});
        data_bytes_ = *padded_end;
        return *this;
    }
    //! The same.
    Layout& add_tensor(std::string_view name, quant::Format format, std::initializer_list<std::uint64_t> shape) {
        return add_tensor(name, format, std::span(shape.begin(), shape.size()));
    }

    //! The first mistake made, if any.
    const Status& status() const { return status_; }
    std::uint64_t alignment() const { return alignment_; }            //!< of the tensors' data, in bytes
    std::span<const TensorSlot> tensors() const { return tensors_; }  //!< in the order they were added

    //! Everything before the first tensor's data, padding included; or the first mistake.
    Expected<std::vector<std::byte>> head() const {
        SLUICE_TRY(status_);
        std::vector<std::byte> bytes;
        append(bytes, magic);
        append(bytes, version_);
        append(bytes, std::uint64_t{tensors_.size()});
        append(bytes, std::uint64_t{keys_.size()});
        bytes.insert(bytes.end(), metadata_.begin(), metadata_.end());
        bytes.insert(bytes.end(), records_.begin(), records_.end());
        bytes.resize(static_cast<std::size_t>(*checked_align_up(bytes.size(), alignment_)));
        return bytes;
    }

private:
    template <class T>
    static void append(std::vector<std::byte>& out, const T& value) {
        if constexpr (value_type_of<T>() == ValueType::string) {
            const std::string_view text(value);
            append(out, std::uint64_t{text.size()});
            const auto bytes = std::as_bytes(std::span(text));
            out.insert(out.end(), bytes.begin(), bytes.end());
        } else {
            const auto bytes = std::as_bytes(std::span(&value, 1));
            out.insert(out.end(), bytes.begin(), bytes.end());
        }
    }

    Layout& fail(std::string where, std::string what, std::string mend) {
        if (status_.ok()) status_ = Status(Errc::invalid_argument, std::move(where), std::move(what), std::move(mend));
        return *this;
    }

    //! True if the name may be used; it then counts as taken.
    bool take_name(std::unordered_set<std::string>& taken, const char* kind, std::string_view name) {
        const std::string where = std::string(kind) + " " + quote(name);
        if (const Status valid = check_name(name); !valid.ok()) fail(where, valid.what(), "choose another name");
        if (status_.ok() && !taken.emplace(name).second) fail(where, "is added twice", "choose another name");
        return status_.ok();
    }

    std::uint32_t version_;
    std::uint64_t alignment_ = default_alignment;
    std::uint64_t data_bytes_ = 0;
    std::vector<std::byte> metadata_;
    std::vector<std::byte> records_;
    std::vector<TensorSlot> tensors_;
    std::unordered_set<std::string> keys_;
    std::unordered_set<std::string> tensor_names_;
    Status status_;
};

//! Streams one file to disk: create, write every tensor's bytes in the layout's order, finish. The bytes go to
//! "PATH.part", which becomes PATH at the end; a Writer that is never finished leaves nothing behind. After an error
//! from write() only destroying it makes sense.
class Writer {
public:
    //! Creates the file and writes the head. Error: the layout's first mistake, or a file that cannot be written.
    static Expected<Writer> create(const std::filesystem::path& path, const Layout& layout) {
        SLUICE_ASSIGN(const auto head, layout.head());
        Writer writer(path, layout);
        if (writer.file_ == nullptr) return writer.system_error("cannot be created");
        SLUICE_TRY(writer.put(head));
        return writer;
    }

    Writer(Writer&&) = default;
    Writer& operator=(Writer&&) = delete;
    ~Writer() {
        if (file_ == nullptr) return;
        file_.reset();
        std::error_code ignored;
        std::filesystem::remove(part_path_, ignored);
    }

    //! Writes the next bytes of the tensor `name`: all of them, or a chunk that later calls continue.
    Status write(std::string_view name, std::span<const std::byte> bytes) {
        if (next_ == tensors_.size()) return misuse(name, "comes after the last tensor", "write each tensor once");
        if (tensors_[next_].name != name) {
            return misuse(name, "comes before its turn", "write " + quote(tensors_[next_].name) + " first");
        }
        const std::uint64_t wanted = tensors_[next_].bytes - written_;
        if (bytes.size() > wanted) {
            return misuse(name,
                          "gets " + std::to_string(bytes.size()) + " bytes, but has room for " + std::to_string(wanted),
                          "write as many bytes as its shape and format take");
        }
        SLUICE_TRY(put(bytes));
        written_ += bytes.size();
        if (bytes.size() < wanted) return {};
        const std::vector<std::byte> padding(
            static_cast<std::size_t>(*checked_align_up(written_, alignment_) - written_));
        ++next_;
        written_ = 0;
        return put(padding);
    }

    //! Makes the file whole and visible under its name. Needs every tensor written.
    Status finish() {
        if (file_ == nullptr) {
            return Status(Errc::invalid_argument, path_.string(), "is finished already", "finish it once");
        }
        if (next_ < tensors_.size()) {
            return misuse(tensors_[next_].name,
                          "lacks " + std::to_string(tensors_[next_].bytes - written_) + " of its bytes",
                          "write all tensors before the file is finished");
        }
        std::FILE* file = file_.get();
        if (std::ferror(file) != 0 || std::fflush(file) != 0 || ::fsync(::fileno(file)) != 0) {
            return system_error("cannot be written");
        }
        // The system keeps what was written in small pages; whoever reads the file now gets large ones, from the disk.
#if defined(POSIX_FADV_DONTNEED)
        ::posix_fadvise(::fileno(file), 0, 0, POSIX_FADV_DONTNEED);
#endif
        if (std::rename(part_path_.c_str(), path_.c_str()) != 0) {
            return system_error("cannot be renamed to its final name");
        }
        file_.reset();
        return {};
    }

private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };

    Writer(const std::filesystem::path& path, const Layout& layout)
        : path_(path),
          part_path_(path),
          tensors_(layout.tensors().begin(), layout.tensors().end()),
          alignment_(layout.alignment()) {
        part_path_ += ".part";
        file_.reset(std::fopen(part_path_.c_str(), "wb"));
    }

    Status put(std::span<const std::byte> bytes) {
        if (bytes.empty()) return {};  // fwrite must not be given a null pointer
        if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) == bytes.size()) return {};
        return system_error("cannot be written");
    }

    Status system_error(std::string_view what) const {
        return Status(Errc::io, part_path_.string(), std::string(what) + ": " + std::generic_category().message(errno),
                      "check the folder, its permissions and the space on its disk");
    }

    Status misuse(std::string_view tensor, std::string what, std::string mend) const {
        return Status(Errc::invalid_argument, path_.string() + ": tensor " + quote(tensor), std::move(what),
                      std::move(mend));
    }

    std::filesystem::path path_;
    std::filesystem::path part_path_;
    std::vector<TensorSlot> tensors_;
    std::uint64_t alignment_;
    std::size_t next_ = 0;       //!< tensor being written
    std::uint64_t written_ = 0;  //!< of its bytes
    std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace sluice::gguf
