// SPDX-License-Identifier: Apache-2.0
//! Serves a model over HTTP with OpenAI's API.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <iostream>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/device.hpp"
#include "common/files.hpp"
#include "common/interrupt.hpp"
#include "common/load.hpp"
#include "serve/page.hpp"
#include "sluice/server/engine.hpp"
#include "sluice/server/http.hpp"
#include "sluice/server/service.hpp"
#include "sluice/sluice.hpp"

namespace {

using namespace sluice;

constexpr auto description = R"(Serves a model over HTTP with OpenAI's API, and a chat page at /.

  POST /v1/chat/completions, /v1/completions      GET /v1/models
  POST /tokenize, /detokenize, /apply-template    GET /health, /metrics, /props

SIGTERM and Ctrl-C let running answers end, up to --drain; a second one ends the program at once, and so does the first
while the model is being loaded.
The context (-c) is each slot's: the cache takes --parallel times its memory.)";

struct Options {
    samples::ModelOptions model;
    std::string device = "cpu";
    std::string host = "127.0.0.1";
    std::int32_t port = 8080;
    std::size_t parallel = 4;
    server::EngineOptions engine;
    std::vector<std::string> api_keys;
    std::filesystem::path api_key_file;
    std::string cors_origin;
    std::size_t keep_alive_s = 10, drain_s = 4;
    std::string log = "requests";

    void add_to(samples::CommandLine& flags) {
        model.add_to(flags);
        samples::add_device(flags, device);
        flags.group("Server");
        flags.add("--host", host, "the address to listen on [127.0.0.1]");
        flags.add("--port", port, "0: a free one [8080]", 0, 65535);
        flags.add("--parallel", parallel, "answers that run at once [4]", std::size_t{1}, std::size_t{256});
        flags.add("--queue", engine.queue, "requests that may wait for a slot; more are told to come back [64]");
        flags.add("--prefill-chunk", engine.prefill_chunk,
                  "tokens of new prompts that running answers wait for at a time [64]", std::size_t{1});
        flags.add("--api-key", api_keys, "asks for this key; may be given many times, also as SLUICE_API_KEY");
        flags.add("--api-key-file", api_key_file, "asks for one of the keys in a file, one a line");
        flags.add("--cors", cors_origin, "lets the pages of this origin ask, or of any with '*' [none but its own]");
        flags.add("--keep-alive", keep_alive_s, "seconds of silence after which a stream gets a comment [10]",
                  std::size_t{1}, std::size_t{3600});
        flags.add("--drain", drain_s, "seconds that running answers get at the end [4]", std::size_t{0},
                  std::size_t{3600});
        flags.add("--log", log, {"requests", "none"},
                  "requests: a line on standard error for each, but for /health and /metrics [requests]");
    }
};

//! The keys of the flags, the file and the environment.
Expected<std::vector<std::string>> api_keys(const Options& o) {
    std::vector<std::string> keys = o.api_keys;
    if (const char* key = std::getenv("SLUICE_API_KEY")) keys.emplace_back(key);
    if (!o.api_key_file.empty()) {
        SLUICE_ASSIGN(const std::string text, samples::read_file(o.api_key_file));
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) {
            if (line.ends_with('\r')) line.pop_back();
            keys.push_back(line);
        }
    }
    for (const std::string& key : keys) {
        if (key.empty()) return Status(Errc::invalid_argument, "--api-key", "is empty", "give a key, or leave it out");
    }
    return keys;
}

Status check_origin(const std::string& origin) {
    const bool is_origin = origin.starts_with("http://") || origin.starts_with("https://");
    const bool is_plain = std::all_of(origin.begin(), origin.end(), [](char c) { return c > ' ' && c < '\x7F'; });
    if (origin.empty() || origin == "*" || (is_origin && is_plain && origin.back() != '/')) return {};
    return Status(Errc::invalid_argument, "--cors", quote(origin) + " is not an origin",
                  "give one as https://example.org, or '*'");
}

//! Loads the model into `engine`, and serves until a signal comes and the answers are done.
template <class P>
Status run(const Options& o, server::Service<P>& service, std::unique_ptr<server::Engine<P>>& engine,
           const std::atomic<bool>& interrupted) {
    constexpr std::chrono::milliseconds glance(20);
    auto loading = std::async(std::launch::async, [&o] {
        samples::Progress line("");
        return LoadedModel<P>::load(o.model.path, samples::shown_on(line, o.model), o.parallel);
    });
    while (loading.wait_for(glance) != std::future_status::ready) {
        if (interrupted) std::_Exit(0);  // nobody waits for an answer, and loading cannot be broken off
    }
    SLUICE_ASSIGN(auto model, loading.get());
    engine = std::make_unique<server::Engine<P>>(std::move(model), o.engine);
    service.ready(*engine);
    while (!interrupted) std::this_thread::sleep_for(glance);
    engine->drain(std::chrono::seconds(o.drain_s));
    return {};
}

template <class P>
Status serve(const Options& o) {
    SLUICE_ASSIGN(std::vector<std::string> keys, api_keys(o));
    SLUICE_TRY(check_origin(o.cors_origin));
    std::mutex log_mutex;
    const auto log = [&](const std::string& line) {
        const std::lock_guard lock(log_mutex);
        std::cerr << "serve: " + line + '\n';
    };
    server::HttpServer http;
    server::ServiceOptions options{.model_name = o.model.path.stem().string(),
                                   .page = samples::chat_page,
                                   .access = {.api_keys = std::move(keys), .cors_origin = o.cors_origin},
                                   .keep_alive = std::chrono::seconds(o.keep_alive_s)};
    if (o.log == "requests") options.log = log;
    server::Service<P> service(http, std::move(options));

    const int port = http.bind(o.host, o.port);
    const bool is_ipv6 = o.host.find(':') != std::string::npos;
    const std::string address =
        (is_ipv6 ? '[' + o.host + ']' : o.host) + ':' + std::to_string(port > 0 ? port : o.port);
    if (port <= 0) return Status(Errc::io, address, "cannot be listened on", "choose another --port or --host");
    std::atomic<bool>& interrupted = samples::catch_interrupts({SIGINT, SIGTERM});
    std::thread listener([&] { http.listen_after_bind(); });
    while (!http.is_running()) std::this_thread::yield();
    std::cout << "Listening on http://" << address << std::endl;
    std::unique_ptr<server::Engine<P>> engine;  // outlives the requests
    Status status = run(o, service, engine, interrupted);
    http.stop();
    listener.join();
    return status;
}

}  // namespace

int main(int argc, char** argv) {
    Options o;
    samples::CommandLine flags("serve", description);
    o.add_to(flags);
    if (const auto code = flags.parse(argc, argv)) return *code;
    return flags.exit_code(samples::on_device(o.device, [&]<class P>() { return serve<P>(o); }));
}
