// SPDX-License-Identifier: Apache-2.0
//! What tests of file formats need: a folder that goes away, bytes written by hand, whole files read and written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <span>
#include <stdlib.h>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace sluice::test {

//! A new folder, removed with everything in it at the end.
class TempFolder {
public:
    TempFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "sluice-test-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    ~TempFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

//! Little-endian bytes, one field after the other.
struct Bytes {
    std::vector<std::byte> data;

    template <class T>
    Bytes& number(T value) {
        const auto bytes = std::as_bytes(std::span(&value, 1));
        data.insert(data.end(), bytes.begin(), bytes.end());
        return *this;
    }
    Bytes& u32(std::uint32_t value) { return number(value); }
    Bytes& u64(std::uint64_t value) { return number(value); }
    //! The characters only.
    Bytes& raw(std::string_view text) {
        const auto bytes = std::as_bytes(std::span(text));
        data.insert(data.end(), bytes.begin(), bytes.end());
        return *this;
    }
    //! A u64 length, then the characters.
    Bytes& text(std::string_view characters) { return u64(characters.size()).raw(characters); }
    Bytes& pad(std::size_t alignment) {
        data.resize((data.size() + alignment - 1) / alignment * alignment);
        return *this;
    }
    Bytes& zeros(std::size_t count) {
        data.resize(data.size() + count);
        return *this;
    }
};

inline void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    REQUIRE(file.good());
}

inline std::vector<std::byte> read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    REQUIRE(file.good());
    const std::vector<char> characters{std::istreambuf_iterator<char>(file), {}};
    const auto bytes = std::as_bytes(std::span(characters));
    return {bytes.begin(), bytes.end()};
}

//! Whether a message holds all the words.
inline bool mentions(const std::string& message, std::initializer_list<std::string_view> words) {
    for (const std::string_view word : words) {
        if (message.find(word) == message.npos) {
            MESSAGE("\"" << message << "\" does not mention \"" << std::string(word) << "\"");
            return false;
        }
    }
    return true;
}

}  // namespace sluice::test
