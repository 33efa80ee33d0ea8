// SPDX-License-Identifier: Apache-2.0
//! A conversation in the terminal. What was computed for its earlier turns stays in the cache.
#include <atomic>
#include <iostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/device.hpp"
#include "common/interrupt.hpp"
#include "common/load.hpp"
#include "sluice/sluice.hpp"

namespace {

using namespace sluice;

constexpr auto description = R"(Answers the lines that you type, in one conversation.

Ctrl-C stops an answer; at the prompt it ends the program, as the end of the input does.
From a pipe, every line is a message, only the answers are printed, and the first error ends the program.)";

constexpr std::string_view commands = R"(/regen        another answer to the last message (the same one with --temp 0)
/system TEXT  starts anew with TEXT as the system prompt; without TEXT, with none
/reset        starts anew
/help         shows this
/exit         ends
)";

struct Options {
    samples::ModelOptions model;
    samples::GenerationOptions generation;
    samples::ChatOptions chat;
    std::string device = "cpu";
};

template <class P>
class Conversation {
public:
    using Sampler = typename P::Sampler;

    Conversation(Pipeline<P>& pipeline, const Options& options, Sampler sampler, std::atomic<bool>& interrupted)
        : pipeline_(pipeline),
          options_(options),
          sampler_(std::move(sampler)),
          generate_(options.generation.to_generate(interrupted)),
          interrupted_(interrupted),
          messages_(options.chat.start()) {}

    //! Serves one line of input, a command or a message.
    Status serve(const std::string& line) {
        constexpr std::string_view system = "/system";
        if (line.empty()) return {};
        if (line == "/help") {
            std::cout << commands;
        } else if (line == "/reset") {
            messages_ = options_.chat.start();
        } else if (line == system) {
            options_.chat.system.reset();
            messages_ = options_.chat.start();
        } else if (line.starts_with(std::string(system) + ' ')) {
            options_.chat.system = line.substr(system.size() + 1);
            messages_ = options_.chat.start();
        } else if (line == "/regen") {
            if (messages_.empty() || messages_.back().role != chat::Role::assistant) {
                return Status(Errc::invalid_argument, line, "there is no answer yet", "write a message first");
            }
            messages_.pop_back();
            return answer();
        } else if (line.starts_with('/')) {
            return Status(Errc::invalid_argument, line, "is not a command", "/help lists them");
        } else {
            messages_.push_back({chat::Role::user, line});
            return answer();
        }
        return {};
    }

private:
    //! Streams the answer to the last message and adds it to the conversation; an error takes the message back.
    Status answer() {
        chat::Message answer{chat::Role::assistant, {}};
        OstreamSink screen(std::cout);
        CallbackSink record([&](const TokenEvent& event) { answer.content += event.text; });
        const auto generate = [&]() -> Expected<GenerationResult> {
            SLUICE_ASSIGN(const std::vector<Token> prompt, pipeline_.chat_prompt(messages_, options_.chat.options()));
            TeeSink sink(screen, record);
            return pipeline_.generate(std::span(prompt), generate_, sampler_, sink);
        };
        const auto result = generate();
        interrupted_ = false;
        if (!result.ok()) {
            messages_.pop_back();
            return result.status();
        }
        std::cout << std::endl;
        messages_.push_back(std::move(answer));
        ++generate_.seed;  // so that /regen finds another answer
        return {};
    }

    Pipeline<P>& pipeline_;
    Options options_;
    Sampler sampler_;
    GenerateOptions generate_;
    std::atomic<bool>& interrupted_;
    std::vector<chat::Message> messages_;
};

template <class P>
Status converse(const Options& o) {
    SLUICE_ASSIGN(auto pipeline, samples::load<P>(o.model));
    SLUICE_ASSIGN(auto sampler, make_sampler<typename P::Sampler>(o.generation.sampling));
    std::atomic<bool>& interrupted = samples::catch_interrupts();
    Conversation conversation(pipeline, o, std::move(sampler), interrupted);
    const bool interactive = samples::input_is_terminal() && samples::output_is_terminal();
    if (interactive) std::cout << commands;
    const auto read_line = [&](std::string& line) {
        if (interactive) std::cout << "> " << std::flush;
        return (!interactive || samples::wait_for_input(interrupted)) && std::getline(std::cin, line);
    };
    for (std::string line; read_line(line) && line != "/exit";) {
        Status status = conversation.serve(line);
        if (!status.ok() && !interactive) return status;
        if (!status.ok()) std::cerr << status.message() << '\n';
    }
    if (interactive) std::cout << std::endl;
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    Options o;
    samples::CommandLine flags("chat", description);
    o.model.add_to(flags);
    samples::add_device(flags, o.device);
    o.generation.add_to(flags);
    o.chat.add_to(flags);
    if (const auto code = flags.parse(argc, argv)) return *code;
    return flags.exit_code(samples::on_device(o.device, [&]<class P>() { return converse<P>(o); }));
}
