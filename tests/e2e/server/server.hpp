// SPDX-License-Identifier: Apache-2.0
//! The program `serve` on a free port, and clients of it: well-behaved ones, and bare sockets for the others.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <httplib.h>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "e2e/program.hpp"
#include "support/bare_socket.hpp"

namespace sluice::test {

using Json = nlohmann::json;

inline const std::string completions = "/v1/completions", chats = "/v1/chat/completions";

class Server {
public:
    explicit Server(std::vector<std::string> flags = {}, bool wait_until_ready = true)
        : program_(program_name(), with_port(std::move(flags))) {
        constexpr std::string_view listening = "Listening on http://127.0.0.1:";
        program_.read_until(listening);
        program_.read_until("\n");
        port_ = std::stoi(program_.out().substr(listening.size()));
        while (wait_until_ready && client().Get("/health").value().status != 200) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    }

    httplib::Client client() const {
        httplib::Client client("127.0.0.1", port_);
        client.set_read_timeout(60);
        return client;
    }

    httplib::Response post(const std::string& path, const std::string& body) const {
        auto response = client().Post(path, body, "application/json");
        REQUIRE_MESSAGE(response, "no response from " << path);
        return response.value();
    }
    Json post_json(const std::string& path, const Json& body) const {
        const httplib::Response response = post(path, body.dump());
        INFO(response.body);
        REQUIRE(response.status == 200);
        return Json::parse(response.body);
    }

    //! A gauge or counter of /metrics.
    std::uint64_t metric(const std::string& name) const {
        const std::string text = client().Get("/metrics").value().body;
        const std::size_t at = text.find("\nsluice_" + name + " ");
        REQUIRE(at != text.npos);
        return std::stoull(text.substr(text.find(' ', at) + 1));
    }
    //! Waits until a metric has the value.
    void wait_for(const std::string& name, std::uint64_t value) const {
        for (int i = 0; i < 6000 && metric(name) != value; ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        CHECK_MESSAGE(metric(name) == value, name);
    }

    //! Entries of a folder of /proc/PID: "fd", "task".
    std::size_t count(const std::string& what) const {
        const std::filesystem::directory_iterator entries("/proc/" + std::to_string(program_.pid()) + '/' + what);
        return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
    }

    Program& program() { return program_; }
    int port() const { return port_; }

private:
    //! The environment can name another build of serve, as seen from the folder of the programs.
    static std::string program_name() {
        const char* other = std::getenv("SLUICE_SERVE");
        return other == nullptr ? "serve" : other;
    }

    static std::vector<std::string> with_port(std::vector<std::string> flags) {
        const bool logs = std::find(flags.begin(), flags.end(), "--log") != flags.end();
        if (!logs) flags.insert(flags.end(), {"--log", "none"});  // nobody reads the pipe meanwhile
        flags.insert(flags.end(), {"--port", "0"});
        return flags;
    }

    Program program_;
    int port_ = 0;
};

//! The data of the events of a stream, in order; what is not an event or a comment fails the test.
inline std::vector<std::string> events_of(std::string_view stream) {
    constexpr std::string_view data = "data: ";
    std::vector<std::string> events;
    while (!stream.empty()) {
        const std::size_t end = stream.find("\n\n");
        REQUIRE(end != stream.npos);
        if (!stream.starts_with(':')) {
            REQUIRE(stream.starts_with(data));
            events.emplace_back(stream.substr(data.size(), end - data.size()));
        }
        stream.remove_prefix(end + 2);
    }
    return events;
}

//! The text of a completion's or chat's events.
inline std::string text_of(const std::vector<std::string>& events) {
    std::string text;
    for (const std::string& event : events) {
        if (event == "[DONE]") continue;
        const Json chunk = Json::parse(event);
        for (const Json& choice : chunk.at("choices")) {
            text += choice.contains("text") ? choice.at("text").get<std::string>()
                                            : choice.at("delta").value("content", "");
        }
    }
    return text;
}

//! A client of the server that is not a good one.
class BareClient : public BareSocket {
public:
    explicit BareClient(const Server& server) : BareSocket(server.port()) {}

    void post(const std::string& path, const Json& body, const std::string& version = "1.1") {
        const std::string text = body.dump();
        send("POST " + path + " HTTP/" + version +
             "\r\nHost: me\r\nConnection: close\r\nContent-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text);
    }
    //! What comes until the server closes the connection.
    std::string rest() {
        std::string text;
        for (std::string part; !(part = receive()).empty();) text += part;
        return text;
    }
};

}  // namespace sluice::test
