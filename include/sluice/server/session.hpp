// SPDX-License-Identifier: Apache-2.0
//! One answer on its way from the engine to one client.
#pragma once

#include <chrono>
#include <cmath>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "sluice/core/generation.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/to_text.hpp"
#include "sluice/server/metrics.hpp"
#include "sluice/sink/channel.hpp"
#include "sluice/sink/notify.hpp"

namespace sluice::server {

//! Reads an answer's channel and measures what the client sees. At its end it closes the channel, which frees the slot
//! if the answer still runs.
class Session {
public:
    using Clock = std::chrono::steady_clock;

    Session(std::shared_ptr<ChannelSink> channel, Latencies& latencies)
        : channel_(std::move(channel)), latencies_(&latencies) {}
    ~Session() { channel_->close(); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    //! Waits until the next event or the end is here, `patience` at most. False if not, or if the client is gone.
    template <class IsThere>
    bool wait(IsThere client_is_there, std::chrono::milliseconds patience) {
        const auto until = Clock::now() + patience;
        while (!next_ && !channel_->wait_for(glance)) {
            client_is_there_ = client_is_there();
            if (!client_is_there_ || Clock::now() >= until) return false;
        }
        if (!next_) next_ = channel_->pop();
        return true;
    }

    //! Hands events to the sink until the answer ends or the client is gone; calls `keep_alive()` after every
    //! `patience` without one. True if the sink was told the end.
    template <class Sink, class IsThere, class KeepAlive>
    bool run(Sink& sink, IsThere client_is_there, std::chrono::milliseconds patience, KeepAlive keep_alive) {
        while (client_is_there_ && (client_is_there_ = client_is_there())) {
            if (!wait(client_is_there, patience)) {
                if (client_is_there_) keep_alive();
                continue;
            }
            if (!next_) break;
            const OwnedTokenEvent event = *std::exchange(next_, std::nullopt);
            observe();
            client_is_there_ = sink.on_token({event.index, event.id, event.text, event.is_stop}) == Flow::go_on;
        }
        if (!client_is_there_) return false;
        const auto how = outcome();
        how.ok() ? notify_finish(sink, *how) : notify_error(sink, how.status());
        return true;
    }

    //! How the answer ended; an error if it was broken off.
    Expected<GenerationResult> outcome() const {
        const auto outcome = channel_->outcome();
        if (outcome && (!outcome->ok() || (*outcome)->finish_reason != FinishReason::cancelled)) return *outcome;
        return Status(Errc::cancelled, "answer", "was broken off, as the server is shutting down");
    }

    //! The error that the answer has ended with, if it did so before its first token.
    std::optional<Status> early_error() const {
        if (next_ || tokens_ > 0 || !channel_->outcome() || outcome().ok()) return std::nullopt;
        return outcome().status();
    }

    //! "tokens=17 ttft_ms=3.2 tok_s=81.5 finish=stop client=there".
    std::string summary() const {
        const auto tenths = [](double value) { return to_text(std::round(value * 10) / 10); };
        const auto ms = [](Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); };
        std::string text = "tokens=" + to_text(tokens_);
        if (tokens_ > 0) text += " ttft_ms=" + tenths(ms(first_ - start_));
        if (tokens_ > 1) text += " tok_s=" + tenths(static_cast<double>(tokens_ - 1) * 1000.0 / ms(last_ - first_));
        const auto outcome = channel_->outcome();
        text += " finish=";
        text += !outcome ? "cancelled" : outcome->ok() ? openai_name((*outcome)->finish_reason) : "error";
        return text + (client_is_there_ ? " client=there" : " client=gone");
    }

private:
    static constexpr std::chrono::milliseconds glance{20};  // how often a waiting session looks for its client

    void observe() {
        const auto now = Clock::now();
        const std::chrono::duration<double> since = now - (tokens_ == 0 ? start_ : last_);
        (tokens_ == 0 ? latencies_->first_token : latencies_->next_token).observe(since.count());
        if (tokens_++ == 0) first_ = now;
        last_ = now;
    }

    std::shared_ptr<ChannelSink> channel_;
    Latencies* latencies_;
    const Clock::time_point start_ = Clock::now();
    Clock::time_point first_{}, last_{};
    std::optional<OwnedTokenEvent> next_;
    std::size_t tokens_ = 0;
    bool client_is_there_ = true;
};

}  // namespace sluice::server
