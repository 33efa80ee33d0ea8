// SPDX-License-Identifier: Apache-2.0
//! cpp-httplib as a server that bears strangers: limits on time and size for each request, many connections at once,
//! and a handler can ask whether its client is still there.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <httplib.h>
#include <mutex>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace sluice::server {

struct HttpLimits {
    std::chrono::milliseconds header_time{
        10'000};                                   //!< until a request begins, and from there to the end of its headers
    std::chrono::milliseconds body_time{60'000};   //!< from there to the end of its body
    std::chrono::milliseconds write_time{10'000};  //!< until a client takes what is sent
    std::size_t header_bytes = std::size_t{64} << 10;
    std::size_t body_bytes = std::size_t{8} << 20;
    std::size_t connections = 1024;  //!< threads; further connections wait
};

//! One client's socket: buffered reads with a deadline and a budget of bytes. Closes the socket at its end.
class Connection : public httplib::Stream {
public:
    //! `server` is the listening socket; once that is INVALID_SOCKET nothing here waits any longer.
    Connection(socket_t fd, const std::atomic<socket_t>& server, const HttpLimits& limits)
        : fd_(fd), server_(&server), limits_(&limits), buffer_(16 << 10) {
        const int on = 1;
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    ~Connection() override {
        ::shutdown(fd_, SHUT_RDWR);
        ::close(fd_);
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    //! The time and the bytes for the next request start now.
    void expect_headers() { expect(limits_->header_time, limits_->header_bytes); }
    //! What httplib skips of a body that is too long, to answer, is limited too.
    void expect_body() { expect(limits_->body_time, 4 * limits_->body_bytes); }

    //! Whether there is something to read, or the end. Waits `patience` at most.
    bool wait_for_input(std::chrono::milliseconds patience) const { return at_ < end_ || wait(POLLIN, patience) != 0; }

    //! False once the client has closed its side or the connection broke.
    bool is_alive() const { return (wait(POLLRDHUP, std::chrono::milliseconds(0)) & gone) == 0; }

    bool is_readable() const override { return wait_for_input(std::chrono::milliseconds(0)); }
    bool is_writable() const override { return is_alive(); }

    ssize_t read(char* to, std::size_t size) override {
        if (at_ == end_ && !fill()) return -1;
        const std::size_t count = std::min(size, end_ - at_);
        std::memcpy(to, buffer_.data() + at_, count);
        at_ += count;
        return static_cast<ssize_t>(count);
    }

    ssize_t write(const char* from, std::size_t size) override {
        for (std::size_t sent = 0; sent < size;) {
            if ((wait(POLLOUT, limits_->write_time) & POLLOUT) == 0) return -1;
            const ssize_t count = ::send(fd_, from + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (count <= 0) return -1;
            sent += static_cast<std::size_t>(count);
        }
        return static_cast<ssize_t>(size);
    }

    void get_remote_ip_and_port(std::string& ip, int& port) const override { name(::getpeername, ip, port); }
    void get_local_ip_and_port(std::string& ip, int& port) const override { name(::getsockname, ip, port); }
    socket_t socket() const override { return fd_; }

private:
    using Clock = std::chrono::steady_clock;
    static constexpr int gone = POLLRDHUP | POLLHUP | POLLERR | POLLNVAL;

    void expect(std::chrono::milliseconds time, std::size_t bytes) {
        deadline_ = Clock::now() + time;
        budget_ = bytes;
    }

    int wait(short events, std::chrono::milliseconds patience) const {
        constexpr std::chrono::milliseconds glance{100};  // how often to look whether the server stops
        for (;; patience -= glance) {
            pollfd poll_fd{fd_, events, 0};
            if (::poll(&poll_fd, 1, static_cast<int>(std::min(patience, glance).count())) > 0) return poll_fd.revents;
            if (patience <= glance || *server_ == INVALID_SOCKET) return 0;
        }
    }

    bool fill() {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now());
        if (left.count() <= 0 || budget_ == 0 || wait(POLLIN, left) == 0) return false;
        const ssize_t count = ::recv(fd_, buffer_.data(), std::min(buffer_.size(), budget_), 0);
        if (count <= 0) return false;
        at_ = 0;
        end_ = static_cast<std::size_t>(count);
        budget_ -= end_;
        return true;
    }

    template <class GetName>
    void name(GetName get_name, std::string& ip, int& port) const {
        sockaddr_storage address{};
        socklen_t length = sizeof address;
        char host[NI_MAXHOST], service[NI_MAXSERV];
        auto* const any = reinterpret_cast<sockaddr*>(&address);
        if (get_name(fd_, any, &length) != 0) return;
        if (::getnameinfo(any, length, host, sizeof host, service, sizeof service, NI_NUMERICHOST | NI_NUMERICSERV) !=
            0)
            return;
        ip = host;
        port = std::atoi(service);
    }

    socket_t fd_;
    const std::atomic<socket_t>* server_;
    const HttpLimits* limits_;
    std::vector<char> buffer_;
    std::size_t at_ = 0, end_ = 0;  // what is in the buffer, unread
    Clock::time_point deadline_;
    std::size_t budget_ = 0;  // bytes that may still be received
};

//! A thread for each connection, so that no stream keeps another client waiting. Threads are kept for a second.
class ConnectionThreads : public httplib::TaskQueue {
public:
    explicit ConnectionThreads(std::size_t most) : most_(most) {}

    void enqueue(std::function<void()> task) override {
        std::unique_lock lock(mutex_);
        tasks_.push_back(std::move(task));
        changed_.notify_all();
        if (tasks_.size() <= idle_ || threads_ == most_) return;
        try {
            std::thread([this] { work(); }).detach();
            ++threads_;
        } catch (const std::system_error&) {  // those that there are will serve it
        }
    }

    //! Waits for all tasks.
    void shutdown() override {
        std::unique_lock lock(mutex_);
        closing_ = true;
        changed_.notify_all();
        changed_.wait(lock, [&] { return threads_ == 0; });
    }

private:
    void work() {
        std::unique_lock lock(mutex_);
        while (true) {
            ++idle_;
            changed_.wait_for(lock, std::chrono::seconds(1), [&] { return closing_ || !tasks_.empty(); });
            --idle_;
            if (tasks_.empty()) break;
            const std::function<void()> task = std::move(tasks_.front());
            tasks_.pop_front();
            lock.unlock();
            task();
            lock.lock();
        }
        --threads_;
        changed_.notify_all();
    }

    const std::size_t most_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> tasks_;
    std::size_t threads_ = 0, idle_ = 0;
    bool closing_ = false;
};

//! Whether the client that a handler serves is still there. httplib leaves Request::progress to clients; HttpServer
//! puts this question there.
inline bool client_is_there(const httplib::Request& request) { return !request.progress || request.progress(0, 0); }

//! An httplib::Server with the limits. Handlers see neither compression nor ranges, and every body as it came: what
//! httplib takes for a form, such as the bodies of plain `curl -d`, may have 8 KiB only.
class HttpServer : public httplib::Server {
public:
    explicit HttpServer(const HttpLimits& limits = {}) : limits_(limits) {
        set_payload_max_length(limits.body_bytes);
        set_keep_alive_timeout(std::chrono::duration_cast<std::chrono::seconds>(limits.header_time).count());
        set_keep_alive_max_count(keep_alive_requests);
        new_task_queue = [this] { return new ConnectionThreads(limits_.connections); };  // httplib deletes it
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

private:
    bool process_and_close_socket(socket_t fd) override {
        Connection connection(fd, svr_sock_, limits_);
        const auto setup = [&](httplib::Request& request) {
            connection.expect_body();
            request.headers.erase("Accept-Encoding");
            request.headers.erase("Content-Type");
            request.ranges.clear();
            request.progress = [&connection](auto...) { return connection.is_alive(); };
        };
        bool closed = false;
        for (std::size_t left = keep_alive_requests; left > 0 && !closed; --left) {
            if (!connection.wait_for_input(limits_.header_time)) break;
            connection.expect_headers();
            if (!process_request(connection, left == 1, closed, setup)) break;
        }
        return true;
    }

    static constexpr std::size_t keep_alive_requests = 1000;  // on one connection

    const HttpLimits limits_;
};

}  // namespace sluice::server
