// SPDX-License-Identifier: Apache-2.0
//! The program `serve`, as its clients see it.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <doctest/doctest.h>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../bad_files.hpp"
#include "server.hpp"

using namespace sluice::test;
using Clock = std::chrono::steady_clock;

namespace {

const std::string completions = "/v1/completions", chats = "/v1/chat/completions";

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

}  // namespace

TEST_CASE("serve: eight tokens are at least eight distinct events, that come apart, and [DONE] is last") {
    const Server server;
    for (const std::string& path : {completions, chats}) {
        const Json prompt = path == chats ? Json{{"messages", {{{"role", "user"}, {"content", "Tell me a story."}}}}}
                                          : Json{{"prompt", "Once upon a time"}};
        const Json body = with(prompt, {{"max_tokens", 8}, {"seed", 7}, {"ignore_eos", true}});
        std::string stream;
        std::vector<Clock::time_point> arrivals;
        httplib::Request request;
        request.method = "POST";
        request.path = path;
        request.body = with(body, {{"stream", true}, {"stream_options", {{"include_usage", true}}}}).dump();
        request.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
            stream.append(data, size);
            arrivals.push_back(Clock::now());
            return true;
        };
        const auto response = server.client().send(request);
        REQUIRE(response);
        CHECK(response->status == 200);
        CHECK(response->get_header_value("Content-Type") == "text/event-stream");
        CHECK(arrivals.size() >= 8);

        std::vector<std::string> events = events_of(stream);
        CHECK(events.size() >= 8 + 3);  // finish, usage, [DONE]
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

TEST_CASE("serve: a client that goes away frees its slot, and a thousand leave nothing behind") {
    const Server server({"--parallel", "2", "--queue", "8", "--log", "none", "-b", "32"});
    server.wait_for("slots_busy", 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));  // until idle threads have ended
    const std::size_t descriptors = server.count("fd"), threads = server.count("task");
    Json long_prompt = long_chat;
    long_prompt["messages"][0]["content"] = std::string(4000, 'a');
    for (std::size_t i = 0; i < 1000;) {
        std::vector<std::unique_ptr<BareClient>> crowd;  // more than slots: some wait in the queue
        for (std::size_t k = 0; k < 8; ++k, ++i) {
            crowd.push_back(std::make_unique<BareClient>(server));
            Json body = k % 2 == 0 ? long_chat : long_prompt;
            body["stream"] = i % 3 != 0;
            crowd.back()->post(chats, body);
            if (i % 4 == 0) crowd.back()->reset();
        }
        if ((i - 8) % 3 != 0) crowd[0]->receive();  // it streams, and is in its answer then
    }
    server.wait_for("slots_busy", 0);
    server.wait_for("queue_depth", 0);
    CHECK(server.metric("requests_failed_total") == 0);
    for (int i = 0; i < 100 && (server.count("fd") > descriptors || server.count("task") > threads + 1); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    CHECK(server.count("fd") <= descriptors);
    CHECK(server.count("task") <= threads + 1);  // one that served the last /metrics
    CHECK(server.post_json(completions, {{"prompt", "Once"}, {"max_tokens", 2}}).at("choices").size() == 1);
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

TEST_CASE("serve: /health says 503 while loading, and answers soon beside slow clients") {
    {
        const Server loading({}, false);
        const int first = loading.client().Get("/health")->status;
        CHECK((first == 503 || first == 200));
    }
    const Server server;
    std::vector<std::unique_ptr<BareClient>> slow;
    for (int i = 0; i < 200; ++i) {
        slow.push_back(std::make_unique<BareClient>(server));
        slow.back()->send("GET /health HTTP/1.1\r\nX-");
    }
    double slowest = 0;
    for (int i = 0; i < 20; ++i) {
        const auto start = Clock::now();
        CHECK(server.client().Get("/health")->status == 200);
        slowest = std::max(slowest, seconds_since(start));
    }
    MESSAGE("slowest of 20: " << slowest * 1000 << " ms");
    CHECK(slowest < 1);
}

TEST_CASE("serve: tokens, text and templates") {
    const Server server;
    const Json tokens = server.post_json("/tokenize", {{"content", "Héllo <|im_end|>"}}).at("tokens");
    CHECK(server.post_json("/detokenize", {{"tokens", tokens}}).at("content") == "Héllo <|im_end|>");
    const Json as_text = server.post_json("/tokenize", {{"content", "<|im_end|>"}, {"parse_special", false}});
    CHECK(as_text.at("tokens").size() > 1);
    CHECK(server.post_json("/apply-template", {{"messages", long_chat.at("messages")}}).at("prompt") ==
          "<|im_start|>user\nTell me a story.<|im_end|>\n<|im_start|>assistant\n");
    CHECK(server.post("/detokenize", R"({"tokens": [1, 1000000]})").status == 400);
    const Json models = Json::parse(server.client().Get("/v1/models")->body);
    CHECK(models.at("data").at(0).at("id") == "story-Q4_K_M");
    CHECK(Json::parse(server.client().Get("/props")->body).at("context") == 1024);
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
