// SPDX-License-Identifier: Apache-2.0
//! The laws of loading: Qwen3-MoE and nothing else, and nothing of it ignored.
//!
//!     TEST_CASE("my loader keeps the laws") { sluice::contracts::load_laws("my_loader", my_loader); }
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/contracts/check.hpp"
#include "sluice/contracts/random_model.hpp"
#include "sluice/core/status.hpp"
#include "sluice/io/gguf.hpp"

namespace sluice::contracts {

//! Loads a model from a file, and tells whether it could.
using LoadModel = std::function<Status(const gguf::File&)>;

namespace detail {

//! Another architecture's name: a real one, or the right one with a letter more, less or changed.
inline std::string other_architecture(Case& c) {
    std::string name = "qwen3moe";
    const auto at = c.integer<std::size_t>(0, name.size() - 1);
    const char letter = c.pick({'a', 'Q', 'E', '3', '5', '-', ' '});
    switch (c.integer(0, 3)) {
        case 0:
            return c.pick<std::string>(
                {"qwen3", "qwen2moe", "qwen35moe", "qwen3next", "qwen3vlmoe", "llama", "gpt-oss"});
        case 1:
            return name.insert(at + c.integer<std::size_t>(0, 1), 1, letter);
        case 2:
            return name.erase(at, 1);
        default:
            name[at] = name[at] == letter ? 'x' : letter;
            return name;
    }
}

//! It is refused, by the name of what is wrong.
inline void expect_refusal(Case& c, const LoadModel& load, const RandomModel::Oddity& odd, std::string_view name) {
    c.given("wrong", name);
    const Status status = load(RandomModel(c, odd).file());
    c.expect(!status.ok(), "it is loaded");
    c.expect(status.message().find(name) != std::string::npos, "the name is not told: " + status.message());
}

}  // namespace detail

inline std::vector<Law> load_law_list(const LoadModel& load) {
    using namespace detail;
    return {
        {"load.takes_good_files", "A file of Qwen3-MoE, whole and without more, is loaded.",
         [load](Case& c) {
             const Status status = load(RandomModel(c).file());
             c.expect(status.ok(), status.message());
         }},
        {"load.only_qwen3moe", "A file of any other architecture is refused by its name, were it the same otherwise.",
         [load](Case& c) {
             const std::string name = other_architecture(c);
             expect_refusal(c, load, {.architecture = name}, name);
         }},
        {"load.every_tensor_is_needed", "A file without one of the tensors is refused by its name.",
         [load](Case& c) {
             Case same = c;  // draws the same model
             const RandomModel whole(same);
             std::vector<std::string> names;
             for (const gguf::Tensor& tensor : whole.file().tensors()) {
                 const std::string_view name = tensor.name;
                 if (name != "output.weight") names.emplace_back(name.substr(0, name.rfind('.')));  // it may be tied
             }
             const std::string name = same.pick(std::span<const std::string>(names));
             expect_refusal(c, load, {.left_out = name}, name);
         }},
        {"load.every_tensor_is_read", "A file with a tensor that would be ignored is refused by its name.",
         [load](Case& c) {
             const std::string name = c.pick<std::string>(
                 {"blk.0.attn_q.bias", "blk.0.ffn_gate_shexp", "blk.7.attn_norm", "rope_freqs", "anything"});
             expect_refusal(c, load, {.added = name}, name);
         }},
    };
}

inline void load_laws(std::string_view subject, const LoadModel& load) { check_laws(subject, load_law_list(load)); }

}  // namespace sluice::contracts
