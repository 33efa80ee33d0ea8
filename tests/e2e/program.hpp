// SPDX-License-Identifier: Apache-2.0
//! Runs the built programs as their users do: through pipes or at a terminal, and with Ctrl-C.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace sluice::test {

//! A program that runs. Every wait ends with a failed test after two minutes.
class Program {
public:
    enum class Stdio {
        pipes,
        narrow_pipes,  //!< a pipe for standard output that is full after some dozen bytes
        terminal,      //!< one for all three; what the program writes is in out()
    };

    Program(const std::string& name, std::vector<std::string> arguments, Stdio stdio = Stdio::pipes) {
        arguments.insert(arguments.begin(), SLUICE_BIN_DIR "/" + name);
        std::vector<char*> argv;
        for (std::string& argument : arguments) argv.push_back(argument.data());
        argv.push_back(nullptr);
        const std::array<int, 3> theirs = stdio == Stdio::terminal ? open_terminal() : open_pipes();
        if (stdio == Stdio::narrow_pipes) fill(theirs[1]);
        signal(SIGPIPE, SIG_IGN);  // write() is told instead
        pid_ = fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            signal(SIGPIPE, SIG_DFL);
            setsid();
            for (int i = 0; i < 3; ++i) dup2(theirs[static_cast<std::size_t>(i)], i);
            if (stdio == Stdio::terminal) ioctl(0, TIOCSCTTY, 0);
            execv(argv[0], argv.data());
            _exit(127);  // no such program
        }
        for (const int fd : theirs) close(fd);
    }

    ~Program() {
        if (pid_ > 0) kill(pid_, SIGKILL);
        if (pid_ > 0) waitpid(pid_, nullptr, 0);
        for (const int fd : {in_, out_, err_}) {
            if (fd >= 0) close(fd);
        }
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    //! A program that has ended without reading is no failure: how it ended is for wait() to tell.
    void write(std::string_view text) {
        const ssize_t count = ::write(in_, text.data(), text.size());
        REQUIRE((count == static_cast<ssize_t>(text.size()) || (count < 0 && errno == EPIPE)));
    }
    void close_input() { hang_up(in_); }
    void close_output() { hang_up(out_); }
    void interrupt() { send(SIGINT); }
    void send(int signal_number) { REQUIRE(kill(pid_, signal_number) == 0); }
    pid_t pid() const { return pid_; }

    //! Waits until standard output has something to read, and leaves it there.
    void wait_for_output() {
        for (int waited_ms = 0; waited_ms < patience_ms; ++waited_ms) {
            int available = 0;
            REQUIRE(ioctl(out_, FIONREAD, &available) == 0);
            if (static_cast<std::size_t>(available) > filler_) return;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        FAIL("no output came");
    }

    //! Reads until `text` has come after what earlier calls waited for.
    void read_until(std::string_view text) {
        std::size_t at = 0;
        while ((at = output_.find(text, seen_)) == output_.npos) {
            INFO("waiting for '" << text << "' after:\n" << output_);
            REQUIRE(read_some());
        }
        seen_ = at + text.size();
    }

    //! Reads to the end of both streams and returns the exit code, or 128 + the signal that ended the program.
    int wait() {
        while (read_some()) continue;
        int status = 0;
        REQUIRE(waitpid(pid_, &status, 0) == pid_);
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

    const std::string& out() const { return output_; }
    const std::string& err() const { return errors_; }

private:
    static constexpr int patience_ms = 120'000;

    static void hang_up(int& fd) {
        close(fd);
        fd = -1;
    }

    static std::array<int, 2> open_pipe() {
        std::array<int, 2> ends{};
        REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
        return ends;
    }

    //! Both return the program's three ends.
    std::array<int, 3> open_pipes() {
        const auto in = open_pipe(), out = open_pipe(), err = open_pipe();
        in_ = in[1];
        out_ = out[0];
        err_ = err[0];
        return {in[0], out[1], err[1]};
    }
    std::array<int, 3> open_terminal() {
        in_ = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        REQUIRE((in_ >= 0 && grantpt(in_) == 0 && unlockpt(in_) == 0));
        out_ = fcntl(in_, F_DUPFD_CLOEXEC, 0);
        std::array<int, 3> theirs{};
        for (int& fd : theirs) fd = open(ptsname(in_), O_RDWR | O_NOCTTY | O_CLOEXEC);
        return theirs;
    }

    //! Leaves room for 64 bytes in the pipe.
    void fill(int pipe) {
        const int size = fcntl(pipe, F_SETPIPE_SZ, 4096);
        REQUIRE(size > 64);
        const std::string filler(static_cast<std::size_t>(size) - 64, ' ');
        REQUIRE(::write(pipe, filler.data(), filler.size()) == static_cast<ssize_t>(filler.size()));
        filler_ = filler.size();
    }

    //! False when the program has closed both its streams, or we have.
    bool read_some() {
        std::array<pollfd, 2> streams{{{out_, POLLIN, 0}, {err_, POLLIN, 0}}};
        if (out_ < 0 && err_ < 0) return false;
        REQUIRE(poll(streams.data(), streams.size(), patience_ms) > 0);
        if (streams[0].revents != 0) {
            std::string text = read_from(out_);
            const std::size_t filling = std::min(filler_, text.size());
            filler_ -= filling;
            output_ += text.substr(filling);
        }
        if (streams[1].revents != 0) errors_ += read_from(err_);
        return true;
    }

    static std::string read_from(int& fd) {
        std::array<char, 4096> buffer{};
        const ssize_t count = read(fd, buffer.data(), buffer.size());
        if (count <= 0) hang_up(fd);  // a terminal says EIO at its end
        return std::string(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    }

    pid_t pid_ = -1;
    int in_ = -1, out_ = -1, err_ = -1;
    std::size_t filler_ = 0;  // bytes in the pipe that the program did not write
    std::string output_, errors_;
    std::size_t seen_ = 0;  // of output_, by read_until
};

//! What a run through pipes printed, and how it ended.
struct Outcome {
    int code;
    std::string out, err;
};

inline Outcome run(const std::string& name, const std::vector<std::string>& arguments, std::string_view input = {}) {
    Program program(name, arguments);
    if (!input.empty()) program.write(input);
    program.close_input();
    const int code = program.wait();
    return {code, program.out(), program.err()};
}

//! That a program with --device cuda, where there is no GPU or the build is without, says so in one line: where, what
//! and the mend.
inline void check_lacks_cuda(const std::string& name, const Outcome& outcome) {
    CHECK(outcome.code == 1);
    CHECK(outcome.out == "");
    CHECK(outcome.err.starts_with(name + ": "));
    const std::size_t where = outcome.err.find("cuda: ");
    REQUIRE(where != outcome.err.npos);
    CHECK(outcome.err.find("; ", where) != outcome.err.npos);
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
}

//! The standard output of a run that must succeed, and say nothing on standard error.
inline std::string output_of(const std::string& name, const std::vector<std::string>& arguments,
                             std::string_view input = {}) {
    const Outcome outcome = run(name, arguments, input);
    CHECK(outcome.err == "");
    REQUIRE(outcome.code == 0);
    return outcome.out;
}

}  // namespace sluice::test
