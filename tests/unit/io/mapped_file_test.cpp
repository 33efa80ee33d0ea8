// SPDX-License-Identifier: Apache-2.0
#include "sluice/io/mapped_file.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <sys/stat.h>

#include "unit/io/files.hpp"

using namespace sluice;
using namespace sluice::test;

static_assert(!std::is_copy_constructible_v<MappedFile> && std::is_nothrow_move_constructible_v<MappedFile>);

TEST_CASE("mapped_file: shows a file's bytes, also after a move and after the file is unlinked") {
    const TempFolder folder;
    const auto path = folder / "data";
    const auto content = Bytes{}.raw("some bytes").zeros(5000).raw("end").data;
    write_file(path, content);

    auto opened = MappedFile::open(path);
    REQUIRE(opened.ok());
    MappedFile file = std::move(*opened);
    const auto* address = file.bytes().data();
    std::filesystem::remove(path);
    MappedFile moved = std::move(file);
    CHECK(moved.size() == content.size());
    CHECK(std::ranges::equal(moved.bytes(), content));
    CHECK(moved.bytes().data() == address);
    CHECK(file.bytes().empty());

    write_file(path, Bytes{}.raw("other").data);
    auto other = MappedFile::open(path);
    REQUIRE(other.ok());
    moved = std::move(*other);
    CHECK(moved.size() == 5);
}

TEST_CASE("mapped_file: says why a file cannot be mapped, with its path") {
    const TempFolder folder;

    const auto missing = MappedFile::open(folder / "absent");
    REQUIRE(!missing.ok());
    CHECK(missing.status().code() == Errc::not_found);
    CHECK(mentions(missing.status().message(), {"absent", "No such file", "check the path"}));

    const auto directory = MappedFile::open(folder / "");
    REQUIRE(!directory.ok());
    CHECK(directory.status().code() == Errc::invalid_argument);
    CHECK(mentions(directory.status().message(), {"is a directory"}));

    write_file(folder / "empty", {});
    const auto empty = MappedFile::open(folder / "empty");
    REQUIRE(!empty.ok());
    CHECK(empty.status().code() == Errc::corrupt);
    CHECK(mentions(empty.status().message(), {"empty", "is empty"}));

    REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
    const auto pipe = MappedFile::open(folder / "pipe");
    REQUIRE(!pipe.ok());
    CHECK(mentions(pipe.status().message(), {"pipe", "not a regular file"}));

    const auto through_file = MappedFile::open(folder / "empty/inside");
    REQUIRE(!through_file.ok());
    CHECK(through_file.status().code() == Errc::io);
    CHECK(mentions(through_file.status().message(), {"Not a directory"}));
}
