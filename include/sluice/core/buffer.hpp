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

namespace sluice {

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
    explicit Buffer(std::size_t size) : data_(allocate(size)), size_(size) {}

    T* data() { return data_.get(); }
    const T* data() const { return data_.get(); }
    std::size_t size() const { return size_; }
    T& operator[](std::size_t i) { return data_[i]; }
    const T& operator[](std::size_t i) const { return data_[i]; }
    std::span<T> span(std::size_t first, std::size_t count) { return {data() + first, count}; }
    std::span<const T> span(std::size_t first, std::size_t count) const { return {data() + first, count}; }

private:
    static T* allocate(std::size_t size) {
        if (size > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_array_new_length();
        return static_cast<T*>(
            ::operator new (std::max<std::size_t>(size, 1) * sizeof(T), std::align_val_t{alignment}));
    }

    struct Free {
        void operator()(T* p) const { ::operator delete (p, std::align_val_t{alignment}); }
    };
    std::unique_ptr<T[], Free> data_;
    std::size_t size_ = 0;
};

}  // namespace sluice
