// SPDX-License-Identifier: Apache-2.0
//! Ways to load that are wrong in one way each: true ones around a check that they do not make.
#pragma once

#include <string>
#include <vector>

#include "sluice/contracts/expect_value.hpp"
#include "sluice/contracts/load_laws.hpp"
#include "sluice/contracts/mutant.hpp"
#include "sluice/io/gguf.hpp"

namespace sluice::contracts {

inline std::vector<Mutant> load_mutants(const LoadModel& load) {
    const auto architecture = [](const gguf::File& file) {
        return value_or_throw(file.get<std::string>("general.architecture"));
    };
    const auto siblings = [=](const gguf::File& file) {
        const std::string name = architecture(file);
        return name != "qwen3moe" && name.starts_with("qwen3") ? Status() : load(file);
    };
    const auto by_name = [=](const gguf::File& file) {
        return architecture(file) == "qwen3moe" ? Status() : load(file);
    };
    const auto without_q_norm = [=](const gguf::File& file) {
        const Status status = load(file);
        return status.message().find("attn_q_norm") == std::string::npos ? status : Status();
    };
    const auto any_fault = [=](const gguf::File& file) {
        return load(file).ok() ? Status() : Status(Errc::corrupt, "file", "is not right");
    };
    const auto refusing = [](const gguf::File&) { return Status(Errc::unsupported, "file", "is too small"); };
    const auto only = "load.only_qwen3moe";
    return {
        {"refuses small files", "load.takes_good_files", load_law_list(refusing)},
        {"takes siblings for the architecture", only, load_law_list(siblings)},
        {"does not tell what is wrong", only, load_law_list(any_fault)},
        {"believes the architecture's name alone", "load.every_tensor_is_needed", load_law_list(by_name)},
        {"does without attn_q_norm", "load.every_tensor_is_needed", load_law_list(without_q_norm)},
        {"believes the architecture's name alone", "load.every_tensor_is_read", load_law_list(by_name)},
    };
}

}  // namespace sluice::contracts
