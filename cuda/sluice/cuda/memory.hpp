// SPDX-License-Identifier: Apache-2.0
//! The device as the host sees it: its memory, copies and launches. Launches and copies to the device return at once
//! and run in order; their errors are kept for finish().
#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "sluice/core/status.hpp"
#include "sluice/cuda/context.hpp"

namespace sluice::cuda {

inline constexpr std::size_t memory_alignment = 256;  //!< of every allocation

//! Bytes of a device's memory.
struct MemoryUse {
    std::size_t free = 0, total = 0;
};

//! - `allocate(bytes)`: memory of the device, or nullptr; `release(p)` gives it back;
//! - `memory()`: how much is free;
//! - `to_device` and `to_host`: copies, in order with the launches; the host's memory must live until finish();
//! - `launch(kernel, grid)`: runs a kernel (cuda/context.hpp) of a default-constructible type on every block of a grid;
//! - `record(graph, enqueue)` keeps the launches that enqueue() makes in a D::Graph, without running them;
//!   `launch(graph)` runs them again, at the cost of one launch;
//! - `finish()`: waits for all of that, and returns its first error.
template <class D>
concept Device = requires(D& device, void* p, const void* from, std::size_t bytes, typename D::Graph& graph,
                          void (*enqueue)()) {
    { D::allocate(bytes) } -> std::same_as<void*>;
    D::release(p);
    { device.memory() } -> std::same_as<MemoryUse>;
    device.to_device(p, from, bytes);
    device.to_host(p, from, bytes);
    device.record(graph, enqueue);
    device.launch(graph);
    { device.finish() } -> std::same_as<Status>;
};

//! An array in the memory of a D.
template <Device D, class T>
class DeviceArray {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    DeviceArray() = default;

    //! Uninitialized, or an error where the memory is full.
    static Expected<DeviceArray> allocate(std::size_t size) {
        DeviceArray array;
        if (size == 0) return array;
        array.data_.reset(static_cast<T*>(D::allocate(size * sizeof(T))));
        array.size_ = size;
        if (array.data_ == nullptr) {
            return Status(Errc::out_of_capacity, "cuda", "no memory for " + std::to_string(size * sizeof(T)) + " bytes",
                          "load with a smaller context or batch, or a smaller model");
        }
        return array;
    }

    T* data() const { return data_.get(); }
    std::size_t size() const { return size_; }

private:
    struct Release {
        void operator()(T* p) const { D::release(const_cast<std::remove_const_t<T>*>(p)); }
    };
    std::unique_ptr<T, Release> data_;
    std::size_t size_ = 0;
};

//! A copy of `values` on the device.
template <Device D, class T>
Expected<DeviceArray<D, T>> copy_to(D& device, std::span<const T> values) {
    SLUICE_ASSIGN(auto array, (DeviceArray<D, T>::allocate(values.size())));
    device.to_device(array.data(), values.data(), values.size_bytes());
    return array;
}

}  // namespace sluice::cuda
