// SPDX-License-Identifier: Apache-2.0
//! cpp-httplib as a server that bears strangers: limits on time and size for each request, many connections at once,
//! and a handler can ask whether its client is still there.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <httplib.h>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <utility>

#include "sluice/server/connection.hpp"

namespace sluice::server {

//! A request under way: what HttpServer knows of it, and what its handler leaves for the log.
struct Exchange {
    Connection& connection;
    Connection::Clock::time_point start = Connection::Clock::now();  //!< when its headers were there
    std::function<std::string()> note{};                             //!< asked when the response has been written
};

//! The exchange of a request that a handler got, or nullptr where its headers could not be read. httplib leaves
//! Request::progress to clients; HttpServer puts the exchange there.
struct ExchangeOf {
    Exchange* exchange;
    bool operator()(std::uint64_t, std::uint64_t) const { return exchange->connection.is_alive(); }
};
inline Exchange* exchange_of(const httplib::Request& request) {
    const auto* const kept = request.progress.target<ExchangeOf>();
    return kept == nullptr ? nullptr : kept->exchange;
}

//! The response will be what `provide` writes until it is done: in chunks, or in HTTP/1.0, which knows none, up to the
//! end of the connection.
inline void set_stream(const httplib::Request& request, httplib::Response& response, const std::string& type,
                       httplib::ContentProviderWithoutLength provide) {
    if (request.version == "HTTP/1.0") {
        response.set_content_provider(type, std::move(provide));
    } else {
        response.set_chunked_content_provider(type, std::move(provide));
    }
}

//! An httplib::Server with the limits. Handlers see neither compression nor ranges, and every body as it came: what
//! httplib takes for a form, such as the bodies of plain `curl -d`, may have 8 KiB only.
//!
//! A connection has a thread, so that no stream keeps another client waiting. When there are as many as there may be,
//! another one takes the place of the one whose client has kept its request back for longest.
class HttpServer : public httplib::Server {
public:
    explicit HttpServer(const HttpLimits& limits = {}) : limits_(with_descriptors(limits)) {
        set_payload_max_length(limits.body_bytes);
        set_keep_alive_timeout(std::chrono::duration_cast<std::chrono::seconds>(limits.header_time).count());
        set_keep_alive_max_count(keep_alive_requests);
        new_task_queue = [this] { return new AcceptingThread(*this); };  // httplib deletes it
        set_socket_options([](socket_t fd) {  // its default lets several servers share a port
            const int on = 1;
            ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        });
    }

    const HttpLimits& limits() const { return limits_; }

    //! Starts to listen; `port` 0 takes a free one. The port, or nothing if the address is not to be had.
    //! listen_after_bind() then serves until stop().
    int bind(const std::string& host, int port) {
        if (port == 0) {
            port = bind_to_any_port(host);
        } else if (!bind_to_port(host, port)) {
            port = -1;
        }
        if (port > 0) ::listen(svr_sock_, SOMAXCONN);  // httplib's own backlog is 5
        return port;
    }

    //! Whether nearly all connections have requests that are being answered, so that no more should be: a few are left
    //! for short answers.
    bool is_crowded() const {
        const std::lock_guard lock(mutex_);
        const auto waits = [](const Connection& c) { return c.waits_since() != Connection::never; };
        const auto busy = open_.size() - static_cast<std::size_t>(std::count_if(open_.begin(), open_.end(), waits));
        return busy + limits_.connections / 16 >= limits_.connections;
    }

    //! Connections that were closed for others to come.
    std::uint64_t dropped() const {
        const std::lock_guard lock(mutex_);
        return dropped_;
    }

private:
    //! What httplib wants for its threads: process_and_close_socket() starts one itself.
    class AcceptingThread : public httplib::TaskQueue {
    public:
        explicit AcceptingThread(HttpServer& server) : server_(&server) {}
        void enqueue(std::function<void()> task) override { task(); }
        void shutdown() override {
            std::unique_lock lock(server_->mutex_);
            server_->changed_.wait(lock, [&] { return server_->open_.empty(); });
        }

    private:
        HttpServer* server_;
    };

    //! At most half of the descriptors that the process may have are connections.
    static HttpLimits with_descriptors(HttpLimits limits) {
        rlimit most{};
        if (::getrlimit(RLIMIT_NOFILE, &most) == 0) {
            limits.connections = static_cast<std::size_t>(std::min<rlim_t>(limits.connections, most.rlim_cur / 2));
        }
        return limits;
    }

    bool process_and_close_socket(socket_t fd) override {
        std::unique_lock lock(mutex_);
        const bool has_room = make_room(lock);
        const auto at = open_.emplace(open_.end(), fd, svr_sock_, limits_);
        try {
            if (has_room) {
                std::thread([this, at] {
                    serve(*at);
                    const std::lock_guard end(mutex_);
                    open_.erase(at);
                    changed_.notify_all();
                }).detach();
                return true;
            }
        } catch (const std::system_error&) {  // no thread is to be had
        }
        ++dropped_;
        open_.erase(at);
        return false;
    }

    //! Sees to room for one more connection. False if there is none within a second, as all have requests that are
    //! being answered.
    bool make_room(std::unique_lock<std::mutex>& lock) {
        if (open_.size() < limits_.connections) return true;
        const auto longest = std::min_element(open_.begin(), open_.end(), [](const Connection& a, const Connection& b) {
            return a.waits_since() < b.waits_since();
        });
        if (longest->waits_since() != Connection::never) {
            longest->give_up();
            ++dropped_;
        }
        return changed_.wait_for(lock, std::chrono::seconds(1), [&] { return open_.size() < limits_.connections; });
    }

    void serve(Connection& connection) {
        bool closed = false;
        for (std::size_t left = keep_alive_requests; left > 0 && !closed && connection.expect_request(); --left) {
            Exchange exchange{connection};
            const auto setup = [&](httplib::Request& request) {
                exchange.start = Connection::Clock::now();
                connection.expect_body(body_length(request));
                if (request.version == "HTTP/1.0") {  // where the connection's end may be that of the response
                    request.headers.erase("Connection");
                    request.set_header("Connection", "close");
                    closed = true;
                }
                request.headers.erase("Accept-Encoding");
                request.headers.erase("Content-Type");
                request.ranges.clear();
                request.progress = ExchangeOf{&exchange};
            };
            if (!process_request(connection, left == 1, closed, setup)) return;
            if (!connection.has_whole_request()) return connection.linger();
        }
    }

    //! As the headers say it; nothing where they do not, as for a body in chunks.
    static std::optional<std::uint64_t> body_length(const httplib::Request& request) {
        if (request.has_header("Transfer-Encoding")) return std::nullopt;
        return request.get_header_value<std::uint64_t>("Content-Length");
    }

    static constexpr std::size_t keep_alive_requests = 1000;  // on one connection

    const HttpLimits limits_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;  // a connection has ended
    std::list<Connection> open_;
    std::uint64_t dropped_ = 0;
};

}  // namespace sluice::server
