// SPDX-License-Identifier: Apache-2.0
//! The program `serve`, as its clients see it.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <doctest/doctest.h>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../bad_files.hpp"
#include "server.hpp"

using namespace sluice::test;
using Clock = std::chrono::steady_clock;

namespace {

Json with(Json body, const Json& more) {
    body.update(more);
    return body;
}

//! A chat that would go on for long.
const Json long_chat = {{"messages", {{{"role", "user"}, {"content", "Tell me a story."}}}},
                        {"max_tokens", 3000},
                        {"ignore_eos", true},
                        {"stream", true}};

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

//! How often a client that looks while the server stands still, again and again, finds new events of an answer;
//! `enough` at most.
std::size_t arrivals(Server& server, const std::string& path, const Json& body, std::size_t enough) {
    BareClient client(server);
    client.post(path, body);
    std::size_t times = 0;
    for (std::string stream; times < enough && stream.find(": [DONE]") == stream.npos;) {
        server.program().send(SIGSTOP);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));  // until it does
        const std::size_t before = stream.size();
        for (std::string part; !(part = client.receive(MSG_DONTWAIT)).empty();) stream += part;
        times += stream.find("data: ", before) != stream.npos;
        server.program().send(SIGCONT);
        std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    return times;
}

}  // namespace

TEST_CASE("serve: eight tokens are at least eight distinct events, that come apart, and [DONE] is last") {
    Server server;
    for (const std::string& path : {completions, chats}) {
        const Json prompt = path == chats ? Json{{"messages", {{{"role", "user"}, {"content", "Tell me a story."}}}}}
                                          : Json{{"prompt", "Once upon a time"}};
        const Json body = with(prompt, {{"max_tokens", 8}, {"seed", 7}, {"ignore_eos", true}});
        std::string stream;
        std::size_t pieces = 0;
        httplib::Request request;
        request.method = "POST";
        request.path = path;
        const Json streamed = with(body, {{"stream", true}, {"stream_options", {{"include_usage", true}}}});
        request.body = streamed.dump();
        request.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
            stream.append(data, size);
            ++pieces;
            return true;
        };
        const auto response = server.client().send(request);
        REQUIRE(response);
        CHECK(response->status == 200);
        CHECK(response->get_header_value("Content-Type") == "text/event-stream");
        CHECK(pieces >= 8);

        std::vector<std::string> events = events_of(stream);
        REQUIRE(events.size() >= 8 + 3);  // finish, usage, [DONE]
        CHECK(events.back() == "[DONE]");
        const Json usage = Json::parse(events.end()[-2]), finish = Json::parse(events.end()[-3]);
        CHECK(usage.at("usage").at("completion_tokens") == 8);
        CHECK(finish.at("choices").at(0).at("finish_reason") == "length");

        const Json whole = server.post_json(path, body);
        const Json& choice = whole.at("choices").at(0);
        CHECK(text_of(events) == (path == chats ? choice.at("message").at("content") : choice.at("text")));
        CHECK(text_of(events).size() > 8);
        CHECK(choice.at("finish_reason") == "length");
        CHECK(whole.at("usage").at("completion_tokens") == 8);
        CHECK(whole.at("usage").at("prompt_tokens_details").at("cached_tokens") > 0);

        const Json longer = with(streamed, {{"max_tokens", 300}});  // a busy machine lets the server run on for long
        std::size_t apart = 0;
        for (int tries = 0; tries < 10 && apart < 4; ++tries) apart = arrivals(server, path, longer, 4);
        CHECK(apart >= 4);
    }
}

TEST_CASE("serve: sixteen streams at once give what each gives alone") {
    const Server server({"--parallel", "5", "-c", "256", "--prefill-chunk", "8"});
    const auto body_of = [](std::size_t i) {
        std::string prompt = "Once upon a time";
        for (std::size_t k = 0; k < i % 5; ++k) prompt += ", in a land far away";
        return Json{{"prompt", prompt},   {"max_tokens", 60}, {"seed", i},
                    {"temperature", 0.9}, {"stream", true},   {"ignore_eos", true}};
    };
    std::vector<std::string> alone(16), together(16);
    for (std::size_t i = 0; i < 16; ++i)
        alone[i] = text_of(events_of(server.post(completions, body_of(i).dump()).body));
    std::vector<std::thread> clients;
    for (std::size_t i = 0; i < 16; ++i) {
        clients.emplace_back([&, i] {
            auto response = server.client().Post(completions, body_of(i).dump(), "application/json");
            if (response) together[i] = response->body;
        });
    }
    for (std::thread& client : clients) client.join();
    for (std::size_t i = 0; i < 16; ++i) {
        CHECK(text_of(events_of(together[i])) == alone[i]);
        CHECK(alone[i].size() > 60);
    }
    CHECK(alone[0] != alone[5]);  // the same prompt with another seed
}

