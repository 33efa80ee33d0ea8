// SPDX-License-Identifier: Apache-2.0
//! The laws of what writes an answer as server-sent events: a stream, and a sink for each of the answer's choices.
//!
//!     TEST_CASE("my events keep the laws") { sluice::contracts::sse_laws<MyStream, MySink>("MyStream with MySink"); }
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/contracts/check.hpp"
#include "sluice/contracts/json_reader.hpp"
#include "sluice/contracts/stream_sink_laws.hpp"
#include "sluice/contracts/text_draws.hpp"
#include "sluice/core/generation.hpp"
#include "sluice/core/status.hpp"
#include "sluice/sink/callback.hpp"
#include "sluice/sink/sse.hpp"

namespace sluice::contracts {

//! Hands a text to the client; false: the client is gone.
using WriteToClient = std::function<bool(std::string_view)>;

//! The sinks of an answer's choices, whatever their type.
class AnswerWriter {
public:
    virtual ~AnswerWriter() = default;
    virtual Flow on_token(std::size_t choice, const TokenEvent& event) = 0;
    virtual void on_finish(std::size_t choice, const GenerationResult& result) = 0;
    virtual void on_error(std::size_t choice, const Status& error) = 0;
};
using OpenAnswer = std::function<std::unique_ptr<AnswerWriter>(const sse::Head&, const WriteToClient&)>;

//! By a Stream(head, write) and a Sink(stream, choice).
template <class Stream, template <class> class Sink>
class AnswerBy : public AnswerWriter {
public:
    AnswerBy(const sse::Head& head, const WriteToClient& write) : stream_(head, write) {
        for (std::size_t i = 0; i < head.choices; ++i) sinks_.emplace_back(stream_, i);
    }
    Flow on_token(std::size_t choice, const TokenEvent& event) override { return sinks_[choice].on_token(event); }
    void on_finish(std::size_t choice, const GenerationResult& result) override { sinks_[choice].on_finish(result); }
    void on_error(std::size_t choice, const Status& error) override { sinks_[choice].on_error(error); }

    static OpenAnswer opener() {
        return
            [](const sse::Head& head, const WriteToClient& write) { return std::make_unique<AnswerBy>(head, write); };
    }

private:
    Stream stream_;
    std::vector<Sink<Stream>> sinks_;
};

namespace detail {

//! An event as its client reads it.
struct ReadEvent {
    bool is_whole = false;  //!< a line of data and an empty line
    bool is_done = false;
    JsonMembers members{};  //!< of a JSON object, if it is one

    explicit ReadEvent(std::string_view written) {
        constexpr std::string_view name = "data: ", end = "\n\n";
        if (!written.starts_with(name) || !written.ends_with(end) || written.find('\n') != written.size() - 2) return;
        const std::string_view data = written.substr(name.size(), written.size() - name.size() - end.size());
        is_done = data == "[DONE]";
        const auto read = read_json(data);
        if (read) members = *read;
        is_whole = is_done || read.has_value();
    }

    //! A member's value; nothing where there is none.
    std::string at(const std::string& path) const {
        const auto member = members.find(path);
        return member == members.end() ? "" : member->second;
    }
    bool has(const std::string& path) const { return members.count(path) > 0; }

