// SPDX-License-Identifier: Apache-2.0
//! Memory for numbers: a fixed-size array on a 64-byte boundary.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "sluice/core/huge_pages.hpp"

namespace sluice {

//! Pages of memory to ask the system for. With `huge` ones, of 2 MiB, the processor looks up addresses far less often;
//! memory is taken in pieces of that size as it is first written. Where the system has none they are usual ones.
enum class Pages { usual, huge };

//! `size` T's aligned for the widest vector and the cache line, allocated once and never resized. The contents start
//! unspecified: a large cache costs no memory until it is written.
template <class T>
class Buffer {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    static constexpr std::size_t alignment = 64;

    Buffer() = default;
    Buffer(Buffer&& other) noexcept : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}
    Buffer& operator=(Buffer&& other) noexcept {
        data_ = std::move(other.data_);
        size_ = std::exchange(other.size_, 0);
        return *this;
    }
    //! Throws std::bad_alloc where there is not enough memory, as any container.
    explicit Buffer(std::size_t size, Pages pages = Pages::usual) : data_(allocate(size, pages)), size_(size) {}

    T* data() { return data_.get(); }
    const T* data() const { return data_.get(); }
    std::size_t size() const { return size_; }
    T& operator[](std::size_t i) { return data_[i]; }
    const T& operator[](std::size_t i) const { return data_[i]; }
    std::span<T> span(std::size_t first, std::size_t count) { return {data() + first, count}; }
    std::span<const T> span(std::size_t first, std::size_t count) const { return {data() + first, count}; }

private:
    static constexpr std::size_t huge_page = std::size_t{2} << 20;

    struct Free {
        std::align_val_t alignment;
        void operator()(T* p) const { ::operator delete(p, alignment); }
    };
    using Memory = std::unique_ptr<T[], Free>;

    static Memory allocate(std::size_t size, Pages pages) {
        if (size > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_array_new_length();
        const std::size_t bytes = std::max<std::size_t>(size, 1) * sizeof(T);
        const bool is_huge = pages == Pages::huge && bytes >= huge_page;
        const std::align_val_t aligned{is_huge ? huge_page : alignment};
        Memory memory(static_cast<T*>(::operator new(bytes, aligned)), Free{aligned});
        if (is_huge) prefer_huge_pages(memory.get(), bytes);
        return memory;
    }

    Memory data_{nullptr, Free{std::align_val_t{alignment}}};
    std::size_t size_ = 0;
};

}  // namespace sluice