TEST_CASE("serve: a stream goes on while others leave") {
    const Server server({"--parallel", "3", "-c", "512"});
    const Json body = {{"prompt", "Once"}, {"max_tokens", 400}, {"seed", 3}, {"ignore_eos", true}, {"temperature", 1}};
    const std::string alone = server.post_json(completions, body).at("choices").at(0).at("text");
    std::string crowded;
    std::thread client([&] { crowded = server.post_json(completions, body).at("choices").at(0).at("text"); });
    for (int i = 0; i < 30; ++i) BareClient(server).post(chats, long_chat);
    client.join();
    CHECK(crowded == alone);
}

TEST_CASE("serve: a full queue is 503 with Retry-After, and room comes back") {
    const Server server({"--parallel", "1", "--queue", "1"});
    auto running = std::make_unique<BareClient>(server);
    running->post(chats, long_chat);
    server.wait_for("slots_busy", 1);
    BareClient waiting(server);
    waiting.post(chats, long_chat);
    server.wait_for("queue_depth", 1);
    const httplib::Response refused = server.post(chats, long_chat.dump());
    CHECK(refused.status == 503);
    CHECK(refused.get_header_value("Retry-After") == "1");
    CHECK(Json::parse(refused.body).at("error").at("type") == "server_error");
    running.reset();
    server.wait_for("queue_depth", 0);
    CHECK(waiting.receive().starts_with("HTTP/1.1 200"));
}

TEST_CASE("serve: SIGTERM lets answers end, gives up at the limit, and exits with 0") {
    const Json short_one = {{"prompt", "Once"}, {"max_tokens", 300}, {"ignore_eos", true}};
    for (const bool in_time : {true, false}) {
        Server server({"--drain", in_time ? "60" : "0", "--parallel", "2"});
        std::string body;
        int status = 0;
        std::thread client([&] {
            const auto response = server.client().Post(in_time ? completions : chats,
                                                       (in_time ? short_one : long_chat).dump(), "text/json");
            if (response) body = response->body, status = response->status;
        });
        server.wait_for("time_to_first_token_seconds_count", 1);
        const auto start = Clock::now();
        server.program().send(SIGTERM);
        client.join();
        CHECK(server.program().wait() == 0);
        CHECK(status == 200);
        if (in_time) {
            CHECK(Json::parse(body).at("usage").at("completion_tokens") == 300);
        } else {
            CHECK(seconds_since(start) < 5);
            CHECK(events_of(body).back().find("the server is shutting down") != body.npos);
        }
    }
}

TEST_CASE("serve: SIGTERM ends it with 0 while the model is being loaded") {
    const TempFolder folder;
    constexpr std::uint64_t many = 50'000'000;  // empty strings in the metadata: they take a second, and no disk
    write_file(folder / "slow.gguf",
               Bytes().raw("GGUF").u32(3).u64(0).u64(2).text("slow").u32(9).u32(8).u64(many).data);
    resize_file(folder / "slow.gguf", 8 * many + 1000);
    Server server({"-m", (folder / "slow.gguf").string()}, false);
    const auto start = Clock::now();
    server.program().send(SIGTERM);
    CHECK(server.program().wait() == 0);  // to its end, it would have found that the file is damaged
    CHECK(seconds_since(start) < 1);
}

TEST_CASE("serve: a second signal ends it at once") {
    Server server({"--drain", "60"});
    BareClient client(server);
    client.post(chats, long_chat);
    server.wait_for("time_to_first_token_seconds_count", 1);
    const auto start = Clock::now();
    server.program().send(SIGINT);
    const auto refused = [&] {
        return server.post(completions, R"({"prompt": "Once", "max_tokens": 1})").status == 503;
    };
    while (!refused()) std::this_thread::sleep_for(std::chrono::milliseconds(5));  // until the first has come
    server.program().send(SIGTERM);
    CHECK(server.program().wait() == 128 + SIGTERM);
    CHECK(seconds_since(start) < 5);
}

