// SPDX-License-Identifier: Apache-2.0
//! The laws of what turns the bytes of tokens into the text that is shown: streams of whole characters, stop strings,
//! and both in a row.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/contracts/check.hpp"
#include "sluice/contracts/text_draws.hpp"
#include "sluice/contracts/text_oracles.hpp"

namespace sluice::contracts {

//! Has push(bytes, out), which appends what may be shown by now, and flush(out), which appends the rest.
template <class U>
concept CharacterStream = requires(U& stream, std::string_view bytes, std::string& out) {
    stream.push(bytes, out);
    stream.flush(out);
};

//! Has create(stops), an Expected; push(text, out), true once a stop string has appeared; and flush(out).
template <class S>
concept StopMatcher = requires(S& matcher, std::string_view text, std::string& out) {
    { S::create(std::vector<std::string>()).ok() } -> std::convertible_to<bool>;
    { matcher.push(text, out) } -> std::convertible_to<bool>;
    matcher.flush(out);
};

namespace detail {

//! What text goes through, whatever its type, so that the laws are compiled once. Copies share what it holds.
struct AnyTextStage {
    std::function<bool(std::string_view text, std::string& out)> push;  //!< true once a stop string has appeared
    std::function<bool(std::string& out)> flush;                        //!< the same

    template <class Stage>
    static AnyTextStage of(Stage stage) {
        const auto shared = std::make_shared<Stage>(std::move(stage));
        return {[shared](std::string_view text, std::string& out) {
                    if constexpr (std::convertible_to<decltype(shared->push(text, out)), bool>) {
                        return static_cast<bool>(shared->push(text, out));
                    } else {
                        shared->push(text, out);
                        return false;
                    }
                },
                [shared](std::string& out) {
                    if constexpr (requires { shared->finish(out); }) {
                        return static_cast<bool>(shared->finish(out));
                    } else {
                        shared->flush(out);
                        return false;
                    }
                }};
    }
};

using MakeTextStage = AnyTextStage (*)();
//! None if the stop strings are refused.
using MakeStopStage = std::optional<AnyTextStage> (*)(const std::vector<std::string>& stops);

template <StopMatcher S>
std::optional<AnyTextStage> stop_stage(const std::vector<std::string>& stops) {
    auto matcher = S::create(stops);
    if (!matcher.ok()) return std::nullopt;
    return AnyTextStage::of(*std::move(matcher));
}

//! Stop strings over few letters, so that they overlap in all ways, and sometimes of two bytes that begin alike.
inline std::vector<std::string> stop_strings(Case& c) {
    std::vector<std::string> stops;
    for (int left = c.integer(0, 3); left > 0; --left) {
        std::string stop;
        for (int letters = c.integer(1, 5); letters > 0; --letters)
            stop += c.pick<std::string_view>({"a", "b", "\u00E9", "\uFFFD"});
        stops.push_back(stop);
    }
    c.given("stop strings", stops);
    return stops;
}

inline std::string text_near_stops(Case& c, const std::vector<std::string>& stops) {
    std::string text;
    for (int left = c.integer(0, 10); left > 0; --left) {
        std::string part(c.pick<std::string_view>({"a", "b", "\u00E9", "\u00E8", "x "}));
        if (!stops.empty() && c.chance(0.3)) {  // a beginning of a stop string, in whole characters
            part = stops[c.integer<std::size_t>(0, stops.size() - 1)];
            part.resize(c.integer<std::size_t>(0, part.size()));
            while (!oracle::is_utf8(part)) part.pop_back();
        }
        text += part;
    }
    return text;
}

//! What comes out of pushing all pieces, and of the flush.
inline std::string streamed(const std::vector<std::string>& pieces, const AnyTextStage& stream) {
    std::string out;
    for (const std::string& piece : pieces) stream.push(piece, out);
    stream.flush(out);
    return out;
}

//! A matcher, a text for it in pieces, and what must come of them.
struct StopCase {
    std::vector<std::string> stops, pieces;
    std::string text;
    oracle::Stopped expected;
    AnyTextStage matcher;

