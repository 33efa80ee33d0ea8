// SPDX-License-Identifier: Apache-2.0
//! The laws of sinks. Any sink can be checked together with the receiver that it writes to: see WiredSink.
//!
//!     TEST_CASE("my sink keeps the laws") { sluice::contracts::stream_sink_laws<MySinkAndReceiver>("MySink"); }
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/concepts/stream_sink.hpp"
#include "sluice/contracts/check.hpp"
#include "sluice/contracts/fakes.hpp"
#include "sluice/contracts/json_reader.hpp"
#include "sluice/contracts/text_draws.hpp"
#include "sluice/contracts/text_oracles.hpp"
#include "sluice/core/generation.hpp"

namespace sluice::contracts {

//! A sink with its receiver. received() is the text that has reached the receiver by now; after refuse() it wants no
//! more: its stream is broken, its end of the channel closed.
template <class W>
concept WiredSink = StreamSink<W> && std::default_initializable<W> && requires(W& wired) {
    { wired.received() } -> std::same_as<std::string>;
    wired.refuse();
};

namespace detail {

//! The events of a generation, in which a text is valid during its call alone.
class EventSource {
public:
    explicit EventSource(Case& c) {
        for (int left = c.integer(1, 8); left > 0; --left) texts_.push_back(text(c, 3));
        for (std::size_t i = 0; i < texts_.size(); ++i) ids_.push_back(c.integer(0, 150000));
        c.given("texts", texts_);
    }

    std::size_t size() const { return texts_.size(); }
    const std::vector<std::string>& texts() const { return texts_; }
    const std::vector<Token>& ids() const { return ids_; }

    //! Gives event number i to the sink.
    template <class Sink>
    Flow send(Sink& sink, std::size_t i) const {
        std::string text = texts_[i];
        const Flow flow = sink.on_token({i, ids_[i], text, i + 1 == size()});
        std::fill(text.begin(), text.end(), '#');
        return flow;
    }

