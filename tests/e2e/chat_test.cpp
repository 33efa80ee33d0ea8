// SPDX-License-Identifier: Apache-2.0
//! The program `chat`, from the outside.
#include <doctest/doctest.h>
#include <string>
#include <vector>

#include "program.hpp"

using namespace sluice::test;

namespace {

using Flags = std::vector<std::string>;

std::string chat(const std::string& lines, const Flags& flags = {}) { return output_of("chat", flags, lines); }

//! What `generate` answers to one message, as a line.
std::string answer(const std::string& message, Flags flags = {}) {
    flags.insert(flags.end(), {"--chat", "-p", message});
    return output_of("generate", flags) + "\n";
}

}  // namespace

TEST_CASE("chat: from a pipe it answers line by line, and prints the answers alone") {
    const std::string story = answer("Tell me a story.", {"--no-think"});
    CHECK(story.size() > 300);
    CHECK(chat("Tell me a story.\n", {"--no-think"}) == story);
    CHECK(chat("Hello") == answer("Hello"));
    CHECK(chat("Hello\n\nTell me a story.\n").starts_with(answer("Hello")));
    CHECK(chat("Hello\n/exit\nTell me a story.\n") == answer("Hello"));
    CHECK(chat("") == "");
}

TEST_CASE("chat: --device cuda gives the CPU's answers, or says what is missing") {
    const Outcome outcome = run("chat", {"--device", "cuda"}, "Hello\n");
    if (outcome.code == 0) {
        CHECK(outcome.out == answer("Hello"));
    } else {
        check_lacks_cuda("chat", outcome);
    }
}

TEST_CASE("chat: the turns are one conversation until /reset") {
    const std::string first = chat("Tell me a story.\n"), second = chat("Tell me a story.\nTell me a story.\n");
    REQUIRE(second.starts_with(first));
    CHECK(second != first + first);
    CHECK(chat("Tell me a story.\n/reset\nTell me a story.\n") == first + first);
}

TEST_CASE("chat: /regen gives another answer where there is a choice") {
    const std::string hello = answer("Hello");
    CHECK(chat("Hello\n/regen\n") == hello + hello);
    const Flags flags = {"--temp", "1", "-s", "3", "-n", "40"};
    const std::string once = chat("Tell me a story.\n", flags), twice = chat("Tell me a story.\n/regen\n", flags);
    CHECK(once == answer("Tell me a story.", flags));
    CHECK(chat("Tell me a story.\n/regen\n", flags) == twice);
    REQUIRE(twice.starts_with(once));
    CHECK(twice != once + once);
}

TEST_CASE("chat: /system starts anew with another system prompt") {
    const std::string kind = answer("Hello", {"--system", "Be kind."});
    CHECK(chat("Hello\n", {"--system", "Be kind."}) == kind);
    CHECK(chat("Tell me a story.\n/system Be kind.\nHello\n").ends_with(kind));
    CHECK(chat("/system\nHello\n", {"--system", "Be kind."}) == answer("Hello"));
}

TEST_CASE("chat: from a pipe the first error ends it") {
    const Outcome unknown = run("chat", {}, "/rest\nHello\n");
    CHECK(unknown.code == 1);
    CHECK(unknown.out == "");
    CHECK(unknown.err == "chat: /rest: is not a command; /help lists them\n");

    CHECK(run("chat", {}, "/regen\n").err == "chat: /regen: there is no answer yet; write a message first\n");

    const Outcome full = run("chat", {"-c", "24", "-n", "1"}, "Hello\nThis is the message that is too much.\n");
    CHECK(full.code == 1);
    CHECK(full.err.starts_with("chat: prompt: has "));
    CHECK(full.err.find("the context of 24") != std::string::npos);
}

TEST_CASE("chat: Ctrl-C stops the answer, and the conversation goes on") {
    const Flags flags = {"--ignore-eos", "-n", "400"};
    const std::string whole = chat("Tell me a story.\n", flags);
    Program program("chat", flags, Program::Stdio::narrow_pipes);
    program.write("Tell me a story.\nHello\n");
    program.close_input();
    program.wait_for_output();
    program.interrupt();
    CHECK(program.wait() == 0);
    CHECK(program.err() == "");
    const std::size_t cut = program.out().find('\n');
    REQUIRE(cut != std::string::npos);
    CHECK(cut > 0);
    CHECK(cut < whole.find('\n'));
    CHECK(whole.starts_with(program.out().substr(0, cut)));
    CHECK(program.out().size() > cut + 500);  // the second answer
}

TEST_CASE("chat: at a terminal there is a prompt, Ctrl-C stops an answer, and at the prompt the program") {
    Program program("chat", {"--ignore-eos", "-t", "1"}, Program::Stdio::terminal);
    program.read_until("/exit");
    program.read_until("> ");
    program.write("/rest\n");
    program.read_until("is not a command");
    program.read_until("> ");
    program.write("Tell me a story.\n");
    program.read_until("there ");
    program.write("\x03");
    program.read_until("> ");
    program.write("/help\n");
    program.read_until("/regen");
    program.read_until("> ");
    program.write("\x03");
    CHECK(program.wait() == 0);
}
