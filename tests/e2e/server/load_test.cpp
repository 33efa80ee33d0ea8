// SPDX-License-Identifier: Apache-2.0
//! The program `serve` under load, and under clients that leave or dawdle. Prints the figures of docs/reliability.md.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <memory>
#include <random>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <utility>
#include <vector>

#include "server.hpp"

using namespace sluice::test;
using Clock = std::chrono::steady_clock;

namespace {

//! An answer that goes on until the context is full, to a prompt of so many tokens that no cache holds.
Json endless(std::size_t prompt_tokens) {
    static int requests = 0;
    std::vector<int> prompt(prompt_tokens, 300);
    prompt.front() = ++requests % 2000;
    return {{"prompt", prompt}, {"max_tokens", 3000}, {"ignore_eos", true}, {"stream", true}};
}

double ms_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double quantile(std::vector<double> values, double part) {
    std::sort(values.begin(), values.end());
    return values.at(static_cast<std::size_t>(part * static_cast<double>(values.size() - 1)));
}
double median(const std::vector<double>& values) { return quantile(values, 0.5); }

using Clients = std::vector<std::unique_ptr<BareClient>>;

BareClient& connect(Clients& clients, const Server& server) {
    return *clients.emplace_back(std::make_unique<BareClient>(server));
}

void read_an_event(BareClient& client) {
    for (std::string text; text.find("data: ") == text.npos;) {
        const std::string more = client.receive();
        REQUIRE_FALSE(more.empty());
        text += more;
    }
}

}  // namespace

TEST_CASE("serve: the median gap between events is below 500 ms, alone and among sixteen") {
    const Server server({"--parallel", "16"});
    for (const std::size_t streams : {1U, 16U}) {
        std::vector<std::vector<double>> gaps(streams);
        std::vector<std::thread> clients;
        for (std::vector<double>& mine : gaps) {
            clients.emplace_back([&] {
                const Json body = {{"prompt", "Once"}, {"max_tokens", 64}, {"ignore_eos", true}, {"stream", true}};
                httplib::Request request;
                request.method = "POST";
                request.path = completions;
                request.body = body.dump();
                auto last = Clock::time_point();
                request.content_receiver = [&](const char*, std::size_t, std::uint64_t, std::uint64_t) {
                    if (last != Clock::time_point()) mine.push_back(ms_since(last));
                    last = Clock::now();
                    return true;
                };
                server.client().send(request);
            });
        }
        for (std::thread& client : clients) client.join();
        double slowest = 0;
        for (const std::vector<double>& mine : gaps) {
            REQUIRE(mine.size() >= 16);  // the system may hand over several events at once
            slowest = std::max(slowest, median(mine));
        }
        MESSAGE(streams << " streams: a median gap of " << slowest << " ms");
        CHECK(slowest < 500);
    }
}