    StopCase(Case& c, MakeStopStage make)
        : stops(stop_strings(c)),
          text(text_near_stops(c, stops)),
          expected(oracle::stopped(text, stops)),
          matcher(made(c, make, stops)) {
        pieces = cut(c, text);
    }

    //! Of stop strings that must be accepted.
    static AnyTextStage made(const Case& c, MakeStopStage make, const std::vector<std::string>& stops) {
        const auto stage = make(stops);
        c.expect(stage.has_value(), "good stop strings are refused");
        return *stage;
    }
};

}  // namespace detail

inline std::vector<Law> utf8_stream_law_list(detail::MakeTextStage make) {
    using namespace detail;
    return {
        {"utf8_stream.valid_text_unchanged", "Valid text comes out as it went in, however it is cut.",
         [make](Case& c) {
             const std::string whole = text(c);
             c.equal("text", streamed(cut(c, whole), make()), whole);
         }},
        {"utf8_stream.whole_characters", "Whatever bytes go in, each push gives whole characters.",
         [make](Case& c) {
             const AnyTextStage stream = make();
             for (const std::string& piece : cut(c, c.chance(0.5) ? bytes(c) : text(c))) {
                 std::string out;
                 stream.push(piece, out);
                 c.expect(oracle::is_utf8(out), "a push gives " + show(out) + ", which ends or begins in a character");
             }
         }},
        {"utf8_stream.any_split", "However the bytes are cut, all pushes together give the same text.",
         [make](Case& c) {
             const std::string whole = bytes(c);
             c.equal("text", streamed(cut(c, whole), make()), streamed({whole}, make()));
         }},
        {"utf8_stream.replaces_wrong_bytes",
         "Each maximal part of a character, and each other wrong byte, becomes one U+FFFD.",
         [make](Case& c) {
             const std::string whole = bytes(c);
             c.equal("text", streamed(cut(c, whole), make()), oracle::repaired(whole));
         }},
        {"utf8_stream.at_once", "A character comes out with its last byte.",
         [make](Case& c) {
             const AnyTextStage stream = make();
             std::string seen, out;
             for (const std::string& piece : cut(c, text(c))) {
                 stream.push(piece, out);
                 seen += piece;
                 std::string whole = seen;
                 while (!oracle::is_utf8(whole)) whole.pop_back();
                 c.equal("text so far", out, whole);
             }
         }},
        {"utf8_stream.afresh_after_flush", "After a flush a new text begins.",
         [make](Case& c) {
             const std::string before = bytes(c), whole = bytes(c);
             const AnyTextStage used = make();
             std::string ignored;
             used.push(before, ignored);
             used.flush(ignored);
             c.equal("text", streamed(cut(c, whole), used), oracle::repaired(whole));
         }},
    };
}

inline std::vector<Law> stop_strings_law_list(detail::MakeStopStage make) {
    using namespace detail;
    return {
        {"stop_strings.never_leaks", "At no time has anything been shown of a stop string or of what follows it.",
         [make](Case& c) {
             const StopCase input(c, make);
             std::string out;
             for (const std::string& piece : input.pieces) {
                 input.matcher.push(piece, out);
                 c.expect(input.expected.text.starts_with(out),
                          show(out) + " is shown, of " + show(input.expected.text));
             }
         }},
        {"stop_strings.never_loses", "All text before the stop string is shown in the end, however it is cut.",
         [make](Case& c) {
             const StopCase input(c, make);
             c.equal("text", streamed(input.pieces, input.matcher), input.expected.text);
         }},
        {"stop_strings.says_when", "push() is true from the piece on that completes a stop string, and not before.",
         [make](Case& c) {
             const StopCase input(c, make);
             std::string seen, out;
             for (const std::string& piece : input.pieces) {
                 seen += piece;
                 const bool stopped = oracle::stopped(seen, input.stops).stopped;
                 c.equal("stopped after " + show(seen), input.matcher.push(piece, out), stopped);
             }
         }},
        {"stop_strings.holds_back_no_more", "What cannot become a stop string is shown at once.",
         [make](Case& c) {
             const StopCase input(c, make);
             std::string seen, out;
             for (const std::string& piece : input.pieces) {
                 seen += piece;
                 if (input.matcher.push(piece, out)) break;
                 const std::size_t decided = seen.size() - oracle::undecided(seen, input.stops);
                 c.expect(out.size() >= decided, "of " + show(seen) + " only " + show(out) + " is shown");
             }
         }},
        {"stop_strings.afresh_after_flush", "After a flush a new text begins.",
         [make](Case& c) {
             const StopCase input(c, make);
             std::string ignored;
             input.matcher.push(text_near_stops(c, input.stops), ignored);
             input.matcher.flush(ignored);
             c.equal("text", streamed(input.pieces, input.matcher), input.expected.text);
         }},
        {"stop_strings.refuses_bad_ones", "An empty stop string, and one that is no UTF-8, is refused.",
         [make](Case& c) {
             std::vector<std::string> stops = stop_strings(c);
             stops.insert(stops.begin() + c.integer<std::ptrdiff_t>(0, static_cast<std::ptrdiff_t>(stops.size())),
                          c.pick<std::string>({"", "\xC3", "a\xFF"}));
             c.expect(!make(stops), "bad stop strings are accepted");
         }},
    };
}

inline std::vector<Law> visible_text_law_list(detail::MakeStopStage make) {
    using namespace detail;
    //! Bytes with stop strings in them, in pieces.
    struct Input {
        std::vector<std::string> stops, pieces;
        oracle::Stopped expected;

        explicit Input(Case& c) : stops(stop_strings(c)) {
            std::string whole;
            for (int left = c.integer(0, 3); left > 0; --left) {
                whole += c.chance(0.4) ? bytes(c, 3) : text_near_stops(c, stops);
            }
            expected = oracle::stopped(oracle::repaired(whole), stops);
            pieces = cut(c, whole);
        }
    };
    return {
        {"visible_text.characters_then_stops",
         "What is shown in the end is the repaired text up to the first stop string.",
         [make](Case& c) {
             const Input input(c);
             const AnyTextStage visible = *make(input.stops);
             std::string out;
             bool stopped = false;
             for (const std::string& piece : input.pieces) stopped = visible.push(piece, out) || stopped;
             stopped = visible.flush(out) || stopped;
             c.equal("text", out, input.expected.text);
             c.equal("stopped", stopped, input.expected.stopped);
         }},
        {"visible_text.whole_characters_always",
         "Every push shows whole characters, of the text before the stop string.",
         [make](Case& c) {
             const Input input(c);
             const AnyTextStage visible = *make(input.stops);
             std::string out;
             for (const std::string& piece : input.pieces) {
                 visible.push(piece, out);
                 c.expect(oracle::is_utf8(out), show(out) + " ends in a character");
                 c.expect(input.expected.text.starts_with(out),
                          show(out) + " is shown, of " + show(input.expected.text));
             }
         }},
    };
}

template <CharacterStream U>
std::vector<Law> utf8_stream_law_list() {
    return utf8_stream_law_list([] { return detail::AnyTextStage::of(U()); });
}
template <StopMatcher S>
std::vector<Law> stop_strings_law_list() {
    return stop_strings_law_list(detail::stop_stage<S>);
}
//! Of a V(StopMatcher) that takes bytes: push(bytes, out), true once a stop string has appeared, and finish(out), which
//! appends the rest and is true if one has.
template <class V, StopMatcher S>
std::vector<Law> visible_text_law_list() {
    return visible_text_law_list([](const std::vector<std::string>& stops) {
        return std::optional(detail::AnyTextStage::of(V(*S::create(stops))));
    });
}

template <CharacterStream U>
void utf8_stream_laws(std::string_view subject) {
    check_laws(subject, utf8_stream_law_list<U>());
}
template <StopMatcher S>
void stop_strings_laws(std::string_view subject) {
    check_laws(subject, stop_strings_law_list<S>());
}
template <class V, StopMatcher S>
void visible_text_laws(std::string_view subject) {
    check_laws(subject, visible_text_law_list<V, S>());
}

}  // namespace sluice::contracts
