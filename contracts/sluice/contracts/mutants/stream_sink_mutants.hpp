// SPDX-License-Identifier: Apache-2.0
//! Sinks that are wrong in one way each.
#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "sluice/contracts/channel_laws.hpp"
#include "sluice/contracts/mutant.hpp"
#include "sluice/contracts/stream_sink_laws.hpp"
#include "sluice/core/generation.hpp"
#include "sluice/sink/channel.hpp"
#include "sluice/sink/json_lines.hpp"
#include "sluice/sink/notify.hpp"
#include "sluice/sink/tee.hpp"

namespace sluice::contracts {

namespace mutants {

//! A right sink into a string.
class PlainSink {
public:
    Flow on_token(const TokenEvent& event) {
        if (!refuses_) received_ += event.text;
        return refuses_ ? Flow::stop : Flow::go_on;
    }
    std::string received() const { return received_; }
    void refuse() { refuses_ = true; }

protected:
    std::string received_;
    bool refuses_ = false;
};

struct SinkBufferingToTheEnd : PlainSink {
    Flow on_token(const TokenEvent& event) {
        held += event.text;
        return refuses_ ? Flow::stop : Flow::go_on;
    }
    void on_finish(const GenerationResult&) { received_ += std::exchange(held, {}); }
    std::string held;
};
struct SinkOneEventLate : PlainSink {
    Flow on_token(const TokenEvent& event) {
        received_ += std::exchange(held, std::string(event.text));
        return refuses_ ? Flow::stop : Flow::go_on;
    }
    void on_finish(const GenerationResult&) { received_ += held; }
    std::string held;
};
struct SinkTrimming : PlainSink {
    Flow on_token(TokenEvent event) {
        while (event.text.starts_with(' ')) event.text.remove_prefix(1);
        return PlainSink::on_token(event);
    }
};
struct SinkTwice : PlainSink {
    Flow on_token(const TokenEvent& event) {
        if (event.is_stop) static_cast<void>(PlainSink::on_token(event));
        return PlainSink::on_token(event);
    }
};
struct SinkKeepingViews : PlainSink {
    Flow on_token(const TokenEvent& event) {
        // As a view would: what is read later is no longer the event's text.
        if (!refuses_) received_ += std::string(event.text.size(), '#');
        return refuses_ ? Flow::stop : Flow::go_on;
    }
};
struct SinkSwallowingStop : PlainSink {
    Flow on_token(const TokenEvent& event) {
        static_cast<void>(PlainSink::on_token(event));
        return Flow::go_on;
    }
};

struct JsonWithoutEscapes {
    explicit JsonWithoutEscapes(std::ostream& stream) : out(&stream) {}
    Flow on_token(const TokenEvent& event) {
        *out << "{\"index\":" << event.index << ",\"id\":" << event.id << ",\"text\":\"" << event.text << "\"}\n";
        return Flow::go_on;
    }
    void on_finish(const GenerationResult& result) { JsonLinesSink(*out).on_finish(result); }
    void on_error(const Status& error) { *out << "{\"error\":{\"message\":\"" << error.message() << "\"}}\n"; }
    std::ostream* out;
};
struct JsonOfConstantReason : JsonLinesSink {
    using JsonLinesSink::JsonLinesSink;
    void on_finish(GenerationResult result) {
        result.finish_reason = FinishReason::max_tokens;
        JsonLinesSink::on_finish(result);
    }
};

//! Ends at the first sink that says stop.
template <class... Sinks>
class TeeShortCircuit {
public:
    explicit TeeShortCircuit(Sinks... sinks) : sinks_(sinks...) {}
    Flow on_token(const TokenEvent& event) {
        const auto ask = [&](auto&... sinks) { return ((sinks.on_token(event) == Flow::go_on) && ...); };
        return std::apply(ask, sinks_) ? Flow::go_on : Flow::stop;
    }
    void on_finish(const GenerationResult& result) {
        std::apply([&](auto&... sinks) { (notify_finish(sinks, result), ...); }, sinks_);
    }
    void on_error(const Status& error) {
        std::apply([&](auto&... sinks) { (notify_error(sinks, error), ...); }, sinks_);
    }

private:
    std::tuple<Sinks...> sinks_;
};

//! Stops when all sinks say so.
template <class... Sinks>
struct TeeOfAll : TeeSink<Sinks...> {
    explicit TeeOfAll(Sinks... sinks) : TeeSink<Sinks...>(sinks...), all(sinks...) {}
    Flow on_token(const TokenEvent& event) {
        bool stop = true;
        std::apply([&](auto&... sinks) { ((stop &= sinks.on_token(event) == Flow::stop), ...); }, all);
        return stop ? Flow::stop : Flow::go_on;
    }
    std::tuple<Sinks...> all;
};

//! Keeps the end to itself.
template <class... Sinks>
struct TeeWithoutEnd : TeeSink<Sinks...> {
    explicit TeeWithoutEnd(Sinks... sinks) : TeeSink<Sinks...>(sinks...) {}
    void on_finish(const GenerationResult&) {}
    void on_error(const Status&) {}
};

struct ChannelUnbounded : ChannelSink {
    explicit ChannelUnbounded(std::size_t) : ChannelSink(1000) {}
};
struct ChannelWithoutText : ChannelSink {
    using ChannelSink::ChannelSink;
    std::optional<OwnedTokenEvent> pop() {
        auto event = ChannelSink::pop();
        if (event && event->index > 2) event->text.clear();
        return event;
    }
};
//! Of two events that wait, the second is read first.
struct ChannelSwapping : ChannelSink {
    using ChannelSink::ChannelSink;
    std::optional<OwnedTokenEvent> pop() {
        if (held) return std::exchange(held, std::nullopt);
        auto first = ChannelSink::pop();
        held = ChannelSink::pop();
        return held ? std::exchange(held, std::move(first)) : first;
    }
    std::optional<OwnedTokenEvent> held;
};
struct ChannelIgnoringClose : ChannelSink {
    using ChannelSink::ChannelSink;
    Flow on_token(const TokenEvent& event) {
        static_cast<void>(ChannelSink::on_token(event));
        return Flow::go_on;
    }
};
struct ChannelDroppingAtEnd : ChannelSink {
    using ChannelSink::ChannelSink;
    std::optional<OwnedTokenEvent> pop() { return closed ? std::nullopt : ChannelSink::pop(); }
    void close() {
        closed = true;
        ChannelSink::close();
    }
    std::atomic<bool> closed = false;
};

}  // namespace mutants

template <WiredSink W>
Mutant stream_sink_mutant(std::string_view name, std::string_view law) {
    return {std::string(name), law, stream_sink_law_list<W>()};
}

inline std::vector<Mutant> stream_sink_mutants() {
    using namespace mutants;
    const auto once = "stream_sink.delivers_at_once", order = "stream_sink.delivers_all_in_order";
    return {
        stream_sink_mutant<SinkBufferingToTheEnd>("buffers to the end", once),
        stream_sink_mutant<SinkOneEventLate>("is one event late", once),
        stream_sink_mutant<SinkTrimming>("trims spaces of each token", order),
        stream_sink_mutant<SinkTwice>("delivers the last event twice", order),
        stream_sink_mutant<SinkKeepingViews>("keeps views of texts that are gone", order),
        stream_sink_mutant<SinkSwallowingStop>("swallows the receiver's stop", "stream_sink.passes_stop_on"),
    };
}

inline std::vector<Mutant> json_lines_mutants() {
    using namespace mutants;
    return {
        {"writes text without escapes", "json_lines.one_line_per_token", json_lines_law_list<JsonWithoutEscapes>()},
        {"writes errors without escapes", "json_lines.error_on_one_line", json_lines_law_list<JsonWithoutEscapes>()},
        {"gives one reason for all ends", "json_lines.result_on_one_line", json_lines_law_list<JsonOfConstantReason>()},
    };
}

inline std::vector<Mutant> tee_mutants() {
    using namespace mutants;
    return {
        {"ends at the first sink that says stop", "tee.all_events_to_all", tee_law_list<TeeShortCircuit>()},
        {"stops only when all sinks say so", "tee.any_stop_stops", tee_law_list<TeeOfAll>()},
        {"keeps the end to itself", "tee.end_told_to_all", tee_law_list<TeeWithoutEnd>()},
    };
}

inline std::vector<Mutant> channel_mutants() {
    using namespace mutants;
    return {
        {"swaps neighbouring events", "channel.first_in_first_out", channel_law_list<ChannelSwapping>()},
        {"loses the text of later events", "channel.first_in_first_out", channel_law_list<ChannelWithoutText>()},
        {"has room for all events", "channel.bounded", channel_law_list<ChannelUnbounded>()},
        {"does not tell the writer that it is closed", "channel.close_stops_the_writer",
         channel_law_list<ChannelIgnoringClose>()},
        {"drops unread events when it is closed", "channel.read_to_its_end", channel_law_list<ChannelDroppingAtEnd>()},
    };
}

}  // namespace sluice::contracts
