// SPDX-License-Identifier: Apache-2.0
//! Leaves what a run has measured as an evidence file of a contract, with the facts that it means nothing without.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "../../contracts/check/evidence.hpp"
#include "../../samples/bench/build_info.hpp"
#include "../../samples/bench/machine.hpp"
#include "sluice/core/hash.hpp"
#include "sluice/core/status.hpp"
#include "sluice/io/mapped_file.hpp"

namespace sluice::evidence {

//! What was to be shown, whether it was, and by which numbers.
struct Claim {
    std::string contract;  //!< "moe-router-v1"
    unsigned version = 1;
    std::string falsifier;  //!< "V1_003"
    std::string text;
    bool holds = false;
    nlohmann::json figures;
};

//! How it was measured.
struct Run {
    std::string program;  //!< "evidence_NAME" of build/release/bin, built of benchmarks/evidence/NAME.cpp
    std::filesystem::path model;
    std::size_t threads = 0;
};

//! The commit of the source tree, "-dirty" behind it if more than evidence has changed since; or "unknown".
inline std::string git_version() {
    std::FILE* pipe = popen("cd '" SLUICE_SOURCE_DIR
                            "' && git describe --always --exclude='*' 2>/dev/null &&"
                            " git diff --quiet HEAD -- . ':!contracts/evidence'",
                            "r");
    if (pipe == nullptr) return "unknown";
    std::array<char, 256> line{};
    const bool is_there = std::fgets(line.data(), line.size(), pipe) != nullptr;
    const bool is_clean = pclose(pipe) == 0;
    const std::string text = line.data();
    return is_there ? text.substr(0, text.find('\n')) + (is_clean ? "" : "-dirty") : "unknown";
}

//! "2026-01-31", in universal time.
inline std::string today() {
    const std::time_t now = std::time(nullptr);
    std::array<char, 16> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%d", std::gmtime(&now));
    return text.data();
}

//! A file of the source tree by its path there, another one by its name.
inline std::string name_of(const std::filesystem::path& model) {
    const std::string path = std::filesystem::weakly_canonical(model).lexically_relative(SLUICE_SOURCE_DIR).string();
    return path.empty() || path.rfind("..", 0) == 0 ? model.filename().string() : path;
}

//! Writes contracts/evidence/CONTRACT.FALSIFIER.json, and prints it.
inline Status write(const Claim& claim, const Run& run) {
    using nlohmann::ordered_json;
    SLUICE_ASSIGN(const MappedFile model, MappedFile::open(run.model));
    const std::uint64_t memory = std::stoull("0" + bench::proc_value("/proc/meminfo", "MemTotal")) * 1024;
    const std::string source = "benchmarks/evidence/" + run.program.substr(run.program.find('_') + 1) + ".cpp";
    const ordered_json evidence = {
        {"contract", claim.contract},
        {"version", claim.version},
        {"falsifier", claim.falsifier},
        {"claim", claim.text},
        {"holds", claim.holds},
        {"command", "build/release/bin/" + run.program + " " + name_of(run.model) + " " + std::to_string(run.threads)},
        {"date", today()},
        {"git_version", git_version()},
        {"machine", ordered_json{{"cpu", bench::cpu_name()},
                                 {"threads", std::uint64_t{run.threads}},
                                 {"memory_bytes", memory},
                                 {"compiler", bench::compiler}}},
        {"program",
         ordered_json{{"source", source}, {"xxh3", contracts::hash_of_program(SLUICE_SOURCE_DIR "/" + source)}}},
        {"model", ordered_json{{"file", name_of(run.model)}, {"xxh3", to_hex(hash_bytes(model.bytes()))}}},
        {"figures", claim.figures},
    };
    const std::string name = contracts::evidence_name(claim.contract, claim.falsifier);
    contracts::Findings findings;
    contracts::check_evidence(nlohmann::json(evidence), name, findings);
    if (!findings.empty()) return findings.front();
    std::cout << evidence.dump(2) << '\n';
    const std::filesystem::path path = SLUICE_SOURCE_DIR "/contracts/evidence/" + name;
    std::ofstream file(path);
    file << evidence.dump(2) << '\n' << std::flush;
    if (file.good()) return {};
    return Status(Errc::io, path.string(), "cannot be written", "check its folder and disk");
}

//! main() of PROGRAM [MODEL [THREADS]], which calls measure(model, threads). Without `model` there must be one.
template <class Measure>
int run_program(const char* program, Measure measure, int argc, char** argv, std::filesystem::path model = {}) {
    if (argc > 1) model = argv[1];
    const std::size_t threads = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : std::thread::hardware_concurrency();
    if (model.empty() || argc > 3 || threads == 0) {
        std::cerr << "usage: " << program << " MODEL [THREADS]\n";
        return 2;
    }
    const Status status = measure(model, threads);
    if (!status.ok()) std::cerr << program << ": " << status.message() << '\n';
    return status.ok() ? 0 : 1;
}

}  // namespace sluice::evidence