TEST_CASE("serve: a client that has closed its own side gets its answer") {
    const Server server;
    for (const bool stream : {true, false}) {
        const Json body = {{"prompt", "Once"}, {"max_tokens", 100}, {"ignore_eos", true}, {"stream", stream}};
        for (const char* version : {"1.0", "1.1"}) {
            BareClient client(server);
            client.post(completions, body, version);
            client.end_sending();
            CHECK(client.rest().find(stream ? "data: [DONE]" : "\"completion_tokens\":100") != std::string::npos);
        }
    }
}

TEST_CASE("serve: a request is a line on standard error") {
    Server server({"--log", "requests", "--api-key", "key"});
    auto client = server.client();
    client.Get("/v1/models");
    client.Post(completions, {{"Authorization", "Bearer key"}}, R"({"prompt": "Once", "max_tokens": 2})", "text/json");
    client.Get("/metrics", {{"Authorization", "Bearer key"}});
    server.program().send(SIGTERM);
    CHECK(server.program().wait() == 0);
    const std::regex lines(
        "serve: method=GET path=/v1/models status=401 ms=[.0-9]+\n"
        "serve: method=POST path=/v1/completions status=200 ms=[.0-9]+ id=cmpl-[-0-9]+ tokens=2 "
        "ttft_ms=[.0-9]+ tok_s=[.0-9]+ finish=length client=there\n");
    std::string log = server.program().err();
    log.erase(0, log.find("serve: method=GET path=/v1"));  // /health, while the model was being loaded
    CHECK_MESSAGE(std::regex_match(log, lines), log);
}

TEST_CASE("serve: an IPv6 address is printed as a browser takes it") {
    const Outcome refused = run("serve", {"--host", "2001:db8::1", "--port", "8080"});  // no machine has it
    CHECK(refused.err == "serve: [2001:db8::1]:8080: cannot be listened on; choose another --port or --host\n");
}

TEST_CASE("serve: keys come from a file and the environment too") {
    const TempFolder folder;
    write_file(folder / "keys", Bytes().raw("one\r\ntwo\n").data);
    setenv("SLUICE_API_KEY", "three", 1);
    const Server server({"--api-key-file", (folder / "keys").string(), "--api-key", "four"});
    unsetenv("SLUICE_API_KEY");
    auto client = server.client();
    for (const std::string key : {"one", "two", "three", "four", "five", "one\ntwo"}) {
        const auto response = client.Get("/v1/models", {{"Authorization", "Bearer " + key}});
        if (!response) continue;  // not a header
        CHECK_MESSAGE((response->status == 200) == (key.size() < 6 && key != "five"), key);
    }
    write_file(folder / "keys", Bytes().raw("one\n\ntwo\n").data);
    const Outcome empty = run("serve", {"--api-key-file", (folder / "keys").string(), "--port", "0"});
    CHECK(empty.code == 1);
    CHECK(empty.err.find("--api-key: is empty") != empty.err.npos);
}

TEST_CASE("serve: --cors lets one origin in, and takes nothing else") {
    const Server server({"--cors", "https://good.example"});
    const auto preflight = server.client().Options(chats.c_str());
    REQUIRE(preflight);
    CHECK(preflight->status == 204);
    CHECK(preflight->get_header_value("Access-Control-Allow-Origin") == "https://good.example");
    CHECK(server.post(completions, R"({"prompt": "Once", "max_tokens": 1})")
              .get_header_value("Access-Control-Allow-Origin") == "https://good.example");
    for (const char* origin : {"good.example", "https://a b", "https://a\r\nX: 1", "https://a/"}) {
        const Outcome refused = run("serve", {"--cors", origin, "--port", "0"});
        CHECK(refused.code == 1);
        CHECK(refused.err.find("--cors: ") != refused.err.npos);
        CHECK(refused.err.find("is not an origin") != refused.err.npos);
    }
}

TEST_CASE("serve: n answers and log-probabilities of the embedded model") {
    const Server server({"--parallel", "2"});
    const Json body = {
        {"prompt", "Once upon a time"}, {"max_tokens", 12}, {"temperature", 0}, {"n", 3}, {"logprobs", 2}};
    const Json answer = server.post_json(completions, body);
    REQUIRE(answer.at("choices").size() == 3);
    const Json& first = answer.at("choices").at(0);
    CHECK(first.at("text").get<std::string>().size() > 12);
    for (const Json& choice : answer.at("choices")) CHECK(choice.at("text") == first.at("text"));  // greedy
    const Json& logprobs = first.at("logprobs");
    REQUIRE(logprobs.at("tokens").size() == 12);
    std::string text;
    for (std::size_t i = 0; i < 12; ++i) {
        const std::string token = logprobs.at("tokens").at(i);
        CHECK(logprobs.at("text_offset").at(i) == text.size());
        text += token;
        const double logprob = logprobs.at("token_logprobs").at(i);
        CHECK(logprob <= 0);
        CHECK(logprobs.at("top_logprobs").at(i).size() == 2);
        for (const Json& other : logprobs.at("top_logprobs").at(i)) CHECK(other.get<double>() <= logprob);
    }
    CHECK(text == first.at("text"));
}

