// SPDX-License-Identifier: Apache-2.0
#include "sluice/io/gguf.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "sluice/contracts/gguf_laws.hpp"
#include "sluice/contracts/mutants/gguf_mutants.hpp"

using namespace sluice;
using namespace sluice::contracts;

namespace {

template <class T>
std::string raw(T number) {
    return {reinterpret_cast<const char*>(&number), sizeof number};
}

std::optional<GgufContent> read_by_file(std::span<const std::byte> bytes) {
    const auto file = gguf::File::from_bytes(bytes, "drawn");
    if (!file.ok()) return std::nullopt;
    const auto text = [](std::span<const std::byte> of) {
        return std::string(reinterpret_cast<const char*>(of.data()), of.size());
    };
    GgufContent content;
    for (const auto& [key, value] : file->metadata()) {
        const bool is_array = value.type() == gguf::ValueType::array;
        const std::string head =
            is_array ? raw(static_cast<std::uint32_t>(value.element_type())) + raw(value.count()) : "";
        content.keys.push_back(
            {std::string(key), static_cast<std::uint32_t>(value.type()), {}, head + text(value.bytes())});
    }
    for (const gguf::Tensor& tensor : file->tensors()) {
        const auto extents = tensor.extents();
        content.tensors.push_back({std::string(tensor.name),
                                   static_cast<std::uint32_t>(tensor.format),
                                   {extents.begin(), extents.end()},
                                   text(tensor.bytes)});
    }
    return content;
}

}  // namespace

TEST_CASE("gguf laws: gguf::File") { gguf_laws("gguf::File", read_by_file); }
TEST_CASE("gguf laws: kept by the reader of the mutants, without a fault") {
    gguf_laws("PlainGguf", mutants::PlainGguf::reader(mutants::GgufFault::none));
}
TEST_CASE("gguf mutants: each is caught by its law") { check_mutants(gguf_mutants()); }
