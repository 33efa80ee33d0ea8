// SPDX-License-Identifier: Apache-2.0
//! A file's bytes in memory without reading it: a read-only POSIX mapping (Windows is out of scope).
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "sluice/core/huge_pages.hpp"
#include "sluice/core/status.hpp"

namespace sluice {

//! Owns a mapping of a whole regular file; moves, never copies. The bytes stay at their address when it moves.
//!
//! Replace a mapped file by renaming another over it. If a program cuts it short in place, touching the lost pages
//! raises SIGBUS, and no check made beforehand can prevent that.
class MappedFile {
public:
    //! Fails on a missing or unreadable file, and on anything but a regular file with at least one byte.
    static Expected<MappedFile> open(const std::filesystem::path& path) {
        // O_NONBLOCK: opening a pipe by mistake must fail below, not wait for a writer.
        const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
        if (file.number < 0) return system_error(path, "cannot be opened");
        struct stat facts {};
        if (::fstat(file.number, &facts) != 0) return system_error(path, "cannot be examined");
        if (S_ISDIR(facts.st_mode)) {
            return Status(Errc::invalid_argument, path.string(), "is a directory", "name a file in it");
        }
        if (!S_ISREG(facts.st_mode)) {
            return Status(Errc::invalid_argument, path.string(), "is not a regular file",
                          "only a file on disk can be mapped into memory: copy it to one");
        }
        if (facts.st_size <= 0) {
            return Status(Errc::corrupt, path.string(), "is empty", "download or write it again");
        }
        const auto size = static_cast<std::uint64_t>(facts.st_size);
        if (size > std::numeric_limits<std::size_t>::max()) {
            return Status(Errc::unsupported, path.string(), "is larger than this machine's address space",
                          "use a 64-bit build");
        }
        void* start = ::mmap(nullptr, static_cast<std::size_t>(size), PROT_READ, MAP_PRIVATE, file.number, 0);
        if (start == MAP_FAILED) return system_error(path, "cannot be mapped into memory");
        // What is not yet in memory then comes from the disk as huge pages, whatever the order it is touched in.
        prefer_huge_pages(start, static_cast<std::size_t>(size));
        return MappedFile(static_cast<std::byte*>(start), static_cast<std::size_t>(size));
    }

    MappedFile(MappedFile&& other) noexcept
        : start_(std::exchange(other.start_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    MappedFile& operator=(MappedFile&& other) noexcept {
        std::swap(start_, other.start_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~MappedFile() {
        if (start_ != nullptr) ::munmap(start_, size_);
    }

    //! Valid as long as this object or the one it was moved to.
    std::span<const std::byte> bytes() const { return {start_, size_}; }
    std::size_t size() const { return size_; }  //!< bytes

private:
    struct Descriptor {
        int number;
        explicit Descriptor(int opened) : number(opened) {}
        Descriptor(const Descriptor&) = delete;
        Descriptor& operator=(const Descriptor&) = delete;
        ~Descriptor() {
            if (number >= 0) ::close(number);
        }
    };

    MappedFile(std::byte* start, std::size_t size) : start_(start), size_(size) {}

    static Status system_error(const std::filesystem::path& path, std::string_view what) {
        const int code = errno;
        return Status(code == ENOENT ? Errc::not_found : Errc::io, path.string(),
                      std::string(what) + ": " + std::generic_category().message(code),
                      code == ENOENT ? "check the path" : "check the file's permissions and its disk");
    }

    std::byte* start_;
    std::size_t size_;
};

}  // namespace sluice
