// SPDX-License-Identifier: Apache-2.0
//! One client's connection, as cpp-httplib reads and writes it: with a deadline and a budget of bytes for what comes, a
//! limit to the patience for what goes, and the question whether the client is still there.
#pragma once

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <httplib.h>
#include <limits>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
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
    std::size_t connections = 512;  //!< each has a thread; httplib knows no descriptors above 1023
};

//! One client's socket: buffered reads with a deadline and a budget of bytes. Closes the socket at its end. All but
//! waits_since() and give_up() is for the one thread that serves it.
class Connection : public httplib::Stream {
public:
    using Clock = std::chrono::steady_clock;

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

    // ---- The course of a request ----

    //! Whether a request begins. The time and the bytes for its headers start with it.
    bool expect_request() {
        expect(limits_->header_time, limits_->header_bytes, std::numeric_limits<std::uint64_t>::max());
        if (at_ == end_ && !fill()) return false;
        deadline_ = Clock::now() + limits_->header_time;
        return true;
    }

    //! The headers are here, and say how long the body is; of one in chunks, nobody knows. What httplib skips of a body
    //! that is too long, to answer, is limited too.
    void expect_body(std::optional<std::uint64_t> length) {
        expect(limits_->body_time, 4 * limits_->body_bytes, length.value_or(1));
    }

    //! Whether all of the request was read, so that another may follow.
    bool has_whole_request() const { return unread_ == 0; }

    //! Ends the answer, and takes what the client still sends for a second: a socket that is closed with unread input
    //! resets the connection, which loses the answer.
    void linger() {
        ::shutdown(fd_, SHUT_WR);
        expect(std::chrono::seconds(1), 4 * limits_->body_bytes, 0);
        while (fill()) continue;
    }

    // ---- Whether the client is there ----

    //! False once the client is gone; for handlers, which have sent nothing yet. A client that has closed its own side
    //! may still wait for the answer. If it does not, it answers whatever it is sent with a reset: so it is sent, once,
    //! what every response begins with.
    bool is_alive() {
        int events = wait(POLLRDHUP, std::chrono::milliseconds(0));
        if ((events & POLLRDHUP) != 0 && sent_ahead_ == 0) {
            constexpr std::string_view beginning = "HTTP/1.1 ";
            const ssize_t count = ::send(fd_, beginning.data(), beginning.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            sent_ahead_ = static_cast<std::size_t>(std::max<ssize_t>(count, 0));
            events = wait(0, std::chrono::milliseconds(10));  // for the reset; from afar it comes later
        }
        return (events & broken) == 0;
    }

    bool is_readable() const override { return at_ < end_ || wait(POLLIN, std::chrono::milliseconds(0)) != 0; }
    //! The same while the answer is sent, which finds out by itself.
    bool is_writable() const override { return (wait(POLLRDHUP, std::chrono::milliseconds(0)) & broken) == 0; }

    // ---- Bytes ----

    ssize_t read(char* to, std::size_t size) override {
        if (at_ == end_ && !fill()) return -1;
        const std::size_t count = std::min(size, end_ - at_);
        std::memcpy(to, buffer_.data() + at_, count);
        at_ += count;
        set_unread(unread_ - std::min<std::uint64_t>(unread_, count));
        return static_cast<ssize_t>(count);
    }

    ssize_t write(const char* from, std::size_t size) override {
        for (std::size_t sent = std::exchange(sent_ahead_, 0); sent < size;) {
            const ssize_t count = ::send(fd_, from + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (count > 0) {
                sent += static_cast<std::size_t>(count);
            } else if (errno != EAGAIN || (wait(POLLOUT, limits_->write_time) & POLLOUT) == 0) {
                return -1;
            }
        }
        return static_cast<ssize_t>(size);
    }

    void get_remote_ip_and_port(std::string& ip, int& port) const override { name(::getpeername, ip, port); }
    void get_local_ip_and_port(std::string& ip, int& port) const override { name(::getsockname, ip, port); }
    socket_t socket() const override { return fd_; }

    // ---- For other threads ----

    //! Since when this waits for a request to be whole, as ticks of Clock; `never` while it is answered.
    Clock::rep waits_since() const { return waits_since_; }

    //! Ends the wait: nothing more comes.
    void give_up() {
        given_up_ = true;
        ::shutdown(fd_, SHUT_RD);
    }

    static constexpr Clock::rep never = std::numeric_limits<Clock::rep>::max();

private:
    static constexpr int broken = POLLHUP | POLLERR | POLLNVAL;

    void expect(std::chrono::milliseconds time, std::uint64_t budget, std::uint64_t unread) {
        begin_ = Clock::now();
        deadline_ = begin_ + time;
        budget_ = budget;
        set_unread(unread);
    }
    void set_unread(std::uint64_t bytes) {
        unread_ = bytes;
        if (unread_ == 0) waits_since_ = never;
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
        if (left.count() <= 0 || budget_ == 0) return false;
        waits_since_ = begin_.time_since_epoch().count();
        if (wait(POLLIN, left) == 0 || given_up_) return false;
        const ssize_t count = ::recv(fd_, buffer_.data(), std::min<std::uint64_t>(buffer_.size(), budget_), 0);
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
    Clock::time_point begin_ = Clock::now(), deadline_{};
    std::uint64_t budget_ = 0;    // bytes that may still be received
    std::uint64_t unread_ = 0;    // bytes of the request that were not read
    std::size_t sent_ahead_ = 0;  // bytes of the response that were sent before it was there

    std::atomic<Clock::rep> waits_since_{begin_.time_since_epoch().count()};
    std::atomic<bool> given_up_{false};
};

}  // namespace sluice::server
