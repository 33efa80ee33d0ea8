// SPDX-License-Identifier: Apache-2.0
//! The Shape policies: a model's sizes, read from its file or fixed at compile time. Code uses both alike:
//! `shape.hidden`.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

#include "sluice/core/status.hpp"

namespace sluice::shape {

//! Sizes known when the file is opened.
struct Dynamic {
    std::size_t layers = 0;        //!< transformer layers
    std::size_t hidden = 0;        //!< width of the residual stream
    std::size_t heads = 0;         //!< query heads
    std::size_t kv_heads = 0;      //!< key/value heads; heads is a multiple
    std::size_t head_dim = 0;      //!< a multiple of 16; heads * head_dim need not be hidden
    std::size_t experts = 0;       //!< in each layer
    std::size_t experts_used = 0;  //!< by each row
    std::size_t expert_ff = 0;     //!< width of one expert
    std::size_t vocab = 0;         //!< tokens: rows of the embedding
};

//! Qwen3-30B-A3B, Qwen3-Coder-30B-A3B and their fine-tunes.
struct Qwen3_30B_A3B {
    static constexpr std::size_t layers = 48, hidden = 2048, heads = 32, kv_heads = 4, head_dim = 128, experts = 128,
                                 experts_used = 8, expert_ff = 768, vocab = 151936;
};

//! Has the members of Dynamic.
template <class S>
concept Shape = requires(const S& s) {
    { s.layers } -> std::convertible_to<std::size_t>;
    { s.hidden } -> std::convertible_to<std::size_t>;
    { s.heads } -> std::convertible_to<std::size_t>;
    { s.kv_heads } -> std::convertible_to<std::size_t>;
    { s.head_dim } -> std::convertible_to<std::size_t>;
    { s.experts } -> std::convertible_to<std::size_t>;
    { s.experts_used } -> std::convertible_to<std::size_t>;
    { s.expert_ff } -> std::convertible_to<std::size_t>;
    { s.vocab } -> std::convertible_to<std::size_t>;
};

//! `found` as an S; a compile-time S that differs is an error that names the first differing size.
template <Shape S>
Expected<S> as(const Dynamic& found) {
    if constexpr (std::same_as<S, Dynamic>) {
        return found;
    } else {
        struct Size {
            std::string_view name;
            std::size_t found, compiled;
        };
        constexpr S s{};
        const std::array<Size, 9> sizes = {{{"layers", found.layers, s.layers},
                                            {"hidden", found.hidden, s.hidden},
                                            {"heads", found.heads, s.heads},
                                            {"kv_heads", found.kv_heads, s.kv_heads},
                                            {"head_dim", found.head_dim, s.head_dim},
                                            {"experts", found.experts, s.experts},
                                            {"experts_used", found.experts_used, s.experts_used},
                                            {"expert_ff", found.expert_ff, s.expert_ff},
                                            {"vocab", found.vocab, s.vocab}}};
        for (const Size& size : sizes) {
            if (size.found == size.compiled) continue;
            return Status(Errc::unsupported, std::string(size.name),
                          "the file has " + std::to_string(size.found) + ", this pipeline was compiled for " +
                              std::to_string(size.compiled),
                          "use shape::Dynamic, or a file of the compiled shape");
        }
        return s;
    }
}

}  // namespace sluice::shape
