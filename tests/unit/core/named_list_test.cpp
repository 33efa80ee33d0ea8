// SPDX-License-Identifier: Apache-2.0
#include "sluice/core/named_list.hpp"

#include <doctest/doctest.h>
#include <string_view>

using namespace sluice;

namespace {

struct Fruit {
    std::string_view name;
    int price;
};
using Fruits = NamedList<Fruit, &Fruit::name>;

}  // namespace

TEST_CASE("named_list: keeps the order and finds by name") {
    const Fruits fruits({{"pear", 3}, {"apple", 2}, {"fig", 5}});
    REQUIRE(fruits.items().size() == 3);
    CHECK(fruits.items()[0].name == "pear");
    for (const Fruit& fruit : fruits.items()) CHECK(fruits.find(fruit.name) == &fruit);
    for (const auto* absent : {"", "appl", "apples", "zebra"}) CHECK(fruits.find(absent) == nullptr);
    CHECK(fruits.duplicate() == nullptr);
}

TEST_CASE("named_list: an empty list finds nothing") {
    CHECK(Fruits().find("fig") == nullptr);
    CHECK(Fruits().duplicate() == nullptr);
}

TEST_CASE("named_list: points to the later of two items of one name") {
    const Fruits fruits({{"fig", 1}, {"apple", 2}, {"fig", 3}});
    REQUIRE(fruits.duplicate() != nullptr);
    CHECK(fruits.duplicate()->price == 3);
}

TEST_CASE("named_list: survives a move") {
    Fruits fruits({{"pear", 3}, {"apple", 2}});
    const Fruits moved = std::move(fruits);
    REQUIRE(moved.find("apple") != nullptr);
    CHECK(moved.find("apple")->price == 2);
}