TEST_CASE("serve: a thousand clients that leave in the queue, in the prompt and in the answer leave nothing behind") {
    const Server server({"--parallel", "8", "-t", "1", "-b", "8", "--log", "none"});
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));  // until the threads that asked for health have ended
    const std::size_t descriptors = server.count("fd"), threads = server.count("task");

    const auto until = [](auto is_so) {
        for (int i = 0; i < 5000 && !is_so(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(2));
        CHECK(is_so());
    };
    std::size_t left = 0;
    std::vector<double> freed;  // ms until the server has let go of all of a crowd
    // Clients come, `wait` until they are where they should be, and leave: every other one by a reset, those between
    // with a FIN, half of these in HTTP/1.0.
    const auto crowds = [&](int count, std::size_t size, std::size_t prompt_tokens, auto wait) {
        for (; count > 0; --count, left += size) {
            Clients clients;
            for (std::size_t k = 0; k < size; ++k) {
                BareClient& client = connect(clients, server);
                client.post(completions, endless(prompt_tokens), k % 4 == 1 ? "1.0" : "1.1");
                if (k % 2 == 0) client.reset();
            }
            wait(clients);
            for (std::size_t k = 1; k < size; k += 2) clients[k]->end_properly();
            clients.clear();
            const auto start = Clock::now();
            until([&] { return server.metric("slots_busy") + server.metric("queue_depth") == 0; });
            freed.push_back(ms_since(start));
        }
    };
    crowds(42, 8, 4, [](const Clients& clients) {
        for (const auto& client : clients) read_an_event(*client);
    });
    const std::uint64_t answers = server.metric("time_to_first_token_seconds_count");
    CHECK(answers == left);
    crowds(42, 8, 1000, [&](const Clients&) { until([&] { return server.metric("slots_busy") > 0; }); });
    CHECK(server.metric("time_to_first_token_seconds_count") < answers + 42);  // nearly all left before their answer
    crowds(6, 64, 4, [&](const Clients&) { until([&] { return server.metric("queue_depth") > 48; }); });

    CHECK(left > 1000);
    const std::uint64_t cancelled = server.metric("requests_cancelled_total");
    CHECK(cancelled + server.metric("requests_finished_total") == left);
    CHECK(cancelled > left * 9 / 10);
    for (int i = 0; i < 100 && (server.count("fd") > descriptors || server.count("task") > threads); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    CHECK(server.count("fd") <= descriptors);
    CHECK(server.count("task") <= threads);
    MESSAGE(left << " left, " << cancelled << " before their end; let go of after " << median(freed) << " ms, at most "
                 << quantile(freed, 1) << "; threads " << threads << " -> " << server.count("task") << ", descriptors "
                 << descriptors << " -> " << server.count("fd"));
}

TEST_CASE("serve: of sixty-four streams with random cancels, those that stay are what each is alone") {
    constexpr std::size_t streams = 64, tokens = 12;
    Server server({"--parallel", "8", "-c", "128", "--queue", "64", "--prefill-chunk", "8"});
    //! What the client of stream i has read. If it is to leave, it does so at a random time, half by impatience (in the
    //! queue, in the prompt, between two tokens), half after some events.
    const auto stream = [&](std::size_t i, bool is_to_leave) {
        const std::vector<std::size_t> prompt(1 + i * 7 % 20, 300 + i);
        const Json body = {
            {"prompt", prompt}, {"max_tokens", tokens}, {"seed", i}, {"ignore_eos", true}, {"stream", true}};
        std::mt19937 random(static_cast<std::uint32_t>(i));
        auto client = server.client();
        if (is_to_leave && i % 4 == 0) client.set_read_timeout(std::chrono::milliseconds(1 + random() % 50));
        std::size_t enough = random() % tokens;
        std::string text;
        httplib::Request request;
        request.method = "POST";
        request.path = completions;
        request.body = body.dump();
        request.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
            text.append(data, size);
            return !is_to_leave || enough-- > 0;
        };
        client.send(request);
        return text;
    };
    const auto leaves = [](std::size_t i) { return i % 2 == 0; };
    std::vector<std::string> alone(streams), together(streams);
    for (std::size_t i = 0; i < streams; ++i) {
        if (leaves(i)) continue;
        alone[i] = stream(i, false);
        REQUIRE(alone[i].ends_with("data: [DONE]\n\n"));
    }
    std::vector<std::thread> clients;
    for (std::size_t i = 0; i < streams; ++i) {
        clients.emplace_back([&, i] { together[i] = stream(i, leaves(i)); });
    }
    for (std::thread& client : clients) client.join();
    for (std::size_t i = 0; i < streams; ++i) {
        if (!leaves(i)) CHECK(text_of(events_of(together[i])) == text_of(events_of(alone[i])));
    }
    server.wait_for("slots_busy", 0);
    server.wait_for("queue_depth", 0);
    const std::uint64_t cancelled = server.metric("requests_cancelled_total");
    CHECK(cancelled > 0);
    CHECK(cancelled + server.metric("requests_finished_total") == streams + streams / 2);
    server.program().send(SIGTERM);
    CHECK(server.program().wait() == 0);
    CHECK(server.program().err().empty());  // where a sanitizer would speak
}

TEST_CASE("serve: /health answers within 50 ms beside full slots and 1,500 clients that keep their requests back") {
    const Server server({"--parallel", "8"});
    rlimit descriptors{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &descriptors) == 0);
    descriptors.rlim_cur = std::min<rlim_t>(descriptors.rlim_max, 4096);  // for our side of the connections
    REQUIRE(setrlimit(RLIMIT_NOFILE, &descriptors) == 0);
    const std::size_t many = std::min<std::size_t>(1500, descriptors.rlim_cur - 100);
    Clients running, slow;
    for (int i = 0; i < 8; ++i) connect(running, server).post(completions, endless(4));
    std::vector<double> times;
    const std::vector<std::string> beginnings = {"", "GET /health HTTP/1.1\r\nX-",
                                                 "POST /tokenize HTTP/1.1\r\nContent-Length: 99\r\n\r\n{"};
    for (std::size_t i = 0; i < many; ++i) {
        connect(slow, server).offer(beginnings[i % beginnings.size()]);
        if (i % 15 > 0) continue;
        const auto start = Clock::now();
        CHECK(server.client().Get("/health")->status == 200);
        times.push_back(ms_since(start));
    }
    MESSAGE("/health: median " << median(times) << " ms, slowest of 100 " << quantile(times, 1) << "; threads "
                               << server.count("task"));
    CHECK(quantile(times, 0.95) < 50);
    CHECK(server.count("task") < 512 + 16);
    CHECK(server.metric("connections_dropped_total") > many - 512);
}

TEST_CASE("serve: SIGTERM with all slots, the queue and 100 dawdlers ends it with 0 within five seconds") {
    Server server({"--parallel", "8", "--queue", "64", "--log", "none"});
    Clients clients;
    for (int i = 0; i < 100; ++i) connect(clients, server).send("POST /v1/comp");
    for (int i = 0; i < 72; ++i) connect(clients, server).post(completions, endless(500));
    server.wait_for("queue_depth", 64);
    const auto start = Clock::now();
    server.program().send(SIGTERM);
    CHECK(server.program().wait() == 0);
    MESSAGE("SIGTERM: ended after " << ms_since(start) << " ms");
    CHECK(ms_since(start) < 5000);
}
