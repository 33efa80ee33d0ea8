// SPDX-License-Identifier: Apache-2.0
//! One request's answers on their way from the engine to the client.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sluice/core/generation.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/to_text.hpp"
#include "sluice/server/metrics.hpp"
#include "sluice/sink/channel.hpp"
#include "sluice/sink/notify.hpp"

namespace sluice::server {

//! "3.2"
inline std::string ms_text(std::chrono::steady_clock::duration duration) {
    return to_text(std::round(std::chrono::duration<double, std::milli>(duration).count() * 10) / 10);
}

//! Reads the channels of a request's choices, as their tokens come, and measures what the client sees. At its end it
//! closes the channels, which frees the slots of those that still run.
class Session {
public:
    using Clock = std::chrono::steady_clock;
    using Channels = std::vector<std::shared_ptr<ChannelSink>>;

    //! `channels`: one a choice; they share a monitor. `start`: when the request was there.
    Session(const Channels& channels, Clock::time_point start, Latencies& latencies)
        : latencies_(&latencies), start_(start) {
        for (const auto& channel : channels) {
            choices_.push_back({channel});
            open_.push_back(channel.get());
        }
    }
    ~Session() {
        for (const Choice& choice : choices_) choice.channel->close();
    }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    //! Waits until a choice's next event or end is here, `patience` at most. False if none is, or if the client is
    //! gone.
    template <class IsThere>
    bool wait(IsThere client_is_there, std::chrono::milliseconds patience) {
        const auto until = Clock::now() + patience;
        while (!ChannelSink::wait_for_any(open_, glance)) {
            client_is_there_ = client_is_there();
            if (!client_is_there_ || Clock::now() >= until) return false;
        }
        return true;
    }

    //! Hands the events of choice i to sinks[i] until all have ended, one has failed, or the client is gone; calls
    //! `keep_alive()` after every `patience` without any. False if the client is gone.
    template <class Sink, class IsThere, class KeepAlive>
    bool run(std::vector<Sink>& sinks, IsThere client_is_there, std::chrono::milliseconds patience,
             KeepAlive keep_alive) {
        while (!open_.empty() && client_is_there_ && (client_is_there_ = client_is_there())) {
            if (!wait(client_is_there, patience)) {
                if (client_is_there_) keep_alive();
                continue;
            }
            for (std::size_t i = 0; i < choices_.size() && client_is_there_; ++i) {
                if (!is_open(i) || !choices_[i].channel->wait_for(std::chrono::milliseconds(0))) continue;
                if (const auto event = choices_[i].channel->pop()) {
                    observe(choices_[i]);
                    client_is_there_ = sinks[i].on_token(event->view()) == Flow::go_on;
                    continue;
                }
                std::erase(open_, choices_[i].channel.get());
                const auto how = outcome(choices_[i]);
                notify_outcome(sinks[i], how);
                if (!how.ok()) return true;
            }
        }
        return client_is_there_;
    }

    //! The error that a choice has ended with, if one has and all before it was read.
    std::optional<Status> error() const {
        for (const Choice& choice : choices_) {
            if (choice.channel->drained() && !outcome(choice).ok()) return outcome(choice).status();
        }
        return std::nullopt;
    }

    //! "tokens=17 ttft_ms=3.2 tok_s=81.5 finish=stop client=there"; the tokens of all choices, and an end for each.
    std::string summary() const {
        std::string text = "tokens=" + to_text(tokens_);
        if (tokens_ > 0) text += " ttft_ms=" + ms_text(first_ - start_);
        if (tokens_ > 1) {
            const std::chrono::duration<double> others = last_ - first_;
            text += " tok_s=" + to_text(std::round(static_cast<double>(tokens_ - 1) * 10 / others.count()) / 10);
        }
        text += " finish=";
        for (const Choice& choice : choices_) {
            if (&choice != &choices_.front()) text += ',';
            const auto outcome = choice.channel->outcome();
            text += !outcome ? "cancelled" : outcome->ok() ? openai_name((*outcome)->finish_reason) : "error";
        }
        return text + (client_is_there_ ? " client=there" : " client=gone");
    }

private:
    struct Choice {
        std::shared_ptr<ChannelSink> channel;
        std::optional<Clock::time_point> last{};  // its last token so far
    };

    static constexpr std::chrono::milliseconds glance{20};  // how often a waiting session looks for its client

    bool is_open(std::size_t i) const {
        return std::find(open_.begin(), open_.end(), choices_[i].channel.get()) != open_.end();
    }

    //! An error if the answer was broken off.
    static Expected<GenerationResult> outcome(const Choice& choice) {
        const auto outcome = choice.channel->outcome();
        if (outcome && (!outcome->ok() || (*outcome)->finish_reason != FinishReason::cancelled)) return *outcome;
        return Status(Errc::cancelled, "answer", "was broken off, as the server is shutting down");
    }

    void observe(Choice& choice) {
        last_ = Clock::now();
        if (tokens_++ == 0) first_ = last_;
        const std::chrono::duration<double> since = last_ - choice.last.value_or(start_);
        (choice.last ? latencies_->next_token : latencies_->first_token).observe(since.count());
        choice.last = last_;
    }

    Latencies* latencies_;
    std::vector<Choice> choices_;
    std::vector<ChannelSink*> open_;  // those that are not read to their end
    const Clock::time_point start_;
    Clock::time_point first_{}, last_{};  // tokens of any choice
    std::size_t tokens_ = 0;
    bool client_is_there_ = true;
};

}  // namespace sluice::server
