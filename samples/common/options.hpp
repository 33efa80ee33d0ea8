// SPDX-License-Identifier: Apache-2.0
//! The flags that several programs have. Names and meanings are llama.cpp's where it has the same flag.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "command_line.hpp"
#include "sluice/pipeline/pipeline.hpp"

namespace samples {

//! The story model that comes with Sluice: in the source tree, or else next to the running program.
std::filesystem::path embedded_model();

//! Which model, and how it is loaded.
struct ModelOptions {
    std::filesystem::path path = embedded_model();
    sluice::LoadOptions load;

    void add_to(CommandLine& flags);
};

//! How tokens are chosen, and when to stop.
struct GenerationOptions {
    sluice::SamplingParams sampling;
    std::int64_t max_tokens = -1;  //!< -1: until the model stops or the context is full
    std::int64_t seed = -1;        //!< -1: a fresh one
    std::vector<std::string> stop;
    bool ignore_stop_tokens = false;
    std::string draft = "none";

    void add_to(CommandLine& flags);

    //! For Pipeline::generate; draws the seed if none was given.
    sluice::GenerateOptions to_generate(const std::atomic<bool>& cancel) const;
};

//! What a conversation starts with.
struct ChatOptions {
    std::optional<std::string> system;
    bool no_think = false;

    void add_to(CommandLine& flags);

    //! No messages yet, but for the system's.
    std::vector<sluice::chat::Message> start() const;
    sluice::chat::Options options() const;
};

}  // namespace samples
