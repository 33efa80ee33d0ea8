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
//! - `allocate_host(bytes)`, `release_host(p)`: memory of the host that copies reach without a stop on the way;
//! - `memory()`: how much is free;
//! - `to_device` and `to_host`: copies, in order with the launches; the host's memory must live until finish();
//! - `launch(kernel, grid)`: runs a kernel (cuda/context.hpp) of a default-constructible type on every block of a grid;
//! - `record(graph, enqueue)` keeps the launches that enqueue() makes in a D::Graph, without running them;
//!   `launch(graph)` runs them again, at the cost of one launch;
//! - `finish()`: waits for all of that, and returns its first error;
//! - `mark()`, `wait_for_mark()`: the same for what came before the last mark, while what came behind it runs on.
template <class D>
concept Device = requires(D& device, void* p, const void* from, std::size_t bytes, typename D::Graph& graph,
                          void (*enqueue)()) {
    { D::allocate(bytes) } -> std::same_as<void*>;
    D::release(p);
    { D::allocate_host(bytes) } -> std::same_as<void*>;
    D::release_host(p);
    { device.memory() } -> std::same_as<MemoryUse>;
    device.to_device(p, from, bytes);
    device.to_host(p, from, bytes);
    device.record(graph, enqueue);
    device.launch(graph);
    { device.finish() } -> std::same_as<Status>;
    device.mark();
    { device.wait_for_mark() } -> std::same_as<Status>;
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

//! Ts, by number, that a device sends to the host, which may go on while they are on the way.
template <Device D, class T>
class Mailbox {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    static Expected<Mailbox> create(std::size_t size) {
        Mailbox box;
        box.letters_.reset(static_cast<T*>(D::allocate_host(size * sizeof(T))));
        if (box.letters_ == nullptr) {
            return Status(Errc::out_of_capacity, "cuda", "no host memory that the device reaches", "free some memory");
        }
        return box;
    }

    //! Sends the T at `from` as number i, in order with the launches.
    void send(D& device, std::size_t i, const T* from) {
        device.to_host(letters_.get() + i, from, sizeof(T));
        device.mark();
    }
    //! Number i, once all that was sent is there, or the first error on the way.
    Expected<T> receive(D& device, std::size_t i) const {
        SLUICE_TRY(device.wait_for_mark());
        return letters_.get()[i];
    }

private:
    struct Release {
        void operator()(T* p) const { D::release_host(p); }
    };
    std::unique_ptr<T, Release> letters_;
};

//! A copy of `values` on the device.
template <Device D, class T>
Expected<DeviceArray<D, T>> copy_to(D& device, std::span<const T> values) {
    SLUICE_ASSIGN(auto array, (DeviceArray<D, T>::allocate(values.size())));
    device.to_device(array.data(), values.data(), values.size_bytes());
    return array;
}

}  // namespace sluice::cuda
