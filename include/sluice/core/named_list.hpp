// SPDX-License-Identifier: Apache-2.0
//! Items in the order they came, that can also be found by name.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <numeric>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {

//! `name` is the member that names an item; the characters it points to must outlive the list.
template <class Item, std::string_view Item::*name>
class NamedList {
public:
    NamedList() = default;
    explicit NamedList(std::vector<Item> items) : items_(std::move(items)), by_name_(items_.size()) {
        std::iota(by_name_.begin(), by_name_.end(), std::size_t{0});
        std::ranges::stable_sort(by_name_, {}, name_of());
    }

    std::span<const Item> items() const { return items_; }

    //! The item of that name, or nullptr. Takes logarithmic time.
    const Item* find(std::string_view wanted) const {
        const auto at = std::ranges::lower_bound(by_name_, wanted, {}, name_of());
        return at != by_name_.end() && items_[*at].*name == wanted ? &items_[*at] : nullptr;
    }

    //! The second item of some name that two items have, or nullptr.
    const Item* duplicate() const {
        const auto at = std::ranges::adjacent_find(by_name_, {}, name_of());
        return at == by_name_.end() ? nullptr : &items_[*std::next(at)];
    }

private:
    auto name_of() const {
        return [this](std::size_t index) { return items_[index].*name; };
    }

    std::vector<Item> items_;
    std::vector<std::size_t> by_name_;
};

}  // namespace sluice
