// SPDX-License-Identifier: Apache-2.0
#include "sluice/server/http.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <doctest/doctest.h>
#include <list>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>
#include <thread>

#include "support/bare_socket.hpp"

using namespace sluice;
using namespace sluice::test;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

//! A server with these limits that answers GET / with "here", POST / with its body, GET /delay with whether small
//! pieces are sent at once, GET /parts in two parts, GET /endless for as long as somebody reads, and GET /patient after
//! half a second if the client is still there. It refuses /refused before it has the body.
class Listening {
public:
    explicit Listening(const server::HttpLimits& limits) : http_(limits) {
        http_.set_pre_routing_handler([](const httplib::Request& q, httplib::Response& r) {
            if (q.path != "/refused") return httplib::Server::HandlerResponse::Unhandled;
            r.status = 401;
            return httplib::Server::HandlerResponse::Handled;
        });
        http_.Get("/", [](const auto&, httplib::Response& r) { r.set_content("here", "text/plain"); });
        http_.Post("/", [](const auto& q, httplib::Response& r) { r.set_content(q.body, "text/plain"); });
        http_.Get("/patient", [this](const httplib::Request& q, httplib::Response& r) {
            const auto start = Clock::now();
            server::Connection& client = server::exchange_of(q)->connection;
            while (client.is_alive() && Clock::now() - start < 500ms) std::this_thread::sleep_for(5ms);
            has_given_up_ = !client.is_alive();
            r.set_content("patient", "text/plain");
        });
        http_.Get("/delay", [](const httplib::Request& q, httplib::Response& r) {
            int no_delay = 0;
            socklen_t size = sizeof no_delay;
            ::getsockopt(server::exchange_of(q)->connection.socket(), IPPROTO_TCP, TCP_NODELAY, &no_delay, &size);
            r.set_content(no_delay == 0 ? "held back" : "at once", "text/plain");
        });
        http_.Get("/parts", [](const httplib::Request& q, httplib::Response& r) {
            server::set_stream(q, r, "text/plain", [](std::size_t, httplib::DataSink& out) {
                for (const char* part : {"one ", "two "}) out.write(part, 4);
                out.done();
                return true;
            });
        });
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
    const server::HttpServer& http() const { return http_; }
    //! Whether the client of an endless or patient answer was found to be gone.
    bool has_given_up() const { return has_given_up_; }

private:
    server::HttpServer http_;
    std::atomic<bool> has_given_up_{false};
    int port_ = 0;
    std::thread listener_;
};

//! Waits for what will be so soon.
template <class F>
void wait_until(F is_so) {
    for (int i = 0; i < 2000 && !is_so(); ++i) std::this_thread::sleep_for(5ms);
    CHECK(is_so());
}

//! What comes until the server closes the connection.
std::string rest(BareSocket& client) {
    std::string text;
    for (std::string part; !(part = client.receive()).empty();) text += part;
    return text;
}

}  // namespace

