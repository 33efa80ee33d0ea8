// SPDX-License-Identifier: Apache-2.0
//! Items in the order they came, that can also be found by name.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
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
        std::stable_sort(by_name_.begin(), by_name_.end(),
                         [this](std::size_t a, std::size_t b) { return name_of(a) < name_of(b); });
    }

    std::span<const Item> items() const { return items_; }

    //! The item of that name, or nullptr. Takes logarithmic time.
    const Item* find(std::string_view wanted) const {
        const auto at =
            std::lower_bound(by_name_.begin(), by_name_.end(), wanted,
                             [this](std::size_t index, std::string_view text) { return name_of(index) < text; });
        return at != by_name_.end() && name_of(*at) == wanted ? &items_[*at] : nullptr;
    }

    //! The second item of some name that two items have, or nullptr.
    const Item* duplicate() const {
        const auto at = std::adjacent_find(by_name_.begin(), by_name_.end(),
                                           [this](std::size_t a, std::size_t b) { return name_of(a) == name_of(b); });
        return at == by_name_.end() ? nullptr : &items_[*std::next(at)];
    }

private:
    std::string_view name_of(std::size_t index) const { return items_[index].*name; }

    std::vector<Item> items_;
    std::vector<std::size_t> by_name_;
};

}  // namespace sluice
