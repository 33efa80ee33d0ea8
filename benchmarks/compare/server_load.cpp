// SPDX-License-Identifier: Apache-2.0
//! server_load [rounds=N] [tokens=N] [words=N] NAME=PORT...: asks OpenAI-compatible servers on this machine for
//! streamed completions, 1, 4 and 16 at once, in turns, so that what else the machine does hits all of them alike.
//! Prints as JSON what the clients saw of each server, and how many times as fast as each of the others the first one
//! was.
#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

struct Options {
    std::size_t rounds = 7, tokens = 128, words = 128;
};

struct Server {
    std::string name;
    std::uint16_t port;
};

double ms(Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

//! A streamed completion: when its tokens came.
class Stream {
public:
    Stream(const Server& server, const std::string& body) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(server.port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const std::string request =
            "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            "Connection: close\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + body;
        if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
            ::send(fd_, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
            throw std::runtime_error(server.name + " cannot be reached");
        }
    }
    ~Stream() { ::close(fd_); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    int socket() const { return fd_; }
    bool is_done() const { return done_; }
    const std::vector<Clock::time_point>& tokens() const { return tokens_; }

    //! Takes what has come.
    void read() {
        std::array<char, 65536> buffer{};
        const ssize_t count = ::recv(fd_, buffer.data(), buffer.size(), 0);
        const auto now = Clock::now();
        if (count <= 0) throw std::runtime_error("a stream broke off: " + text_.substr(0, 400));
        text_.append(buffer.data(), static_cast<std::size_t>(count));
        for (std::size_t end; (end = text_.find('\n', seen_)) != text_.npos; seen_ = end + 1) {
            const std::string_view line = std::string_view(text_).substr(seen_, end - seen_);
            if (line == "data: [DONE]") done_ = true;
            if (line.find("\"text\":\"") != line.npos && line.find("\"finish_reason\":null") != line.npos) {
                tokens_.push_back(now);
            }
        }
    }

private:
    int fd_;
    std::string text_;
    std::size_t seen_ = 0;  // of text_
    std::vector<Clock::time_point> tokens_;
    bool done_ = false;
};

//! A prompt of so many words that no cache holds. Both servers get the same ones.
std::string prompt(std::size_t words, std::size_t round, std::size_t client) {
    constexpr std::array names = {"Mia", "Tom", "Anna", "Ben", "Lily", "Max", "Sue", "Tim"};
    std::string text = "Story " + std::to_string(round * 100 + client) + ":";
    for (std::size_t i = 0; i < words; ++i) {
        text += i % 8 == 0 ? std::string(" ") + names[(i / 8 + round + client) % names.size()] : " went along";
    }
    return text;
}

struct Figures {
    std::vector<double> first_ms, gap_ms, tokens_per_s;
};

double quantile(std::vector<double> values, double q) {
    std::sort(values.begin(), values.end());
    return values.at(static_cast<std::size_t>(q * static_cast<double>(values.size() - 1)));
}

void measure(const Server& server, const Options& o, std::size_t round, std::size_t clients, Figures& figures) {
    std::vector<std::string> bodies;
    for (std::size_t c = 0; c < clients; ++c) {
        bodies.push_back(Json{
            {"prompt", prompt(o.words, round, c)},
            {"max_tokens", o.tokens},
            {"stream", true},
            {"ignore_eos", true},
            {"seed", c},
            {"temperature", 0.8},
            {"top_k", 40},
            {"top_p", 0.95},
            {"min_p", 0.05}}.dump());
    }
    const auto start = Clock::now();
    std::vector<std::unique_ptr<Stream>> streams;
    std::vector<pollfd> sockets;
    for (const std::string& body : bodies) {
        streams.push_back(std::make_unique<Stream>(server, body));
        sockets.push_back({streams.back()->socket(), POLLIN, 0});
    }
    for (std::size_t running = clients; running > 0;) {
        if (::poll(sockets.data(), sockets.size(), 60'000) <= 0) throw std::runtime_error(server.name + " is silent");
        for (std::size_t c = 0; c < clients; ++c) {
            if (sockets[c].revents == 0) continue;
            streams[c]->read();
            if (!streams[c]->is_done()) continue;
            sockets[c].fd = -1;  // poll passes over it
            sockets[c].revents = 0;
            --running;
        }
    }
    std::size_t tokens = 0;
    auto last = start;
    for (const auto& stream : streams) {
        const auto& times = stream->tokens();
        if (times.size() + 4 < o.tokens) throw std::runtime_error(server.name + " sent too few tokens");
        figures.first_ms.push_back(ms(times.front() - start));
        for (std::size_t i = 1; i < times.size(); ++i) figures.gap_ms.push_back(ms(times[i] - times[i - 1]));
        tokens += times.size();
        last = std::max(last, times.back());
    }
    figures.tokens_per_s.push_back(static_cast<double>(tokens) * 1000 / ms(last - start));
}

Json summary(const Figures& figures) {
    const auto rounded = [](double value) { return std::round(value * 1000) / 1000; };
    return {{"first_token_ms", rounded(quantile(figures.first_ms, 0.5))},
            {"gap_ms", rounded(quantile(figures.gap_ms, 0.5))},
            {"gap_p99_ms", rounded(quantile(figures.gap_ms, 0.99))},
            {"tokens_per_s", rounded(quantile(figures.tokens_per_s, 0.5))}};
}

//! How many times as fast `ours` is.
Json ratios(const Json& ours, const Json& theirs) {
    Json ratios = ours;
    for (const auto& [key, value] : ours.items()) {
        const double ratio = theirs.at(key).get<double>() / value.get<double>();
        ratios[key] = std::round((key == "tokens_per_s" ? 1 / ratio : ratio) * 100) / 100;
    }
    return ratios;
}

Json compare(const std::vector<Server>& servers, const Options& o) {
    Json results = Json::array();
    std::size_t round = 0;
    for (const std::size_t clients : {1U, 4U, 16U}) {
        std::vector<Figures> figures(servers.size());
        for (const Server& server : servers) {
            Figures unused;  // the first round finds cold caches
            measure(server, o, round, clients, unused);
        }
        for (const std::size_t end = ++round + o.rounds; round < end; ++round) {
            for (std::size_t i = 0; i < servers.size(); ++i) {
                const std::size_t turn = (i + round) % servers.size();
                measure(servers[turn], o, round, clients, figures[turn]);
            }
        }
        Json result = {{"clients", clients}};
        for (std::size_t i = 0; i < servers.size(); ++i) result[servers[i].name] = summary(figures[i]);
        const Json& ours = result[servers[0].name];
        for (std::size_t i = 1; i < servers.size(); ++i) {
            result["times_as_fast_as_" + servers[i].name] = ratios(ours, result[servers[i].name]);
        }
        results.push_back(result);
    }
    return results;
}

}  // namespace

int main(int argc, char** argv) try {
    Options o;
    std::vector<Server> servers;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        const std::size_t equals = argument.find('=');
        if (equals == argument.npos) throw std::invalid_argument(argument);
        const std::string name = argument.substr(0, equals);
        const unsigned long number = std::stoul(argument.substr(equals + 1));
        if (name == "rounds") {
            o.rounds = number;
        } else if (name == "tokens") {
            o.tokens = number;
        } else if (name == "words") {
            o.words = number;
        } else {
            servers.push_back({name, static_cast<std::uint16_t>(number)});
        }
    }
    if (servers.empty() || o.rounds == 0) throw std::invalid_argument("no server");
    const Json results = compare(servers, o);
    std::cout << Json{{"rounds", o.rounds}, {"tokens", o.tokens}, {"words", o.words}, {"results", results}}.dump(2)
              << std::endl;
    return 0;
} catch (const std::invalid_argument& error) {
    std::cerr << "server_load: " << error.what()
              << "\nusage: server_load [rounds=N] [tokens=N] [words=N] NAME=PORT...\n";
    return 2;
} catch (const std::exception& error) {
    std::cerr << "server_load: " << error.what() << '\n';
    return 1;
}