    bool is_error() const { return has("error.message"); }
    bool is_usage() const { return has("usage.total_tokens"); }
    bool is_of(std::size_t choice) const { return at("choices.0.index") == to_text(choice); }
    bool is_end() const { return has("choices.0.finish_reason") && at("choices.0.finish_reason") != "null"; }
    std::string text() const { return at("choices.0.delta.content") + at("choices.0.text"); }
};

//! An answer of several choices, whose tokens come in any order, and the client that gets it.
class AnswerCase {
public:
    AnswerCase(Case& c, const OpenAnswer& open) : case_(c) {
        head.id = c.pick<std::string>({"chatcmpl-1", "cmpl-7-\"x\""});
        head.model = text(c, 2);
        head.created = c.integer<std::int64_t>(0, 4'000'000'000);
        head.is_chat = c.chance(0.5);
        head.include_usage = c.chance(0.5);
        head.choices = c.integer<std::size_t>(1, 3);
        head.seed = c.bits();
        c.given("is_chat", head.is_chat);
        c.given("choices", head.choices);
        for (std::size_t i = 0; i < head.choices; ++i) choices_.push_back(drawn_choice());
        writer_ = open(head, [this](std::string_view event) {
            writes.size() < room ? void(writes.emplace_back(event)) : void(++refused);
            return refused == 0;
        });
    }

    struct Choice {
        EventSource events;
        GenerationResult result;
        std::string_view reason;
        std::size_t sent = 0;
        bool has_ended = false;
    };

    sse::Head head;
    std::vector<std::string> writes{};
    std::size_t room = 100'000;  //!< writes, after which the client is gone
    std::size_t refused = 0;     //!< writes after that

    const Choice& choice(std::size_t i) const { return choices_[i]; }
    Usage total() const {
        Usage sum;
        for (const Choice& choice : choices_) sum.add_choice(choice.result.usage);
        return sum;
    }

    //! One token, or the end of a choice that has no more. f(choice, flow), if it was a token.
    template <class F>
    void step(F f) {
        std::vector<std::size_t> running;
        for (std::size_t i = 0; i < choices_.size(); ++i) {
            if (!choices_[i].has_ended) running.push_back(i);
        }
        const std::size_t i = running[case_.integer<std::size_t>(0, running.size() - 1)];
        Choice& choice = choices_[i];
        if (choice.sent == choice.events.size()) {
            writer_->on_finish(i, choice.result);
            choice.has_ended = true;
        } else {
            CallbackSink to_choice([&](const TokenEvent& event) { return writer_->on_token(i, event); });
            f(i, choice.events.send(to_choice, choice.sent++));
        }
    }
    void step() {
        step([](std::size_t, Flow) {});
    }

    bool is_over() const {
        return std::all_of(choices_.begin(), choices_.end(), [](const Choice& choice) { return choice.has_ended; });
    }
    void run() {
        while (!is_over()) step();
    }
    void fail(const Status& error) { writer_->on_error(case_.integer<std::size_t>(0, choices_.size() - 1), error); }

    std::vector<ReadEvent> events() const {
        std::vector<ReadEvent> read;
        for (const std::string& event : writes) read.emplace_back(event);
        return read;
    }

private:
    Choice drawn_choice() {
        const auto [reason, word] =
            case_.pick<std::pair<FinishReason, std::string_view>>({{FinishReason::stop_token, "stop"},
                                                                   {FinishReason::stop_string, "stop"},
                                                                   {FinishReason::max_tokens, "length"},
                                                                   {FinishReason::context_full, "length"}});
        Choice choice{EventSource(case_), {}, word};
        choice.result.finish_reason = reason;
        choice.result.usage = {20, choice.events.size(), 3};
        return choice;
    }

    Case& case_;
    std::vector<Choice> choices_;
    std::unique_ptr<AnswerWriter> writer_;
};

}  // namespace detail

inline std::vector<Law> sse_law_list(const OpenAnswer& open) {
    using namespace detail;
    return {
        {"sse.whole_events",
         "Each write is a whole event: one line of data, a JSON object or [DONE], and an empty line.",
         [open](Case& c) {
             AnswerCase answer(c, open);
             answer.run();
             for (const std::string& event : answer.writes) {
                 c.expect(ReadEvent(event).is_whole, show(event) + " is no whole event");
             }
         }},
        {"sse.one_head", "All chunks of an answer have its id, model, kind and seed, and one time of creation.",
         [open](Case& c) {
             AnswerCase answer(c, open);
             answer.run();
             const sse::Head& head = answer.head;
             for (const ReadEvent& event : answer.events()) {
                 if (event.is_done) continue;
                 c.equal("created", event.at("created"), to_text(head.created));
                 c.equal("id", event.at("id"), head.id);
                 c.equal("model", event.at("model"), head.model);
                 c.equal("object", event.at("object"), head.is_chat ? "chat.completion.chunk" : "text_completion");
                 c.equal("seed", event.at("seed"), to_text(static_cast<std::int64_t>(head.seed)));
             }
         }},
        {"sse.event_at_once",
         "When on_token() returns, the token has an event of its own; a stop token without text needs none.",
         [open](Case& c) {
             AnswerCase answer(c, open);
             std::vector<std::size_t> tokens(answer.head.choices, 0);
             while (!answer.is_over()) {
                 answer.step([&](std::size_t i, Flow) {
                     const auto& [source, result, reason, sent, has_ended] = answer.choice(i);
                     tokens[i] += sent == source.size() && source.texts().back().empty() ? 0 : 1;
                     std::size_t events = 0;
                     for (const ReadEvent& event : answer.events()) {
                         events += event.is_of(i) && !event.has("choices.0.delta.role") ? 1U : 0U;
                     }
                     c.equal("events of choice " + to_text(i), events, tokens[i]);
                 });
             }
         }},
        {"sse.role_first", "A chat's choice begins with the role, which is told once; a completion's has none.",
         [open](Case& c) {
             AnswerCase answer(c, open);
             answer.run();
             for (std::size_t i = 0; i < answer.head.choices; ++i) {
                 std::size_t events = 0;
                 for (const ReadEvent& event : answer.events()) {
                     if (!event.is_of(i)) continue;
                     const bool has_role = answer.head.is_chat && events++ == 0;
                     c.equal("role", event.at("choices.0.delta.role"), has_role ? "assistant" : "");
                 }
             }
         }},
        {"sse.text_of_each_choice", "The texts of a choice's events, one after the other, are the choice's text.",
         [open](Case& c) {
             AnswerCase answer(c, open);
             answer.run();
             for (std::size_t i = 0; i < answer.head.choices; ++i) {
                 std::string text;
                 for (const ReadEvent& event : answer.events()) text += event.is_of(i) ? event.text() : "";
                 const EventSource& source = answer.choice(i).events;
                 c.equal("text of choice " + to_text(i), text, source.text_of_first(source.size()));
             }
         }},
        {"sse.reason_of_each_choice", "A choice's last event, and no other, has its finish reason.",
         [open](Case& c) {
             AnswerCase answer(c, open);
             answer.run();
             for (std::size_t i = 0; i < answer.head.choices; ++i) {
                 std::vector<std::string> reasons;
                 for (const ReadEvent& event : answer.events()) {
                     if (event.is_of(i)) reasons.push_back(event.at("choices.0.finish_reason"));
                 }
                 std::vector<std::string> expected(std::max<std::size_t>(reasons.size(), 1), "null");
                 expected.back() = answer.choice(i).reason;
                 c.equal("finish reasons", reasons, expected);
             }
         }},
        {"sse.usage_if_asked", "The usage of all choices together is told once, when all have ended, if asked for.",
         [open](Case& c) {
             AnswerCase answer(c, open);
             answer.run();
             std::size_t ends = 0, told = 0;
             for (const ReadEvent& event : answer.events()) {
                 ends += event.is_end() ? 1U : 0U;
                 if (!event.is_usage()) continue;
                 ++told;
                 c.equal("choices that have ended", ends, answer.head.choices);
                 c.equal("completion tokens", event.at("usage.completion_tokens"),
                         to_text(answer.total().completion_tokens));
                 c.equal("prompt tokens", event.at("usage.prompt_tokens"), to_text(answer.total().prompt_tokens));
             }
             c.equal("usages told", told, answer.head.include_usage ? 1U : 0U);
         }},
        {"sse.done_at_the_end", "[DONE] comes once, when all choices have ended, and nothing comes after it.",
         [open](Case& c) {
             AnswerCase answer(c, open);
             while (!answer.is_over()) {
                 for (const ReadEvent& event : answer.events()) c.expect(!event.is_done, "[DONE] comes before the end");
                 answer.step();
             }
             const std::vector<ReadEvent> events = answer.events();
             for (std::size_t i = 0; i < events.size(); ++i) {
                 c.equal("event " + to_text(i) + " is [DONE]", events[i].is_done, i + 1 == events.size());
             }
             c.expect(!events.empty(), "nothing is written");
         }},
        {"sse.error_is_the_end",
         "An error in the midst is an event with its message, and the last one: no [DONE] follows, nor a token.",
         [open](Case& c) {
             AnswerCase answer(c, open);
             for (int left = c.integer(0, 4); left > 0 && !answer.is_over(); --left) answer.step();
             if (answer.is_over()) return;
             const Status error(Errc::numeric, text(c, 2), text(c, 2));
             answer.fail(error);
             while (!answer.is_over()) {
                 answer.step(
                     [&](std::size_t, Flow flow) { c.expect(flow == Flow::stop, "it goes on behind an error"); });
             }
             const std::vector<ReadEvent> events = answer.events();
             c.expect(!events.empty() && events.back().is_error(), "the last event is no error");
             c.equal("message", events.back().at("error.message"), error.message());
             for (const ReadEvent& event : events) c.expect(!event.is_done, "an answer that failed has [DONE]");
         }},
        {"sse.no_more_for_nobody",
         "Once a write finds the client gone, each token is answered with stop, and nothing more is written.",
         [open](Case& c) {
             AnswerCase answer(c, open);
             answer.room = c.integer<std::size_t>(0, 5);
             c.given("writes that reach the client", answer.room);
             while (!answer.is_over()) {
                 answer.step(
                     [&](std::size_t, Flow flow) { c.equal("it says stop", flow == Flow::stop, answer.refused > 0); });
             }
             c.between<std::size_t>("writes to a client that is gone", answer.refused, 0, 1);
         }},
    };
}

//! Checks all laws of a stream and its sinks, inside a doctest test case.
template <class Stream, template <class> class Sink>
void sse_laws(std::string_view subject) {
    check_laws(subject, sse_law_list(AnswerBy<Stream, Sink>::opener()));
}

}  // namespace sluice::contracts
