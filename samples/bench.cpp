// SPDX-License-Identifier: Apache-2.0
//! Measures the speed of a model on this machine: prompt tokens and generated tokens a second, with the habits of
//! llama.cpp's llama-bench. The forward pass alone is timed: no sampling, no text.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "bench/build_info.hpp"
#include "bench/machine.hpp"
#include "bench/report.hpp"
#include "bench/runner.hpp"
#include "common/command_line.hpp"
#include "common/device.hpp"
#include "common/load.hpp"
#include "common/options.hpp"
#include "common/terminal.hpp"
#include "sluice/core/hash.hpp"
#include "sluice/cpu/simd.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/io/mapped_file.hpp"
#include "sluice/pipeline/pipeline.hpp"
#include "sluice/pipeline/policies.hpp"

namespace {

using namespace sluice;
using namespace sluice::bench;

struct Flags {
    std::filesystem::path model = samples::embedded_model();
    std::size_t prompt = 512, generate = 128, depth = 0, batch = 512, sequences = 1, repetitions = 5;
    std::size_t interleave_mib = LoadOptions().interleave_limit >> 20;
    std::size_t threads = std::max(1U, std::thread::hardware_concurrency());
    std::string output = "md", device = "cpu", kv = "f16";
    bool no_bandwidth = false;
};

//! Tells files apart without reading gigabytes: XXH3-64 of 64 evenly spaced pieces of 64 KiB, each seeded with the hash
//! of those before it; of the whole file where that is no more.
Expected<std::string> sample_hash(const std::filesystem::path& path) {
    constexpr std::size_t pieces = 64, piece_size = 65536;
    SLUICE_ASSIGN(const MappedFile file, MappedFile::open(path));
    if (file.size() <= pieces * piece_size) return to_hex(hash_bytes(file.bytes()));
    std::uint64_t hash = 0;
    for (std::size_t i = 0; i < pieces; ++i) {
        const std::size_t start = (file.size() - piece_size) * i / (pieces - 1);
        hash = hash_bytes(file.bytes().subspan(start, piece_size), hash);
    }
    return to_hex(hash);
}

//! What is the same for all tests of the run.
Expected<Record> facts_of(const gguf::File& file, const Flags& flags) {
    SLUICE_ASSIGN(const std::string name, file.get_or<std::string>("general.name", "unnamed"));
    SLUICE_ASSIGN(const std::string hash, sample_hash(flags.model));
    return Record{{"build_version", std::string(build_version)},
                  {"build_compiler", std::string(compiler)},
                  {"build_flags", std::string(build_flags)},
                  {"build_instructions", std::string(simd::Native::name)},
                  {"cpu", cpu_name()},
                  {"device", flags.device},
                  {"model_file", flags.model.string()},
                  {"model_name", name},
                  {"model_bytes", file.file_bytes()},
                  {"model_sample_xxh3", hash},
                  {"type_kv", flags.kv},
                  {"n_batch", std::uint64_t{flags.batch}},
                  {"interleave_limit_mib", std::uint64_t{flags.interleave_mib}}};
}

template <class P>
Status run(const Flags& flags) {
    SLUICE_ASSIGN(const gguf::File file, gguf::File::open(flags.model));
    SLUICE_ASSIGN(const Record facts, facts_of(file, flags));
    const std::size_t capacity = flags.depth + std::max(flags.prompt, flags.generate);
    samples::Progress progress("");
    const auto load_progress = samples::shown_on(progress, {.path = flags.model, .load = {}}).progress;
    SLUICE_ASSIGN(auto runner, Runner<P>::create(file, flags.threads, flags.batch, flags.sequences, capacity,
                                                 flags.interleave_mib << 20, load_progress));

    std::vector<Result> results;
    for (const Test& test : {Test{Test::Kind::prefill, flags.prompt, flags.depth, flags.sequences},
                             Test{Test::Kind::decode, flags.generate, flags.depth, flags.sequences}}) {
        if (test.tokens == 0) continue;
        const auto show = [&](std::size_t i) {
            const std::string which =
                i == 0 ? "warming up" : std::to_string(i) + " of " + std::to_string(flags.repetitions);
            progress.show(test.name() + ": " + which);
        };
        SLUICE_ASSIGN(std::vector<double> rates, runner.time(test, flags.repetitions, show));
        for (double& rate : rates) rate = static_cast<double>(test.tokens * test.sequences) / rate;
        results.push_back({test, flags.threads, std::move(rates), runner.bytes_per_token(), std::nullopt,
                           memory_bytes("VmHWM"), memory_bytes("RssAnon")});
    }
    if constexpr (Executor<typename P::Executor>) {
        if (!flags.no_bandwidth) {
            progress.show("measuring the memory");  // last, as it would count in the peak
            const double rate = read_bandwidth(runner.executor());
            for (Result& result : results) result.memory_rate = rate;
        }
    }
    progress.show("");

    std::vector<Record> records;
    for (const Result& result : results) records.push_back(record(facts, result));
    std::cout << (flags.output == "json"  ? to_json(records)
                  : flags.output == "csv" ? to_csv(records)
                                          : to_markdown(facts, results));
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    Flags flags;
    samples::CommandLine line("bench",
                              "Measures prompt tokens (pp) and generated tokens (tg) a second: mean and standard\n"
                              "deviation of the repetitions, after one that is not counted.");
    constexpr std::size_t most = 1U << 20U;
    line.add("-m,--model", flags.model, "GGUF model file [the story model]");
    samples::add_device(line, flags.device);
    line.add<std::size_t>("-p,--n-prompt", flags.prompt, "tokens of the prompt; 0: no such test [512]", 0, most);
    line.add<std::size_t>("-n,--n-gen", flags.generate, "tokens to generate; 0: no such test [128]", 0, most);
    line.add<std::size_t>("-d,--n-depth", flags.depth, "tokens that come before them [0]", 0, most);
    line.add<std::size_t>("-b,--batch-size,--batch", flags.batch, "prompt tokens in one forward pass [512]", 1, most);
    line.add<std::size_t>("--parallel", flags.sequences, "sequences that advance together; rates are of all [1]", 1,
                          256);
    samples::add_cache(line, flags.kv);
    line.add<std::size_t>("--interleave-limit", flags.interleave_mib,
                          "MiB of weights up to which they are copied into the kernels' own layout [512]", 0, most);
    line.add<std::size_t>("-t,--threads", flags.threads, "threads [as many as the machine has]", 1, 1024);
    line.add<std::size_t>("-r,--repetitions", flags.repetitions, "times that each test is run [5]", 1, most);
    line.add("-o,--output", flags.output, {"md", "json", "csv"}, "what to print [md]");
    line.add("--no-bandwidth", flags.no_bandwidth,
             "do not measure the memory's read bandwidth; on a device it is not measured");
    if (const auto code = line.parse(argc, argv)) return *code;
    if (flags.prompt + flags.generate == 0) return line.usage_error("-p 0 and -n 0 leave nothing to measure");
    return line.exit_code(samples::on_device(flags.device, [&]<class P>() {
        return samples::with_cache<P>(flags.kv, [&]<class Cached>() { return run<Cached>(flags); });
    }));
}
