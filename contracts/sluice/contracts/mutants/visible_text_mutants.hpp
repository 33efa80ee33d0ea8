// SPDX-License-Identifier: Apache-2.0
//! Streams of text that are wrong in one way each.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/contracts/mutant.hpp"
#include "sluice/contracts/text_oracles.hpp"
#include "sluice/contracts/visible_text_laws.hpp"
#include "sluice/core/status.hpp"
#include "sluice/text/stop_strings.hpp"
#include "sluice/text/utf8_stream.hpp"
#include "sluice/text/visible_text.hpp"

namespace sluice::contracts {

namespace mutants {

struct BytesAsTheyCome {
    void push(std::string_view bytes, std::string& out) const { out += bytes; }
    void flush(std::string&) const {}
};

//! Ends each push as if the text ended there.
struct CharactersOfEachPush {
    void push(std::string_view bytes, std::string& out) const {
        Utf8Stream stream;
        stream.push(bytes, out);
        stream.flush(out);
    }
    void flush(std::string&) const {}
};

struct DropsWrongBytes : Utf8Stream {
    void push(std::string_view bytes, std::string& out) {
        std::string mended;
        Utf8Stream::push(bytes, mended);
        for (std::size_t at = mended.find("\uFFFD"); at != mended.npos; at = mended.find("\uFFFD")) mended.erase(at, 3);
        out += mended;
    }
};

//! One U+FFFD for each wrong byte.
class ReplacesEachByte {
public:
    void push(std::string_view bytes, std::string& out) {
        held_ += bytes;
        while (!held_.empty() && !oracle::begins_character(held_)) {
            const std::size_t length = oracle::character_length(held_);
            out += length > 0 ? held_.substr(0, length) : "\uFFFD";
            held_.erase(0, std::max<std::size_t>(length, 1));
        }
    }
    void flush(std::string& out) {
        for (std::size_t i = 0; i < held_.size(); ++i) out += "\uFFFD";
        held_.clear();
    }

private:
    std::string held_;
};

struct CharactersAtTheEnd : Utf8Stream {
    void push(std::string_view bytes, std::string&) { Utf8Stream::push(bytes, shown); }
    void flush(std::string& out) {
        Utf8Stream::flush(shown);
        out += std::exchange(shown, {});
    }
    std::string shown;
};

struct KeepsRestAfterFlush : Utf8Stream {
    void flush(std::string& out) {
        Utf8Stream rest = *this;
        rest.flush(out);
    }
};

//! Stop strings the plain way, by a Rule that looks at all of the text so far.
template <class Rule>
class StopsBy {
public:
    static Expected<StopsBy> create(const std::vector<std::string>& stops) {
        if (Rule::accepts(stops)) return StopsBy(stops);
        return Status(Errc::invalid_argument, "stop string", "is empty or no text");
    }
    bool push(std::string_view text, std::string& out) {
        seen_ += text;
        const oracle::Stopped found = Rule::find(seen_, stops_);
        show(found.stopped ? found.text.size() : seen_.size() - Rule::held(seen_, stops_), out);
        return Rule::says(found.stopped);
    }
    void flush(std::string& out) {
        const oracle::Stopped found = Rule::find(seen_, stops_);
        show(found.stopped ? found.text.size() : seen_.size() - Rule::lost(seen_, stops_), out);
        if (Rule::forgets) *this = StopsBy(stops_);
    }

private:
    explicit StopsBy(std::vector<std::string> stops) : stops_(std::move(stops)) {}

    void show(std::size_t end, std::string& out) {
        if (end > shown_) out += seen_.substr(shown_, end - shown_);
        shown_ = std::max(shown_, end);
    }