TEST_CASE("http: headers that do not end are given up after their time, however they drip in") {
    const Listening server({.header_time = 1s});
    BareSocket whole(server.port()), drips(server.port()), silent(server.port()), idle(server.port());
    whole.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    CHECK(rest(whole).ends_with("\r\n\r\nhere"));
    idle.send("GET / HTTP/1.1\r\n\r\n");
    const auto start = Clock::now();
    drips.send("GET / HTTP/1.1\r\nX-");
    while (drips.offer("x") && Clock::now() - start < 10s) std::this_thread::sleep_for(20ms);
    CHECK(rest(silent).empty());
    CHECK(rest(idle).ends_with("\r\n\r\nhere"));  // and then nothing
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

TEST_CASE("http: a body that does not end is given up after its time, however it drips in") {
    const Listening server({.body_time = 300ms});
    BareSocket whole(server.port()), drips(server.port());
    whole.send("POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody");
    CHECK(rest(whole).ends_with("\r\n\r\nbody"));
    const auto start = Clock::now();
    drips.send("POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n");
    while (drips.offer("x") && Clock::now() - start < 10s) std::this_thread::sleep_for(20ms);
    CHECK(rest(drips).find("200 OK") == std::string::npos);
    CHECK(Clock::now() - start >= 300ms);
    CHECK(Clock::now() - start < 5s);
}

TEST_CASE("http: those who keep their requests back make room for those who come") {
    const Listening server({.header_time = 60s, .connections = 8});
    std::list<BareSocket> slow;
    for (int i = 0; i < 40; ++i) {
        if (i % 3 == 1) slow.emplace_back(server.port()).send("GET / HTTP/1.1\r\nConnection: close\r\nX-");
        if (i % 3 == 2) slow.emplace_back(server.port()).send("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx");
        if (i % 3 == 0) slow.emplace_back(server.port());
    }
    for (int i = 0; i < 5; ++i) {
        const auto start = Clock::now();
        BareSocket client(server.port());
        client.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
        CHECK(rest(client).ends_with("here"));
        CHECK(Clock::now() - start < 1s);
    }
    CHECK(server.http().dropped() >= 40 + 1 - 8);
    slow.pop_back();
    slow.pop_back();
    slow.back().send(": late\r\n\r\n");  // the first to be sent away was the first that came
    CHECK(rest(slow.back()).ends_with("here"));
}

TEST_CASE("http: the last connections are for short answers") {
    const Listening server({.connections = 16});
    std::list<BareSocket> readers;
    for (int i = 0; i < 15; ++i) {
        CHECK_FALSE(server.http().is_crowded());
        readers.emplace_back(server.port()).send("GET /endless HTTP/1.1\r\n\r\n");
        CHECK(readers.back().receive().starts_with("HTTP/1.1 200"));
    }
    CHECK(server.http().is_crowded());
    BareSocket client(server.port());
    client.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    CHECK(rest(client).ends_with("here"));
    readers.clear();
    wait_until([&] { return !server.http().is_crowded(); });
}

TEST_CASE("http: a client that has closed its own side gets its answer, and one that has left is found out") {
    for (const std::string version : {"1.0", "1.1"}) {
        const Listening server({});
        BareSocket stays(server.port());
        stays.send("GET /patient HTTP/" + version + "\r\nConnection: close\r\n\r\n");
        stays.end_sending();
        const std::string answer = rest(stays);
        CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
        CHECK(answer.ends_with("\r\n\r\npatient"));
        CHECK_FALSE(server.has_given_up());
        const auto start = Clock::now();
        {
            BareSocket leaves(server.port());
            leaves.send("GET /patient HTTP/" + version + "\r\n\r\n");
            leaves.end_properly();
        }
        wait_until([&] { return server.has_given_up(); });
        CHECK(Clock::now() - start < 400ms);
    }
}

TEST_CASE("http: a stream is in chunks, or in HTTP/1.0 up to the connection's end") {
    const Listening server({});
    for (const std::string wish : {"", "Connection: close\r\n", "Connection: Keep-Alive\r\n"}) {
        const auto start = Clock::now();
        BareSocket client(server.port());
        client.send("GET /parts HTTP/1.0\r\n" + wish + "\r\n");
        const std::string answer = rest(client);
        CHECK(Clock::now() - start < 5s);
        CHECK(answer.find("Connection: close\r\n") != answer.npos);
        CHECK(answer.find("chunked") == answer.npos);
        CHECK(answer.ends_with("\r\n\r\none two "));
    }
    BareSocket client(server.port());
    client.send("GET /parts HTTP/1.1\r\nConnection: close\r\n\r\n");
    CHECK(rest(client).ends_with("\r\n\r\n4\r\none \r\n4\r\ntwo \r\n0\r\n\r\n"));
}

TEST_CASE("http: what is written is sent at once, however small") {
    const Listening server({});
    BareSocket client(server.port());
    client.send("GET /delay HTTP/1.1\r\nConnection: close\r\n\r\n");
    CHECK(rest(client).ends_with("at once"));
}

TEST_CASE("http: the body of a refused request is not taken for the next request") {
    const Listening server({});
    BareSocket client(server.port());
    const std::string body = "GET / HTTP/1.1\r\n\r\n" + std::string(16 << 20, 'x');
    client.send("POST /refused HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    const std::string answer = client.receive();
    CHECK(answer.starts_with("HTTP/1.1 401"));
    CHECK(answer.find("200 OK") == std::string::npos);
    CHECK(client.ends_properly());
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
