// SPDX-License-Identifier: Apache-2.0
//! Any bytes given to the GGUF reader end in an error or in a file whose every value and tensor can be read.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "sluice/io/gguf.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sluice;
    const auto file = gguf::File::from_bytes(std::as_bytes(std::span(data, size)), "fuzz");
    if (!file.ok()) return 0;
    [[maybe_unused]] volatile std::byte seen{};
    for (const auto& [key, value] : file->metadata()) {
        if (file->find(key) != &value) __builtin_trap();
        (void)value.as<std::uint32_t>();
        (void)value.as<std::string_view>();
        (void)value.as<std::vector<std::string_view>>();
        (void)value.as<std::vector<double>>();
    }
    for (const gguf::Tensor& tensor : file->tensors()) {
        if (file->tensor(tensor.name) != &tensor) __builtin_trap();
        seen = tensor.bytes.front();
        seen = tensor.bytes.back();
    }
    return 0;
}