    std::string text_of_first(std::size_t count) const {
        std::string all;
        for (std::size_t i = 0; i < count; ++i) all += texts_[i];
        return all;
    }

private:
    std::vector<std::string> texts_;
    std::vector<Token> ids_;
};

inline std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

//! The members of the only line.
inline JsonMembers only_json_line(const Case& c, const std::ostringstream& out) {
    c.expect(out.str().ends_with('\n'), "the line is not ended");
    const std::vector<std::string> lines = lines_of(out.str());
    c.equal("lines", lines.size(), 1U);
    const auto members = read_json(lines.front());
    c.expect(members.has_value(), show(lines.front()) + " is no JSON object");
    return *members;
}

inline void expect_member(const Case& c, const JsonMembers& members, const std::string& path,
                          std::string_view expected) {
    const auto member = members.find(path);
    c.expect(member != members.end(), "the line has no member " + path);
    c.equal(path, std::string_view(member->second), expected);
}

}  // namespace detail

template <WiredSink W>
std::vector<Law> stream_sink_law_list() {
    using namespace detail;
    return {
        {"stream_sink.delivers_at_once", "When on_token() returns, the event's text has reached the receiver.",
         [](Case& c) {
             const EventSource events(c);
             W sink;
             for (std::size_t i = 0; i < events.size(); ++i) {
                 events.send(sink, i);
                 c.equal("bytes received", sink.received().size(), events.text_of_first(i + 1).size());
             }
         }},
        {"stream_sink.delivers_all_in_order", "Every text reaches the receiver once, in order.",
         [](Case& c) {
             const EventSource events(c);
             W sink;
             for (std::size_t i = 0; i < events.size(); ++i) events.send(sink, i);
             if constexpr (requires { sink.on_finish(GenerationResult()); }) sink.on_finish({});
             c.equal("text received", sink.received(), events.text_of_first(events.size()));
         }},
        {"stream_sink.passes_stop_on",
         "It answers go_on while the receiver takes events, and stop once it refuses one.",
         [](Case& c) {
             const EventSource events(c);
             W sink;
             const auto taken = c.integer<std::size_t>(0, events.size() - 1);
             c.given("taken", taken);
             for (std::size_t i = 0; i < taken; ++i) {
                 c.expect(events.send(sink, i) == Flow::go_on, "it stops at event " + to_text(i));
                 static_cast<void>(sink.received());
             }
             sink.refuse();
             const bool may_write_nothing = taken + 1 == events.size() && events.texts().back().empty();
             if (may_write_nothing) return;  // a stop token without text
             c.expect(events.send(sink, taken) == Flow::stop, "it goes on when the receiver refuses");
         }},
    };
}

//! Of a sink Sink(std::ostream&) that writes JSON lines.
template <StreamSink Sink>
std::vector<Law> json_lines_law_list() {
    using namespace detail;
    return {
        {"json_lines.one_line_per_token",
         "Each token becomes one line, a JSON object with its index, id and text, whatever the text.",
         [](Case& c) {
             const std::string shown = c.chance(0.5) ? text(c) : bytes(c);
             const Token id = c.integer(0, 150000);
             const auto index = c.integer<std::size_t>(0, 100000);
             c.given("text", shown);
             std::ostringstream out;
             Sink sink(out);
             sink.on_token({index, id, shown});
             const JsonMembers members = only_json_line(c, out);
             expect_member(c, members, "text", oracle::repaired(shown));
             expect_member(c, members, "id", to_text(id));
             expect_member(c, members, "index", to_text(index));
         }},
        {"json_lines.result_on_one_line", "The result becomes one line with the finish reason and the usage.",
         [](Case& c) {
             GenerationResult result;
             const auto [reason, word] =
                 c.pick<std::pair<FinishReason, std::string_view>>({{FinishReason::stop_token, "stop"},
                                                                    {FinishReason::stop_string, "stop"},
                                                                    {FinishReason::max_tokens, "length"},
                                                                    {FinishReason::context_full, "length"},
                                                                    {FinishReason::cancelled, "cancelled"}});
             result.finish_reason = reason;
             result.usage = {c.integer<std::size_t>(0, 5000), c.integer<std::size_t>(0, 5000), 0};
             result.timings = {c.pick({0.0, c.real(0.0, 1e5)}), c.pick({0.0, 1e-300, c.real(0.0, 1e5)})};
             std::ostringstream out;
             Sink sink(out);
             sink.on_finish(result);
             const JsonMembers members = only_json_line(c, out);
             expect_member(c, members, "finish_reason", word);
             expect_member(c, members, "usage.prompt_tokens", to_text(result.usage.prompt_tokens));
             expect_member(c, members, "usage.completion_tokens", to_text(result.usage.completion_tokens));
             expect_member(c, members, "usage.total_tokens", to_text(result.usage.total_tokens()));
         }},
        {"json_lines.error_on_one_line", "An error becomes one line with its message, whatever that is.",
         [](Case& c) {
             const Status error(Errc::numeric, text(c), bytes(c), text(c));
             std::ostringstream out;
             Sink sink(out);
             sink.on_error(error);
             const JsonMembers members = only_json_line(c, out);
             expect_member(c, members, "error.message", oracle::repaired(error.message()));
         }},
    };
}

//! Of a template Tee<Sink...>(sinks...) that refers to sinks with a name.
template <template <class...> class Tee>
std::vector<Law> tee_law_list() {
    using namespace detail;
    using Both = Tee<RecordingSink&, RecordingSink&>;
    return {
        {"tee.all_events_to_all", "Every sink gets every event, also when another one says stop.",
         [](Case& c) {
             const EventSource events(c);
             RecordingSink first, second;
             (c.chance(0.5) ? first : second).stop_at = c.integer<std::size_t>(0, events.size());
             Both tee(first, second);
             for (std::size_t i = 0; i < events.size(); ++i) events.send(tee, i);
             c.equal("texts of the first sink", first.texts, events.texts());
             c.equal("texts of the second sink", second.texts, events.texts());
             c.equal("tokens of the second sink", second.ids, events.ids());
         }},
        {"tee.any_stop_stops", "It says stop when any of its sinks does, and only then.",
         [](Case& c) {
             const EventSource events(c);
             RecordingSink first{c.integer<std::size_t>(0, 4)}, second{c.integer<std::size_t>(0, 4)};
             Both tee(first, second);
             for (std::size_t i = 0; i < events.size(); ++i) {
                 const bool stops = i == first.stop_at || i == second.stop_at;
                 c.equal("stop at event " + to_text(i), events.send(tee, i) == Flow::stop, stops);
             }
         }},
        {"tee.end_told_to_all", "Every sink is told of the end, once: of the result, or of the error.",
         [](Case& c) {
             RecordingSink first, second;
             Both tee(first, second);
             const bool fails = c.chance(0.5);
             if (fails) tee.on_error(Status(Errc::numeric, "logits", "are NaN"));
             if (!fails) tee.on_finish({});
             for (const RecordingSink* sink : {&first, &second}) {
                 c.equal("results", sink->results.size(), fails ? 0U : 1U);
                 c.equal("errors", sink->errors.size(), fails ? 1U : 0U);
             }
         }},
    };
}

template <WiredSink W>
void stream_sink_laws(std::string_view subject) {
    check_laws(subject, stream_sink_law_list<W>());
}
template <StreamSink Sink>
void json_lines_laws(std::string_view subject) {
    check_laws(subject, json_lines_law_list<Sink>());
}
template <template <class...> class Tee>
void tee_laws(std::string_view subject) {
    check_laws(subject, tee_law_list<Tee>());
}

}  // namespace sluice::contracts
