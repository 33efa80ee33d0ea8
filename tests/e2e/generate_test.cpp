// SPDX-License-Identifier: Apache-2.0
//! The program `generate`, from the outside.
#include <cctype>
#include <cstddef>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "program.hpp"

using namespace sluice::test;
using nlohmann::json;

namespace {

using Flags = std::vector<std::string>;

const Flags once = {"-p", "Once upon a time"};

Flags operator+(Flags a, const Flags& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

std::string generate(const Flags& flags) { return output_of("generate", flags); }

//! What --format jsonl prints, taken apart.
struct Jsonl {
    std::vector<json> tokens;
    json end;

    std::string text() const {
        std::string text;
        for (const json& token : tokens) text += token["text"].get<std::string>();
        return text;
    }
};

Jsonl generate_jsonl(const Flags& flags) {
    Jsonl result;
    std::istringstream lines(generate(flags + Flags{"--format", "jsonl"}));
    for (std::string line; std::getline(lines, line);) result.tokens.push_back(json::parse(line));
    REQUIRE(!result.tokens.empty());
    result.end = result.tokens.back();
    result.tokens.pop_back();
    return result;
}

//! Lower-case words of letters.
std::vector<std::string> words(const std::string& text) {
    std::vector<std::string> found(1);
    for (const char c : text) {
        if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
            found.back() += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        } else if (!found.back().empty()) {
            found.emplace_back();
        }
    }
    if (found.back().empty()) found.pop_back();
    return found;
}

void check_story(const std::string& story) {
    CAPTURE(story);
    std::ifstream corpus(std::string(SLUICE_SOURCE_DIR) + "/samples/models/recipe/story_corpus.py");
    const auto known_list = words(std::string(std::istreambuf_iterator<char>(corpus), {}));
    const std::set<std::string> known(known_list.begin(), known_list.end());
    REQUIRE(known.size() > 500);
    const std::vector<std::string> used = words(story);
    CHECK(used.size() > 20);  // the model now and then tells a tiny one
    CHECK(std::ranges::count_if(used, [&](const auto& word) { return !known.contains(word); }) <= 1);
    CHECK(story.find_first_of("<>|") == story.npos);
}

}  // namespace

TEST_CASE("generate: with no flags it tells a story, another one each time") {
    const std::string first = generate({}), second = generate({});
    check_story(first);
    check_story(second);
    CHECK(first != second);
}

TEST_CASE("generate: the likeliest story has more than 100 tokens and its end") {
    const Jsonl story = generate_jsonl({"--temp", "0"});
    check_story(story.text());
    CHECK(story.tokens.size() > 100);
    CHECK(story.end["finish_reason"] == "stop");
    const std::string text = story.text();
    CHECK(std::string(".!?\"").find(text.back()) != std::string::npos);
}

TEST_CASE("generate: jsonl holds the text of --format text, and figures that add up") {
    const Flags flags = once + Flags{"-s", "3", "--temp", "0.7", "-n", "60"};
    const Jsonl result = generate_jsonl(flags);
    CHECK(result.text() == generate(flags));
    for (std::size_t i = 0; i < result.tokens.size(); ++i) {
        CHECK(result.tokens[i].size() == 3);
        CHECK(result.tokens[i]["index"] == i);
        CHECK(result.tokens[i]["id"].is_number_integer());
    }
    const json &usage = result.end["usage"], &timings = result.end["timings"];
    CHECK(usage["prompt_tokens"] == 4);
    CHECK(usage["completion_tokens"] == result.tokens.size());
    CHECK(usage["total_tokens"] == 4 + result.tokens.size());
    CHECK(result.end["finish_reason"] == "length");
    CHECK(timings["prompt_ms"].get<double>() > 0);
    const double per_second = static_cast<double>(result.tokens.size()) * 1000 / timings["predicted_ms"].get<double>();
    CHECK(timings["predicted_per_second"].get<double>() == doctest::Approx(per_second));
}

TEST_CASE("generate: a seed gives one text, whatever the threads and the batch") {
    const Flags flags = once + Flags{"--temp", "1", "-n", "40"};
    const std::string text = generate(flags + Flags{"-s", "5"});
    CHECK(generate(flags + Flags{"-s", "5"}) == text);
    CHECK(generate(flags + Flags{"-s", "5", "-t", "3", "--batch", "1"}) == text);
    CHECK(generate(flags + Flags{"-s", "5", "--batch-size", "2"}) == text);
    CHECK(generate(flags + Flags{"-s", "6"}) != text);
    CHECK(generate(flags) != generate(flags));
}

TEST_CASE("generate: --draft lookup gives the same text") {
    for (const Flags& flags :
         {Flags{"-p", "The cat sat. The cat sat. The cat sat. The cat sat.", "-n", "120", "--ignore-eos"},
          Flags{"--chat", "-p", "Tell me a story.", "--temp", "0.9", "--repeat-penalty", "1.1", "-s", "3"}}) {
        CHECK(generate(flags + Flags{"--draft", "lookup"}) == generate(flags));
    }
}

