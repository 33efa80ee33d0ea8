// SPDX-License-Identifier: Apache-2.0
//! A client of a server on this machine that says what it is told, and leaves as it is told.
#pragma once

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace sluice::test {

class BareSocket {
public:
    explicit BareSocket(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        const timeval patience{60, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    }
    ~BareSocket() { ::close(fd_); }
    BareSocket(const BareSocket&) = delete;
    BareSocket& operator=(const BareSocket&) = delete;

    void send(std::string_view text) { REQUIRE(offer(text)); }
    //! False if the server has closed the connection.
    bool offer(std::string_view text) {
        return ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
    }
    //! Some bytes; nothing at the end, or after a minute without any. With MSG_DONTWAIT, what is there.
    std::string receive(int flags = 0) {
        std::array<char, 4096> buffer{};
        const ssize_t count = ::recv(fd_, buffer.data(), buffer.size(), flags);
        return std::string(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    }
    //! Whether nothing more comes, and no reset, which can lose what came before it.
    bool ends_properly() {
        char byte = 0;
        return ::recv(fd_, &byte, 1, 0) == 0;
    }
    //! Closes its own side, and can still receive.
    void end_sending() { REQUIRE(::shutdown(fd_, SHUT_WR) == 0); }
    //! Leaves with a reset instead of a proper end.
    void reset() {
        const linger at_once{1, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    //! Sees to a proper end when it leaves: closing a socket with unread input would be a reset.
    void end_properly() {
        end_sending();
        while (!receive(MSG_DONTWAIT).empty()) continue;
    }

private:
    int fd_;
};

}  // namespace sluice::test
