// SPDX-License-Identifier: Apache-2.0
//! Writers of server-sent events that are wrong in one way each: true ones whose events are changed on their way to the
//! client, or that are told something else.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/contracts/mutant.hpp"
#include "sluice/contracts/sse_laws.hpp"
#include "sluice/core/generation.hpp"
#include "sluice/core/status.hpp"
#include "sluice/sink/sse.hpp"

namespace sluice::contracts {

namespace mutants {

using TrueAnswer = AnswerBy<SseStream<WriteToClient>, SseSink>;

//! What lies between a true writer and the client, made anew for each answer.
using FaultyWire = std::function<WriteToClient(const WriteToClient&)>;

//! A wire that hands on change(event).
template <class Change>
FaultyWire with_event(Change change) {
    return [change](const WriteToClient& write) {
        return [change, write](std::string_view event) mutable { return write(change(std::string(event))); };
    };
}

inline std::string replaced(std::string text, std::string_view what, std::string_view by) {
    const std::size_t at = text.find(what);
    return at == text.npos ? text : text.replace(at, what.size(), by);
}

//! Holds all events back until the answer ends.
inline WriteToClient holding_back(const WriteToClient& write) {
    return [write, held = std::vector<std::string>()](std::string_view event) mutable {
        held.emplace_back(event);
        if (event != sse::done) return true;
        bool is_there = true;
        for (const std::string& one : held) is_there = is_there && write(one);
        return is_there;
    };
}

inline WriteToClient without_done(const WriteToClient& write) {
    return [write](std::string_view event) { return event == sse::done || write(event); };
}

//! [DONE] behind the end of each choice.
inline WriteToClient done_for_each_choice(const WriteToClient& write) {
    return [write](std::string_view event) {
        if (event == sse::done) return true;
        const bool is_there = write(event);
        return detail::ReadEvent(event).is_end() ? is_there && write(sse::done) : is_there;
    };
}

//! As if an answer that failed were one that ended.
inline WriteToClient done_behind_errors(const WriteToClient& write) {
    return [write](std::string_view event) {
        const bool is_there = write(event);
        return detail::ReadEvent(event).is_error() ? is_there && write(sse::done) : is_there;
    };
}

inline WriteToClient without_errors(const WriteToClient& write) {
    return [write](std::string_view event) { return detail::ReadEvent(event).is_error() || write(event); };
}

inline WriteToClient deaf_to_the_client(const WriteToClient& write) {
    return [write](std::string_view event) {
        static_cast<void>(write(event));
        return true;
    };
}

//! Writes nothing for a token without text.
struct SilentAboutEmptyTokens : TrueAnswer {
    using TrueAnswer::TrueAnswer;
    Flow on_token(std::size_t choice, const TokenEvent& event) override {
        return event.text.empty() ? Flow::go_on : TrueAnswer::on_token(choice, event);
    }
};
struct TrimsTokens : TrueAnswer {
    using TrueAnswer::TrueAnswer;
    Flow on_token(std::size_t choice, const TokenEvent& event) override {
        TokenEvent trimmed = event;
        while (trimmed.text.starts_with(' ')) trimmed.text.remove_prefix(1);
        return TrueAnswer::on_token(choice, trimmed);
    }
};
struct EndsForOneReason : TrueAnswer {
    using TrueAnswer::TrueAnswer;
    void on_finish(std::size_t choice, const GenerationResult& result) override {
        TrueAnswer::on_finish(choice, {FinishReason::stop_token, result.usage, result.timings});
    }
};

}  // namespace mutants

inline std::vector<Mutant> sse_mutants() {
    using namespace mutants;
    const auto wired = [](FaultyWire wire, std::string_view name, std::string_view law) {
        const OpenAnswer open = [wire](const sse::Head& head, const WriteToClient& write) {
            return std::make_unique<TrueAnswer>(head, wire(write));
        };
        return Mutant{std::string(name), law, sse_law_list(open)};
    };
    const auto by = []<class Answer>(std::string_view name, std::string_view law) {
        const OpenAnswer open = [](const sse::Head& head, const WriteToClient& write) {
            return std::make_unique<Answer>(head, write);
        };
        return Mutant{std::string(name), law, sse_law_list(open)};
    };
    const auto headed = [](void (*change)(sse::Head&), std::string_view name, std::string_view law) {
        const OpenAnswer open = [change](sse::Head head, const WriteToClient& write) {
            change(head);
            return std::make_unique<TrueAnswer>(head, write);
        };
        return Mutant{std::string(name), law, sse_law_list(open)};
    };

    const auto one_break = [](std::string event) {
        event.pop_back();
        return event;
    };
    const auto bare = [](const std::string& event) { return replaced(event, "data: ", ""); };
    const auto by_clock = [ticks = 0](const std::string& event) mutable {
        return replaced(event, "\"created\":", "\"created\":" + std::string(ticks++ > 0 ? "1" : ""));
    };
    const auto role_in_all = [](const std::string& event) {
        return replaced(event, "{\"content\":", "{\"role\":\"assistant\",\"content\":");
    };
    const auto first_choice = [](const std::string& event) { return replaced(event, "\"index\":1", "\"index\":0"); };
    const auto no_reason = [](const std::string& event) {
        return replaced(event, "\"finish_reason\":\"stop\"", "\"finish_reason\":null");
    };
    const auto usage_always = [](sse::Head& head) { head.include_usage = true; };
    const auto usage_never = [](sse::Head& head) { head.include_usage = false; };
    const auto whole = "sse.whole_events", once = "sse.event_at_once", reason = "sse.reason_of_each_choice",
               text = "sse.text_of_each_choice", usage = "sse.usage_if_asked", done = "sse.done_at_the_end",
               error = "sse.error_is_the_end";
    return {
        wired(with_event(bare), "writes JSON without the name of the field", whole),
        wired(with_event(one_break), "ends an event without an empty line", whole),
        wired(with_event(by_clock), "takes the time anew for each chunk", "sse.one_head"),
        wired(holding_back, "holds all events back to the end", once),
        by.operator()<SilentAboutEmptyTokens>("writes nothing for a token without text", once),
        wired(with_event(role_in_all), "tells the role with each token", "sse.role_first"),
        wired(with_event(first_choice), "takes the second choice for the first", text),
        by.operator()<TrimsTokens>("trims spaces of each token", text),
        by.operator()<EndsForOneReason>("gives one reason for all ends", reason),
        wired(with_event(no_reason), "gives no reason for an end by itself", reason),
        headed(usage_always, "tells the usage to all", usage),
        headed(usage_never, "tells the usage to nobody", usage),
        wired(without_done, "forgets [DONE]", done),
        wired(done_for_each_choice, "writes [DONE] for each choice", done),
        wired(done_behind_errors, "writes [DONE] behind an error", error),
        wired(without_errors, "ends in silence where an answer fails", error),
        wired(deaf_to_the_client, "goes on without a client", "sse.no_more_for_nobody"),
    };
}

}  // namespace sluice::contracts