    std::vector<std::string> stops_;
    std::string seen_;
    std::size_t shown_ = 0;
};

using Stops = std::vector<std::string>;

//! The right rule; a mutant's changes one of its answers.
struct StopRule {
    static bool accepts(const Stops& stops) { return StopStrings::create(stops).ok(); }
    static oracle::Stopped find(const std::string& seen, const Stops& stops) { return oracle::stopped(seen, stops); }
    static std::size_t held(const std::string& seen, const Stops& stops) { return oracle::undecided(seen, stops); }
    static std::size_t lost(const std::string&, const Stops&) { return 0; }
    static bool says(bool stopped) { return stopped; }
    static constexpr bool forgets = true;
};
struct LeaksFirstHalf : StopRule {
    static std::size_t held(const std::string& seen, const Stops& stops) { return StopRule::held(seen, stops) / 2; }
};
struct LosesHeldEnd : StopRule {
    static std::size_t lost(const std::string& seen, const Stops& stops) { return held(seen, stops); }
};
struct HoldsAll : StopRule {
    static std::size_t held(const std::string& seen, const Stops&) { return seen.size(); }
};
struct NeverSaysSo : StopRule {
    static bool says(bool) { return false; }
};
struct KeepsTextAfterFlush : StopRule {
    static constexpr bool forgets = false;
};
struct TakesAnyStop : StopRule {
    static bool accepts(const Stops&) { return true; }
};
struct TakesShortestStop : StopRule {
    static oracle::Stopped find(const std::string& seen, const Stops& stops) {
        oracle::Stopped shortest = StopRule::find(seen, stops);
        for (const std::string& stop : stops) {
            const oracle::Stopped found = StopRule::find(seen, {stop});
            const bool as_early = found.text.size() + stop.size() == seen.size();
            if (found.stopped && as_early && found.text.size() > shortest.text.size()) shortest = found;
        }
        return shortest;
    }
};
//! Begins a stop string anew at the first letter that does not fit: does not find "aab" in "aaab".
struct BeginsAnew : StopRule {
    static oracle::Stopped find(const std::string& seen, const Stops& stops) {
        std::vector<std::size_t> fit(stops.size(), 0);
        for (std::size_t i = 0; i < seen.size(); ++i) {
            for (std::size_t s = 0; s < stops.size(); ++s) {
                fit[s] = stops[s][fit[s]] == seen[i] ? fit[s] + 1 : 0;
                if (fit[s] == stops[s].size()) return {seen.substr(0, i + 1 - fit[s]), true};
            }
        }
        return {seen, false};
    }
};

//! The true matcher, of which a piece never ends in the middle of a stop string.
class StopsWithinAPiece {
public:
    static Expected<StopsWithinAPiece> create(const Stops& stops) {
        SLUICE_ASSIGN(StopStrings made, StopStrings::create(stops));
        return StopsWithinAPiece(std::move(made));
    }
    bool push(std::string_view text, std::string& out) {
        if (!stops_.push(text, out)) stops_.flush(out);
        return stops_.matched().has_value();
    }
    void flush(std::string& out) { stops_.flush(out); }

private:
    explicit StopsWithinAPiece(StopStrings stops) : stops_(std::move(stops)) {}
    StopStrings stops_;
};

//! Throws away what was held back when it turns out not to be a stop string.
class SwallowsFalseAlarms {
public:
    static Expected<SwallowsFalseAlarms> create(const Stops& stops) {
        SLUICE_ASSIGN(StopStrings made, StopStrings::create(stops));
        return SwallowsFalseAlarms(stops, std::move(made));
    }
    bool push(std::string_view text, std::string& out) {
        const std::size_t held = oracle::undecided(seen_, stops_);
        seen_ += text;
        std::string decided;
        const bool stopped = true_.push(text, decided);
        out += decided.substr(std::min(held, decided.size()));
        return stopped;
    }
    void flush(std::string& out) {
        true_.flush(out);
        seen_.clear();
    }

private:
    SwallowsFalseAlarms(Stops stops, StopStrings made) : stops_(std::move(stops)), true_(std::move(made)) {}
    Stops stops_;
    StopStrings true_;
    std::string seen_;
};

//! Looks for stop strings before the bytes are made characters.
class StopsBeforeCharacters {
public:
    explicit StopsBeforeCharacters(StopStrings stops) : stops_(std::move(stops)) {}
    bool push(std::string_view bytes, std::string& out) {
        std::string passed;
        const bool stopped = stops_.push(bytes, passed);
        characters_.push(passed, out);
        return stopped;
    }
    bool finish(std::string& out) {
        const bool stopped = stops_.matched().has_value();
        std::string passed;
        stops_.flush(passed);
        characters_.push(passed, out);
        characters_.flush(out);
        return stopped;
    }

private:
    StopStrings stops_;
    Utf8Stream characters_;
};

//! Shows the bytes as they come.
class VisibleBytes {
public:
    explicit VisibleBytes(StopStrings stops) : stops_(std::move(stops)) {}
    bool push(std::string_view bytes, std::string& out) { return stops_.push(bytes, out); }
    bool finish(std::string& out) {
        const bool stopped = stops_.matched().has_value();
        stops_.flush(out);
        return stopped;
    }

private:
    StopStrings stops_;
};

}  // namespace mutants

template <CharacterStream U>
Mutant utf8_stream_mutant(std::string_view name, std::string_view law) {
    return {std::string(name), law, utf8_stream_law_list<U>()};
}

inline std::vector<Mutant> utf8_stream_mutants() {
    using namespace mutants;
    return {
        utf8_stream_mutant<BytesAsTheyCome>("splits characters", "utf8_stream.whole_characters"),
        utf8_stream_mutant<CharactersOfEachPush>("breaks a character that is cut", "utf8_stream.valid_text_unchanged"),
        utf8_stream_mutant<CharactersOfEachPush>("takes each piece for a text", "utf8_stream.any_split"),
        utf8_stream_mutant<DropsWrongBytes>("drops wrong bytes", "utf8_stream.replaces_wrong_bytes"),
        utf8_stream_mutant<ReplacesEachByte>("replaces each byte of a broken character",
                                             "utf8_stream.replaces_wrong_bytes"),
        utf8_stream_mutant<CharactersAtTheEnd>("keeps the text to the end", "utf8_stream.at_once"),
        utf8_stream_mutant<KeepsRestAfterFlush>("keeps half a character for the next text",
                                                "utf8_stream.afresh_after_flush"),
    };
}

template <StopMatcher S>
Mutant stop_strings_mutant(std::string_view name, std::string_view law) {
    return {std::string(name), law, stop_strings_law_list<S>()};
}

inline std::vector<Mutant> stop_strings_mutants() {
    using namespace mutants;
    const auto leaks = "stop_strings.never_leaks", loses = "stop_strings.never_loses";
    return {
        stop_strings_mutant<StopsBy<LeaksFirstHalf>>("leaks the first half of a stop string", leaks),
        stop_strings_mutant<StopsBy<TakesShortestStop>>("ends at the shortest of several stop strings", leaks),
        stop_strings_mutant<StopsWithinAPiece>("looks for stop strings in each piece alone", leaks),
        stop_strings_mutant<StopsBy<BeginsAnew>>("begins anew after a false alarm", leaks),
        stop_strings_mutant<SwallowsFalseAlarms>("swallows text after a false alarm", loses),
        stop_strings_mutant<StopsBy<LosesHeldEnd>>("loses what is held back at the end", loses),
        stop_strings_mutant<StopsBy<HoldsAll>>("holds all text back", "stop_strings.holds_back_no_more"),
        stop_strings_mutant<StopsBy<NeverSaysSo>>("never says that it stopped", "stop_strings.says_when"),
        stop_strings_mutant<StopsBy<KeepsTextAfterFlush>>("goes on with the text before a flush",
                                                          "stop_strings.afresh_after_flush"),
        stop_strings_mutant<StopsBy<TakesAnyStop>>("takes an empty stop string", "stop_strings.refuses_bad_ones"),
    };
}

inline std::vector<Mutant> visible_text_mutants() {
    using namespace mutants;
    return {
        {"looks for stop strings before it mends the bytes", "visible_text.characters_then_stops",
         visible_text_law_list<StopsBeforeCharacters, StopStrings>()},
        {"shows bytes as they come", "visible_text.whole_characters_always",
         visible_text_law_list<VisibleBytes, StopStrings>()},
    };
}

}  // namespace sluice::contracts
