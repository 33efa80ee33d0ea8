// SPDX-License-Identifier: Apache-2.0
#include "sluice/model/shape.hpp"

#include <doctest/doctest.h>
#include <string_view>
#include <utility>

using namespace sluice;

namespace {

constexpr shape::Dynamic real{48, 2048, 32, 4, 128, 128, 8, 768, 151936};

}  // namespace

TEST_CASE("shape: the file's sizes as they are, or as the compile-time ones they equal") {
    const auto dynamic = shape::as<shape::Dynamic>(real);
    REQUIRE(dynamic.ok());
    CHECK(dynamic->expert_ff == 768);
    CHECK(shape::as<shape::Qwen3_30B_A3B>(real).ok());
}

TEST_CASE("shape: a size that differs from the compiled one is named, with both numbers") {
    const std::pair<std::size_t shape::Dynamic::*, std::string_view> members[] = {
        {&shape::Dynamic::layers, "layers"},
        {&shape::Dynamic::hidden, "hidden"},
        {&shape::Dynamic::heads, "heads"},
        {&shape::Dynamic::kv_heads, "kv_heads"},
        {&shape::Dynamic::head_dim, "head_dim"},
        {&shape::Dynamic::experts, "experts"},
        {&shape::Dynamic::experts_used, "experts_used"},
        {&shape::Dynamic::expert_ff, "expert_ff"},
        {&shape::Dynamic::vocab, "vocab"}};
    for (const auto& [member, name] : members) {
        shape::Dynamic other = real;
        other.*member += 1;
        const auto refused = shape::as<shape::Qwen3_30B_A3B>(other);
        REQUIRE(!refused.ok());
        CHECK(refused.status().code() == Errc::unsupported);
        CHECK(refused.status().where() == name);
        CHECK(refused.status().what() == "the file has " + std::to_string(real.*member + 1) +
                                             ", this pipeline was compiled for " + std::to_string(real.*member));
        CHECK(refused.status().mend() == "use shape::Dynamic, or a file of the compiled shape");
    }
}
