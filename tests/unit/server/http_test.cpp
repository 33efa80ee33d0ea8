// SPDX-License-Identifier: Apache-2.0
#include "sluice/server/http.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <doctest/doctest.h>
#include <string>
#include <thread>

#include "support/bare_socket.hpp"

using namespace sluice;
using namespace sluice::test;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

//! A server with these limits that answers GET / with "here", and GET /endless for as long as somebody reads.
class Listening {
public:
    explicit Listening(const server::HttpLimits& limits) : http_(limits) {
        http_.Get("/", [](const auto&, httplib::Response& r) { r.set_content("here", "text/plain"); });
        http_.Get("/endless", [this](const auto&, httplib::Response& r) {
            r.set_chunked_content_provider(
                "text/plain",
                [](std::size_t, httplib::DataSink& out) {
                    const std::string much(1 << 16, 'x');
                    return out.write(much.data(), much.size());
                },
                [this](bool) { has_given_up_ = true; });
        });
        port_ = http_.bind("127.0.0.1", 0);
        REQUIRE(port_ > 0);
        listener_ = std::thread([this] { http_.listen_after_bind(); });
        while (!http_.is_running()) std::this_thread::yield();
    }
    ~Listening() {
        http_.stop();
        listener_.join();
    }
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;

    int port() const { return port_; }
    //! Whether the endless answer has ended.
    bool has_given_up() const { return has_given_up_; }

private:
    server::HttpServer http_;
    std::atomic<bool> has_given_up_{false};
    int port_ = 0;
    std::thread listener_;
};

//! What comes until the server closes the connection.
std::string rest(BareSocket& client) {
    std::string text;
    for (std::string part; !(part = client.receive()).empty();) text += part;
    return text;
}

}  // namespace

TEST_CASE("http: headers that do not end are given up after their time, however they drip in") {
    const Listening server({.header_time = 1s});
    BareSocket whole(server.port()), drips(server.port()), silent(server.port());
    whole.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    CHECK(rest(whole).ends_with("\r\n\r\nhere"));
    const auto start = Clock::now();
    drips.send("GET / HTTP/1.1\r\nX-");
    while (drips.offer("x") && Clock::now() - start < 10s) std::this_thread::sleep_for(20ms);
    CHECK(rest(silent).empty());
    CHECK(Clock::now() - start >= 900ms);
    CHECK(Clock::now() - start < 5s);
}

TEST_CASE("http: headers are limited in bytes") {
    const Listening server({.header_bytes = 1000});
    for (const std::size_t size : {500U, 2000U}) {
        BareSocket client(server.port());
        client.send("GET / HTTP/1.1\r\nConnection: close\r\nX-Long: " + std::string(size, 'x') + "\r\n\r\n");
        CHECK((rest(client).find("200 OK") != std::string::npos) == (size < 1000));
    }
}

TEST_CASE("http: a client that takes nothing is given up after its time") {
    const Listening server({.write_time = 200ms});
    BareSocket client(server.port());
    client.send("GET /endless HTTP/1.1\r\n\r\n");
    const auto start = Clock::now();
    while (!server.has_given_up() && Clock::now() - start < 10s) std::this_thread::sleep_for(5ms);
    CHECK(server.has_given_up());
    CHECK(Clock::now() - start >= 200ms);
}

TEST_CASE("http: a client that has left is seen while its answer is written") {
    const Listening server({});
    {
        BareSocket client(server.port());
        client.send("GET /endless HTTP/1.1\r\n\r\n");
        CHECK(client.receive().starts_with("HTTP/1.1 200"));
    }
    const auto start = Clock::now();
    while (!server.has_given_up() && Clock::now() - start < 10s) std::this_thread::sleep_for(5ms);
    CHECK(Clock::now() - start < 1s);
}
