// SPDX-License-Identifier: Apache-2.0
//! Arrays in the memory of any device, which the host reads by copies. Errors are exceptions: they end a test case, or
//! the case of a law.
#pragma once

#include <cstddef>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "sluice/core/status.hpp"
#include "sluice/cuda/memory.hpp"

namespace sluice::test {

inline void end_if_bad(const Status& status) {
    if (!status.ok()) throw std::runtime_error(status.message());
}

template <class T>
T value_or_end(Expected<T> expected) {
    if (!expected.ok()) end_if_bad(expected.status());
    return std::move(*expected);
}

template <cuda::Device D>
D new_device() {
    if constexpr (requires { D::create(); }) {
        return value_or_end(D::create());
    } else {
        return D();
    }
}

//! One for those who are given none.
template <cuda::Device D>
D& shared_device() {
    static D device = new_device<D>();
    return device;
}

//! Whether a device counts its launches, as the emulated one does.
template <cuda::Device D>
inline constexpr bool counts_launches = requires(const D& device) {
    device.launches();
};

//! So far; 0 where they are not counted.
template <cuda::Device D>
std::size_t launches(const D& device) {
    if constexpr (counts_launches<D>) return device.launches();
    return 0;
}

//! Every block of the kernel's grid.
template <cuda::Device D, class Kernel>
void launch(D& device, const Kernel& kernel) {
    device.launch(kernel, kernel.grid());
}

template <cuda::Device D, class T>
class OnDevice {
public:
    OnDevice(D& device, std::size_t size)
        : device_(&device), array_(value_or_end(cuda::DeviceArray<D, T>::allocate(size))) {}
    OnDevice(D& device, std::span<const T> values) : OnDevice(device, values.size()) { write(values); }
    OnDevice(D& device, const std::vector<T>& values) : OnDevice(device, std::span<const T>(values)) {}

    T* data() const { return array_.data(); }
    std::size_t size() const { return array_.size(); }

    void write(std::span<const T> values) {
        device_->to_device(data(), values.data(), values.size_bytes());
        end_if_bad(device_->finish());
    }
    //! As all launches so far have left it. An error is the first one of these.
    std::vector<T> read() const {
        std::vector<T> values(size());
        device_->to_host(values.data(), data(), size() * sizeof(T));
        end_if_bad(device_->finish());
        return values;
    }

private:
    D* device_;
    cuda::DeviceArray<D, T> array_;
};

}  // namespace sluice::test