TEST_CASE("serve: keys are asked for everywhere but at /health and for the page") {
    const Server server({"--api-key", "one", "--api-key", "another"});
    auto client = server.client();
    CHECK(client.Get("/health")->status == 200);
    CHECK(client.Get("/")->status == 200);
    for (const char* header : {"", "Bearer", "Bearer ", "Bearer on", "Bearer onee", "bearer one", "one"}) {
        const auto refused = client.Get("/v1/models", {{"Authorization", header}});
        REQUIRE(refused);
        CHECK_MESSAGE(refused->status == 401, header);
        CHECK(Json::parse(refused->body).at("error").at("type") == "authentication_error");
    }
    CHECK(client.Get("/v1/models", {{"Authorization", "Bearer one"}})->status == 200);
    CHECK(client.Get("/v1/models", {{"Authorization", "Bearer another"}})->status == 200);
}

TEST_CASE("serve: tokens, text and templates") {
    const Server server;
    const Json tokens = server.post_json("/tokenize", {{"content", "Héllo <|im_end|>"}}).at("tokens");
    CHECK(server.post_json("/detokenize", {{"tokens", tokens}}).at("content") == "Héllo <|im_end|>");
    const Json as_text = server.post_json("/tokenize", {{"content", "<|im_end|>"}, {"parse_special", false}});
    CHECK(as_text.at("tokens").size() > 1);
    CHECK(server.post_json("/apply-template", {{"messages", long_chat.at("messages")}}).at("prompt") ==
          "<|im_start|>user\nTell me a story.<|im_end|>\n<|im_start|>assistant\n");
    CHECK(server.post("/detokenize", R"({"tokens": [1, 2047]})").status == 200);
    CHECK(server.post("/detokenize", R"({"tokens": [1, 2048]})").status == 400);
    const Json models = Json::parse(server.client().Get("/v1/models")->body);
    CHECK(models.at("data").at(0).at("id") == "story-Q4_K_M");
    CHECK(Json::parse(server.client().Get("/props")->body).at("context") == 1024);
}

TEST_CASE("serve: the name of a model that a client sends changes nothing") {
    const Server server;
    std::set<std::string> answers, prompts;
    for (const char* name : {"story-Q4_K_M", "gpt-4o", "llama-3-8b-instruct", "mistral"}) {
        const Json asked = {{"model", name}, {"messages", long_chat.at("messages")}, {"seed", 7}, {"max_tokens", 12}};
        const Json answer = server.post_json(chats, asked);
        answers.insert(answer.at("choices").dump());
        prompts.insert(answer.at("usage").at("prompt_tokens").dump());
    }
    CHECK(answers.size() == 1);
    CHECK(prompts.size() == 1);
}

TEST_CASE("serve: the chat page asks nobody but its own server") {
    const Server server;
    const auto page = server.client().Get("/");
    REQUIRE(page);
    CHECK(page->status == 200);
    CHECK(page->get_header_value("Content-Type") == "text/html; charset=utf-8");
    CHECK(page->get_header_value("Content-Security-Policy").starts_with("default-src 'none'"));
    CHECK(page->body.starts_with("<!doctype html>"));
    for (const char* outside : {"http:", "https:", "//cdn", "innerHTML", "src=", "href="}) {
        CHECK_MESSAGE(page->body.find(outside) == std::string::npos, outside);
    }
}

TEST_CASE("serve: a dense or foreign file is refused by its architecture, and never answers") {
    const TempFolder folder;
    std::size_t refused = 0;
    for (const NamedFile& file : unfit_files()) {
        const bool is_other = file.name == "dense.gguf" || file.name == "llama.gguf" || file.name == "qwen35moe.gguf";
        if (!is_other) continue;
        write_file(folder / file.name, file.make());
        const Outcome outcome = run("serve", {"-m", (folder / file.name).string(), "--port", "0"});
        CAPTURE(outcome.err);
        CHECK(outcome.code == 1);
        CHECK(outcome.err.find(file.name + ": key 'general.architecture'") != std::string::npos);
        CHECK(outcome.err.find("qwen3moe") != std::string::npos);
        ++refused;
    }
    CHECK(refused == 3);
}