TEST_CASE("generate: --device cuda gives the CPU's text, or says what is missing") {
    const Outcome outcome = run("generate", once + Flags{"-n", "16", "--device", "cuda"});
    if (outcome.code == 0) {
        CHECK(outcome.out == generate(once + Flags{"-n", "16"}));
    } else {
        check_lacks_cuda("generate", outcome);
    }
}

TEST_CASE("generate: with a prompt and no sampling flag it is greedy") {
    const Flags flags = once + Flags{"-n", "40"};
    const std::string text = generate(flags);
    CHECK(generate(flags + Flags{"--temp", "0"}) == text);
    CHECK(generate(flags + Flags{"--temp", "0.9", "--top-k", "1"}) == text);
    CHECK(generate(flags + Flags{"--repeat-penalty", "1.5"}) != text);
}

TEST_CASE("generate: a stop string ends the text before it, also across tokens, and the first of several wins") {
    const std::string whole = generate(once + Flags{"-n", "60"});
    REQUIRE(whole.size() > 120);
    const std::string stop = whole.substr(61, 17), later = whole.substr(100, 9);
    const std::size_t at = whole.find(stop);
    const Jsonl result = generate_jsonl(once + Flags{"-n", "60", "--stop", later, "--stop", stop});
    CHECK(result.text() == whole.substr(0, at));
    CHECK(result.end["finish_reason"] == "stop");
    CHECK(generate(once + Flags{"-n", "60", "--stop", "{}", "--stop", "never said"}) == whole);
}

TEST_CASE("generate: -n bounds the tokens, and --ignore-eos goes on to that bound") {
    for (const std::size_t n : {0U, 1U, 7U}) {
        const Jsonl result = generate_jsonl(once + Flags{"-n", std::to_string(n)});
        CHECK(result.tokens.size() == n);
        CHECK(result.end["finish_reason"] == "length");
    }
    const Jsonl story = generate_jsonl({"--temp", "0", "-n", "400"});
    REQUIRE(story.tokens.size() < 400);
    CHECK(story.tokens.back()["text"] == "");  // the stop token is seen, not shown
    const Jsonl longer = generate_jsonl({"--temp", "0", "-n", "400", "--ignore-eos"});
    CHECK(longer.tokens.size() == 400);
    CHECK(longer.text().starts_with(story.text()));
}

TEST_CASE("generate: a full context ends the text") {
    const Jsonl result = generate_jsonl(once + Flags{"-c", "32", "--ignore-eos"});
    CHECK(result.tokens.size() == 28);
    CHECK(result.end["finish_reason"] == "length");
}

TEST_CASE("generate: a prompt that does not fit the context is refused whole") {
    const Outcome outcome = run("generate", once + Flags{"-c", "4"});
    CHECK(outcome.code == 1);
    CHECK(outcome.out == "");
    CHECK(outcome.err ==
          "generate: prompt: has 4 tokens, but the context of 4 has room for 3; shorten it or load with a larger "
          "context\n");
}

TEST_CASE("generate: reads its prompt from a file or from standard input") {
    const Flags few = {"-n", "12"};
    const std::string text = generate(once + few);
    const std::filesystem::path file = std::filesystem::temp_directory_path() / "sluice_e2e_prompt.txt";
    std::ofstream(file) << "Once upon a time\n";
    CHECK(generate(few + Flags{"-f", file.string()}) == text);
    std::filesystem::remove(file);
    CHECK(output_of("generate", few + Flags{"-f", "-"}, "Once upon a time\n") == text);
}

TEST_CASE("generate: --chat frames the prompt, and --system comes before it") {
    const Flags hello = {"-p", "Hello", "-n", "20"};
    const Jsonl plain = generate_jsonl(hello), chat = generate_jsonl(hello + Flags{"--chat"});
    const Jsonl system = generate_jsonl(hello + Flags{"--system", "Be kind."});
    const Jsonl no_think = generate_jsonl(hello + Flags{"--no-think"});
    const auto prompt_tokens = [](const Jsonl& result) { return result.end["usage"]["prompt_tokens"].get<int>(); };
    CHECK(prompt_tokens(plain) < prompt_tokens(chat));
    CHECK(prompt_tokens(chat) < prompt_tokens(system));
    CHECK(prompt_tokens(chat) + 4 == prompt_tokens(no_think));
    CHECK(chat.end["finish_reason"] == "stop");
}

TEST_CASE("generate: Ctrl-C ends it with what it has") {
    const Flags flags = once + Flags{"-n", "900", "--ignore-eos", "--format", "jsonl"};
    Program program("generate", flags, Program::Stdio::narrow_pipes);
    program.wait_for_output();
    program.interrupt();
    CHECK(program.wait() == 130);
    CHECK(program.err() == "");
    std::vector<std::string> lines;
    std::istringstream out(program.out());
    for (std::string line; std::getline(out, line);) lines.push_back(line);
    REQUIRE(lines.size() >= 2);
    CHECK(lines.size() < 900);
    CHECK(json::parse(lines.front())["index"] == 0);
    CHECK(json::parse(lines.back())["finish_reason"] == "cancelled");
}

