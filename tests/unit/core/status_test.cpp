// SPDX-License-Identifier: Apache-2.0
#include "sluice/core/status.hpp"

#include <doctest/doctest.h>
#include <memory>
#include <string>
#include <utility>

using namespace sluice;

TEST_CASE("status: success says ok, an error says where, what and how to mend it") {
    CHECK(Status().ok());
    CHECK(Status().message() == "ok");
    const Status error(Errc::io, "file.gguf", "cannot be read", "check its permissions");
    CHECK(!error);
    CHECK(error.code() == Errc::io);
    CHECK(error.message() == "file.gguf: cannot be read; check its permissions");
    CHECK(Status(Errc::io, "", "cannot be read").message() == "cannot be read");
}

TEST_CASE("status: within() puts an outer place in front, and leaves success alone") {
    const Status inner(Errc::corrupt, "key 'a'", "is wrong", "mend it");
    const Status outer = inner.within("file.gguf");
    CHECK(outer.message() == "file.gguf: key 'a': is wrong; mend it");
    CHECK(outer.code() == Errc::corrupt);
    CHECK(inner.where() == "key 'a'");
    CHECK(Status(Errc::corrupt, "", "is wrong").within("file.gguf").where() == "file.gguf");
    CHECK(Status().within("file.gguf").ok());
}

namespace {

Expected<std::unique_ptr<int>> half_of(int number) {
    if (number % 2 != 0) return Status(Errc::invalid_argument, "number", "is odd");
    return std::make_unique<int>(number / 2);
}

Expected<int> quarter_of(int number) {
    SLUICE_ASSIGN(const auto half, half_of(number));
    SLUICE_ASSIGN(const auto quarter, half_of(*half));
    return *quarter;
}

Status check_quarter(int number, bool& reached_end) {
    SLUICE_TRY(quarter_of(number));
    reached_end = true;
    return {};
}

}  // namespace

TEST_CASE("status: Expected holds a value, also one that only moves, or an error") {
    auto half = half_of(6);
    REQUIRE(half.ok());
    CHECK(**half == 3);
    const std::unique_ptr<int> taken = *std::move(half);
    CHECK(*taken == 3);
    CHECK(half_of(7).status().message() == "number: is odd");
}

TEST_CASE("status: a success without a value is an error") {
    const Expected<int> none = Status();
    REQUIRE(!none.ok());
    CHECK(none.status().message() == "Expected: was given a success without a value; return a value");
}

TEST_CASE("status: SLUICE_TRY and SLUICE_ASSIGN return the first error") {
    CHECK(*quarter_of(12) == 3);
    CHECK(quarter_of(6).status().what() == "is odd");
    bool reached_end = false;
    CHECK(!check_quarter(6, reached_end).ok());
    CHECK(!reached_end);
    CHECK(check_quarter(4, reached_end).ok());
    CHECK(reached_end);
}