TEST_CASE("generate: on a terminal a last line tells the speed, the seed and why it ended") {
    Program program("generate", {"-s", "7", "-n", "30"}, Program::Stdio::terminal);
    CHECK(program.wait() == 0);
    CAPTURE(program.out());
    CHECK(program.out().find("Loading ") != std::string::npos);
    CHECK(program.out().find("[30 tokens, ") != std::string::npos);
    CHECK(program.out().find(" tok/s | seed: 7 | length]") != std::string::npos);
}

TEST_CASE("generate: a reader that goes away ends it") {
    Program program("generate", once + Flags{"-n", "900", "--ignore-eos"}, Program::Stdio::narrow_pipes);
    program.wait_for_output();
    program.close_output();
    CHECK(program.wait() == 128 + SIGPIPE);
    CHECK(program.err() == "");
}

TEST_CASE("generate: a wrong flag is named, with its value and what would do") {
    struct Case {
        Flags flags;
        std::string says;
    };
    const std::vector<Case> cases = {
        {{"--temp", "warm"}, "--temp: 'warm' is not a number"},
        {{"--temp", "-1"}, "--temp: -1 is negative or not finite; give 0 (greedy) or a positive number"},
        {{"--temp", "nan"}, "--temp: 'nan' is not a number"},
        {{"--top-k", "-2"}, "--top-k: -2 is negative; give a number of tokens, or 0 to keep all"},
        {{"--min-p", "2"}, "--min-p: 2 is outside [0, 1]; give 0 to keep all"},
        {{"--repeat-penalty", "0"}, "--repeat-penalty: 0 is not a positive finite number"},
        {{"-n", "-2"}, "-n,--predict: '-2' is not a whole number, at least -1"},
        {{"-n", "1.5"}, "-n,--predict: '1.5' is not a whole number, at least -1"},
        {{"-n"}, "--predict: its value is missing"},
        {{"-c", "-1"}, "-c,--ctx-size: '-1' is not a whole number"},
        {{"-t", "1000"}, "-t,--threads: '1000' is not a whole number from 0 to 512"},
        {{"--format", "xml"}, "--format: 'xml' is not one of text|jsonl"},
        {{"--tmep", "1"}, "'--tmep' is not a flag"},
        {{"story"}, "'story' is not a flag"},
        {{"-p", "a", "-f", "b"}, "-f: there is a prompt from -p already"},
    };
    for (const Case& c : cases) {
        const Outcome outcome = run("generate", c.flags);
        CAPTURE(c.says);
        CHECK(outcome.code == 2);
        CHECK(outcome.out == "");
        CHECK(outcome.err.starts_with("generate: " + c.says));
        CHECK(outcome.err.ends_with("; 'generate --help' lists the flags\n"));
    }
}

TEST_CASE("generate: what is wrong with a file, a prompt or a stop string is said in one line") {
    struct Case {
        Flags flags;
        std::string says;
    };
    const std::vector<Case> cases = {
        {{"-m", "/no/such.gguf"}, "/no/such.gguf: cannot be opened: No such file or directory; check the path"},
        {{"-m", "/"}, "/: "},
        {{"-f", "/no/such.txt"}, "/no/such.txt: cannot be read; give the path of a file, or - for standard input"},
        {{"-p", ""}, "prompt: is empty; give at least one token"},
        {{"-p", "a", "--stop", ""}, "stop string: is empty; give text, or leave it out"},
    };
    for (const Case& c : cases) {
        const Outcome outcome = run("generate", c.flags);
        CAPTURE(c.says);
        CHECK(outcome.code == 1);
        CHECK(outcome.out == "");
        CHECK(outcome.err.starts_with("generate: " + c.says));
        CHECK(outcome.err.find('\n') + 1 == outcome.err.size());
    }
}

TEST_CASE("generate: --help and --version print to standard output") {
    const std::string help = generate({"--help"});
    for (const char* flag : {"-m,",
                             "-p,",
                             "-f,",
                             "-n,",
                             "-t,",
                             "-c,",
                             "-s,",
                             "--temp",
                             "--top-k",
                             "--top-p",
                             "--min-p",
                             "--repeat-penalty",
                             "--repeat-last-n",
                             "--presence-penalty",
                             "--frequency-penalty",
                             "--stop",
                             "--chat",
                             "--system",
                             "--no-think",
                             "--cpu-moe",
                             "--format"}) {
        CHECK_MESSAGE(help.find(flag) != help.npos, flag);
    }
    CHECK(generate({"--version"}).starts_with("generate (Sluice) 0."));
}
