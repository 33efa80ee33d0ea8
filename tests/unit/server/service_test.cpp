// SPDX-License-Identifier: Apache-2.0
#include "sluice/server/service.hpp"

#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <httplib.h>
#include <limits>
#include <list>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <regex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/server/http.hpp"
#include "support/bare_socket.hpp"
#include "unit/server/served_model.hpp"
#include "unit/server/tiny_engine.hpp"

using namespace sluice;
using namespace sluice::test;
using server::Json;

namespace {

constexpr char fault = '\0';      // in the script: where the logits are broken
constexpr char odd_fault = '\1';  // the same, for requests with an odd seed alone
std::mutex script_mutex;
std::string script;  // what the model says, byte for byte, to every new request; nothing: what it likes

std::string current_script() {
    const std::lock_guard lock(script_mutex);
    return script;
}

class ScriptedSampler {
public:
    explicit ScriptedSampler(StandardSampler sampler) : sampler_(std::move(sampler)) {}
    static Expected<ScriptedSampler> make(const SamplingParams& params) {
        SLUICE_ASSIGN(StandardSampler sampler, make_standard_sampler(params));
        return ScriptedSampler(std::move(sampler));
    }
    Expected<Token> sample(std::span<float> logits, const SampleContext& context) {
        if (script_.empty()) return sampler_.sample(logits, context);
        if (said_ == script_.size()) return end_of_text;
        const char next = script_[said_++];
        if (next == fault || (next == odd_fault && context.seed % 2 == 1)) {
            logits[3] = std::numeric_limits<float>::quiet_NaN();
            return sampler_.sample(logits, context);
        }
        return static_cast<Token>(static_cast<unsigned char>(next));
    }

private:
    StandardSampler sampler_;
    std::string script_ = current_script();
    std::size_t said_ = 0;
};
struct Scripted : Gated {
    using Sampler = ScriptedSampler;
};

using Served = ServedModel<Scripted>;

void say(const std::string& text) {
    const std::lock_guard lock(script_mutex);
    script = text;
    gate.reset();
    gate.open();
}

const Json tools = Json::parse(R"([{"type": "function", "function": {"name": "look", "parameters": {}}}])");

Json chat_with(const Json& more) {
    Json body = {{"messages", {{{"role", "user"}, {"content", "Hi"}}}}, {"max_tokens", 200}};
    body.update(more);
    return body;
}

}  // namespace

TEST_CASE("service: calls of functions reach the client whole, streamed and not") {
    say("<think>Hm</think>Wait.\n<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"é\"}}\n</tool_call>");
    const Served served;
    const Json call = {{"name", "look"}, {"arguments", "{\"at\": \"é\"}"}};

    const Json whole = served.answer(chats, chat_with({{"tools", tools}})).at("choices").at(0);
    CHECK(whole.at("finish_reason") == "tool_calls");
    CHECK(whole.at("message").at("content") == "Wait.");
    CHECK(whole.at("message").at("reasoning_content") == "Hm");
    CHECK(whole.at("message").at("tool_calls").size() == 1);
    CHECK(whole.at("message").at("tool_calls").at(0).at("function") == call);

    std::string content;
    std::vector<Json> calls;
    const auto chunks = served.chunks(chats, chat_with({{"tools", tools}}));
    for (const Json& chunk : chunks) {
        const Json& delta = chunk.at("choices").at(0).at("delta");
        content += delta.value("content", "");
        if (delta.contains("tool_calls")) calls.push_back(delta.at("tool_calls").at(0));
    }
    CHECK(content == "Wait.");
    REQUIRE(calls.size() == 1);
    CHECK(calls[0].at("function") == call);
    CHECK(chunks.back().at("choices").at(0).at("finish_reason") == "tool_calls");

    for (const Json& without : {Json{{"tools", tools}, {"tool_choice", "none"}}, Json::object()}) {
        const Json plain = served.answer(chats, chat_with(without)).at("choices").at(0);
        CHECK(plain.at("finish_reason") == "stop");
        CHECK(plain.at("message").at("content") == script.substr(script.find("Wait")));
    }
}

TEST_CASE("service: tools, calls and results are shown to the model") {
    say("");
    const Served served;
    const Json call = {{"type", "function"}, {"function", {{"name", "look"}, {"arguments", "{}"}}}};
    Json body = {{"messages",
                  {{{"role", "user"}, {"content", "Hi"}},
                   {{"role", "assistant"}, {"content", nullptr}, {"tool_calls", Json::array({call})}},
                   {{"role", "tool"}, {"content", "Blue."}}}},
                 {"tools", tools}};
    const std::string prompt = served.answer("/apply-template", body).at("prompt");
    for (const char* part :
         {"<tools>\n{\"type\": \"function\", \"function\": {\"name\": \"look\", \"parameters\": {}}}\n</tools>",
          "<tool_call>\n{\"name\": \"look\", \"arguments\": {}}\n</tool_call>",
          "<tool_response>\nBlue.\n</tool_response>"}) {
        CHECK_MESSAGE(prompt.find(part) != prompt.npos, prompt);
    }
    body["max_tokens"] = 1;
    const std::size_t shown = served.answer(chats, body).at("usage").at("prompt_tokens");
    body["tool_choice"] = "none";
    CHECK(served.answer(chats, body).at("usage").at("prompt_tokens").get<std::size_t>() < shown);
}

TEST_CASE("service: n answers are those of n seeds, streamed and not") {
    say("");
    const Served served;
    const Json body = {{"prompt", "Hello"}, {"max_tokens", 20}, {"ignore_eos", true}, {"temperature", 1.5}};
    const auto with = [&](std::size_t n, std::uint64_t seed) {
        Json more = body;
        more.update({{"n", n}, {"seed", seed}});
        return more;
    };
    std::vector<std::string> alone, streamed(8);
    for (std::uint64_t seed = 7; seed < 15; ++seed) {
        const Json one = served.answer(completions, with(1, seed));
        CHECK(one.at("seed") == seed);
        alone.push_back(one.at("choices").at(0).at("text"));
    }
    CHECK(alone[0] != alone[1]);

    const Json whole = served.answer(completions, with(8, 7));
    REQUIRE(whole.at("choices").size() == 8);
    for (std::size_t i = 0; i < 8; ++i) {
        CHECK(whole.at("choices").at(i).at("index") == i);
        CHECK(whole.at("choices").at(i).at("text") == alone[i]);
    }
    CHECK(whole.at("usage").at("prompt_tokens") == 5);
    CHECK(whole.at("usage").at("completion_tokens") == 160);

    Json asking = with(8, 7);
    asking["stream_options"] = {{"include_usage", true}};
    const std::vector<Json> chunks = served.chunks(completions, asking);
    CHECK(chunks.size() == 8 * 20 + 8 + 1);
    std::size_t turns = 0, last = 0;
    for (const Json& chunk : chunks) {
        if (chunk.at("choices").empty()) continue;
        const std::size_t i = chunk.at("choices").at(0).at("index");
        streamed[i] += chunk.at("choices").at(0).at("text");
        turns += i != last;
        last = i;
    }
    CHECK(streamed == alone);
    CHECK(turns > 20);  // three at a time, one beside the other
    CHECK(chunks.back().at("usage") == whole.at("usage").get<Json>());
}

TEST_CASE("service: n answers are queued all or not at all") {
    say("");
    gate.reset();  // room for one in the slot and one in the queue
    Served served({}, 1, 1);
    const httplib::Response refused = served.post(completions, {{"prompt", "a"}, {"n", 3}, {"max_tokens", 1}});
    CHECK(refused.status == 503);
    CHECK(refused.get_header_value("Retry-After") == "1");
    gate.open();
    const auto is_idle = [&] {
        const server::EngineState state = served.engine().state();
        return state.busy_slots + state.queued == 0;
    };
    for (int i = 0; i < 6000 && !is_idle(); ++i) std::this_thread::sleep_for(10ms);
    CHECK(served.answer(completions, {{"prompt", "a"}, {"n", 2}, {"max_tokens", 1}}).at("choices").size() == 2);
    CHECK(served.engine().state().busy_slots == 0);
}

TEST_CASE("service: log-probabilities, one per token, streamed and not") {
    say("");
    const Served served;
    const Json asking = chat_with({{"seed", 4},
                                   {"temperature", 1},
                                   {"max_tokens", 10},
                                   {"ignore_eos", true},
                                   {"logprobs", true},
                                   {"top_logprobs", 3}});
    const Json whole = served.answer(chats, asking).at("choices").at(0).at("logprobs").at("content");
    CHECK(whole.size() == 10);
    CHECK(whole.at(0).at("top_logprobs").size() == 3);
    Json streamed = Json::array();
    for (const Json& chunk : served.chunks(chats, asking)) {
        const Json& logprobs = chunk.at("choices").at(0).at("logprobs");
        if (!logprobs.is_null()) streamed.push_back(logprobs.at("content").at(0));
    }
    CHECK(streamed == whole);

    say("aé");
    const Json legacy = served.answer(completions, {{"prompt", "Hello"}, {"max_tokens", 9}, {"logprobs", 0}});
    const Json& lists = legacy.at("choices").at(0).at("logprobs");
    CHECK(lists.at("tokens") == Json{"a", "bytes:\\xc3", "bytes:\\xa9"});
    CHECK(lists.at("text_offset") == Json{0, 1, 1});
    CHECK(lists.at("token_logprobs").size() == 3);
    CHECK(legacy.at("usage").at("completion_tokens") == 4);
}

TEST_CASE("service: characters of several tokens come whole, with an event for each token") {
    say("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"
        "b\xE2\x82");
    const Served served;
    for (const std::string& path : {chats, completions}) {
        Json body = path == chats ? chat_with(Json::object()) : Json{{"prompt", "Hi"}, {"max_tokens", 200}};
        const Json whole = served.answer(path, body).at("choices").at(0);
        const std::string text = path == chats ? whole.at("message").at("content") : whole.at("text");
        CHECK(text ==
              "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"
              "b\xEF\xBF\xBD");
        std::string streamed;
        std::size_t events = 0;
        for (const Json& chunk : served.chunks(path, body)) {  // whose parser takes whole UTF-8 only
            const Json& choice = chunk.at("choices").at(0);
            streamed += path == chats ? choice.at("delta").value("content", "") : choice.value("text", "");
            ++events;
        }
        CHECK(streamed == text);
        CHECK(events >= script.size() + 1);
    }
}

TEST_CASE("service: a stop text that spans tokens ends the answer and never shows") {
    say("Hello. ENDLESS THE END, and more");
    const Served served;
    const Json body = {{"prompt", "Hi"}, {"max_tokens", 200}, {"stop", {"and", "THE END"}}};
    const Json whole = served.answer(completions, body).at("choices").at(0);
    CHECK(whole.at("text") == "Hello. ENDLESS ");
    CHECK(whole.at("finish_reason") == "stop");
    std::string streamed;
    const auto chunks = served.chunks(completions, body);
    for (const Json& chunk : chunks) streamed += chunk.at("choices").at(0).at("text");
    CHECK(streamed == "Hello. ENDLESS ");
    CHECK(chunks.back().at("choices").at(0).at("finish_reason") == "stop");
}

TEST_CASE("service: a stream that is silent for long gets comments, and nothing but") {
    say("Hi");
    gate.reset();
    const Served served({.keep_alive = 20ms});
    std::string text;
    std::size_t comments = 0;
    httplib::Request request;
    request.method = "POST";
    request.path = chats;
    request.body = chat_with({{"stream", true}}).dump();
    request.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
        text.append(data, size);
        if (text.ends_with(sse::keep_alive) && ++comments == 3) gate.open();  // the prompt is computed from here on
        return true;
    };
    REQUIRE(served.client().send(request));
    const std::size_t role = text.find("data: ");
    std::string silence;
    while (silence.size() < role) silence += sse::keep_alive;
    CHECK(comments >= 3);
    CHECK(text.substr(0, role) == silence);
    CHECK(text.ends_with(sse::done));
}

TEST_CASE("service: a client has read each token's event before the next token is computed") {
    say("ABCDEFGH");
    gate.reset();
    Served served;
    gate.allow(1);
    std::string text;
    std::size_t tokens = 0;
    httplib::Request request;
    request.method = "POST";
    request.path = completions;
    request.body = R"({"prompt": [1, 2], "max_tokens": 8, "stream": true})";
    request.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
        text.append(data, size);
        if (tokens == script.size()) return true;  // the end is here
        REQUIRE(text.find("\"text\":\"" + script.substr(tokens, 1) + '"') != text.npos);
        ++tokens;
        CHECK(gate.passes() == tokens);
        if (tokens < script.size()) {
            gate.wait_until_held();
            CHECK(served.engine().state().generated_tokens == tokens);
        }
        gate.allow(1);
        return true;
    };
    CHECK_MESSAGE(served.client().send(request), "nothing came for a minute");
    CHECK(tokens == 8);
    CHECK(text.ends_with(sse::done));
}

TEST_CASE("service: an answer that fails at once is an error with its status, streamed or not") {
    Served served;
    for (const bool stream : {true, false}) {
        const Json body = {{"prompt", "a"}, {"n", 2}, {"stream", stream}};
        say(std::string(1, fault));
        const httplib::Response broken = served.post(completions, body);
        CHECK(broken.status == 500);
        CHECK(Json::parse(broken.body).at("error").at("message") ==
              "logits[3]: is NaN; the model's weights or its computation are broken");
        say(std::string("Hi") + fault);
        const httplib::Response late = served.post(completions, body);
        CHECK(late.status == (stream ? 200 : 500));
        CHECK(late.body.ends_with("\"code\":500,\"param\":" + std::string(stream ? "null}}\n\n" : "\"logits[3]\"}}")));
    }
    served.engine().drain(std::chrono::milliseconds(0));
    const httplib::Response refused = served.post(completions, {{"prompt", "a"}});
    CHECK(refused.status == 503);
    CHECK(Json::parse(refused.body).at("error").at("message") == "engine: is shutting down");
}

TEST_CASE("service: broken logits end their own request, all of it, and no other") {
    say(std::string("Hello") + odd_fault + "!");
    const Served served({}, 4);
    const auto ask = [&](std::size_t seed, std::size_t n, bool stream) {
        return served.post(completions, {{"prompt", "a"}, {"seed", seed}, {"n", n}, {"stream", stream}});
    };
    for (const bool stream : {true, false}) {
        httplib::Response broken, other;
        std::thread at_once([&] { broken = ask(2, 2, stream); });  // seeds 2 and 3
        other = ask(4, 1, stream);
        at_once.join();
        CHECK(broken.status == (stream ? 200 : 500));
        CHECK(broken.body.find("logits[3]: is NaN") != broken.body.npos);
        CHECK(broken.body.find("[DONE]") == broken.body.npos);
        CHECK(other.status == 200);
        CHECK(other.body.find("NaN") == other.body.npos);
        CHECK((!stream || other.body.ends_with(sse::done)));
    }
}

TEST_CASE("service: a request is a line of the log, whatever became of it, without what was asked and the keys") {
    std::mutex mutex;
    std::vector<std::string> lines;
    const auto log = [&](const std::string& line) {
        const std::lock_guard lock(mutex);
        lines.push_back(line);
    };
    //! The one line that has come or comes now, without its times and ids.
    const auto line = [&] {
        const auto has_come = [&] {
            const std::lock_guard lock(mutex);
            return !lines.empty();
        };
        for (int i = 0; i < 2000 && !has_come(); ++i) std::this_thread::sleep_for(5ms);
        const std::lock_guard lock(mutex);
        REQUIRE(lines.size() == 1);
        const std::string text = std::exchange(lines, {}).front();
        CHECK(text.find("secret") == text.npos);
        return std::regex_replace(text, std::regex(" (ms|id|ttft_ms|tok_s)=[-.a-z0-9]+"), " $1");
    };
    say("Hi");
    const auto served =
        std::make_unique<Served>(server::ServiceOptions{.access = {.api_keys = {"secret key"}}, .log = log}, 1, 0,
                                 server::HttpLimits{.header_bytes = 1000});
    const httplib::Headers key = {{"Authorization", "Bearer secret key"}};
    const auto post = [&](const std::string& path, const Json& body) {
        return served->client().Post(path + "?key=secret", key, body.dump(), "application/json");
    };
    const Json asking = {{"prompt", "a secret"}, {"max_tokens", 5}};
    for (const bool stream : {true, false}) {
        Json body = asking;
        body["stream"] = stream;
        post(completions, body);
        CHECK(line() ==
              "method=POST path=/v1/completions status=200 ms id tokens=3 ttft_ms tok_s finish=stop client=there");
    }
    post(completions, {{"prompt", "a secret"}, {"secret", 1}});
    CHECK(line() == "method=POST path=/v1/completions status=400 ms");
    served->client().Get("/v1/models", {{"Authorization", "Bearer another secret"}});
    CHECK(line() == "method=GET path=/v1/models status=401 ms");
    served->client().Get("/a\nb%0Ac%20status=200", key);
    CHECK(line() == "method=GET path=/a%0Ab%0Ac%20status%3D200 status=404 ms");
    served->client().Get("/" + std::string(500, 'a'), key);
    CHECK(line() == "method=GET path=/" + std::string(79, 'a') + " status=404 ms");
    {
        BareSocket client(served->port());
        client.send("nonsense secret\r\n\r\n");
        CHECK(line() == "method=- path=- status=400");
        BareSocket wordy(served->port());
        wordy.send("GET /secret HTTP/1.1\r\nX-Secret: " + std::string(2000, 'x'));
        CHECK(line() == "method=- path=- status=400");
    }
    gate.reset();
    std::thread running([&] { post(completions, asking); });
    gate.wait_until_held();
    post(completions, asking);
    CHECK(line() == "method=POST path=/v1/completions status=503 ms");
    gate.open();
    running.join();
    CHECK(line().ends_with("finish=stop client=there"));
    for (const char* path : {"/health", "/metrics"}) served->client().Get(path, key);
    served->client().Get("/metrics");
    CHECK(line() == "method=GET path=/metrics status=401 ms");
}

TEST_CASE("service: all but /health is refused while the connections are in use") {
    say("Hello");
    gate.reset();
    Served served({}, 1, 64, {.connections = 16});
    std::list<BareSocket> clients;
    const std::string body = R"({"prompt":"a","max_tokens":1})";
    for (std::size_t n = 1; n <= 14; ++n) {
        clients.emplace_back(served.port())
            .send("POST /v1/completions HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                  body);
        for (int i = 0; i < 2000 && served.engine().state().requests < n; ++i) std::this_thread::sleep_for(5ms);
    }
    const httplib::Response refused = served.post(completions, {{"prompt", "a"}});
    CHECK(refused.status == 503);
    CHECK(refused.get_header_value("Retry-After") == "1");
    CHECK(Json::parse(refused.body).at("error").at("message") == "connections: are all in use; try again later");
    CHECK(served.client().Get("/health")->status == 200);
    gate.open();
    for (BareSocket& client : clients) CHECK(client.receive().starts_with("HTTP/1.1 200"));
    CHECK(served.answer(completions, {{"prompt", "a"}, {"max_tokens", 1}}).contains("usage"));
}

TEST_CASE("service: until there is an engine, /health and all else is 503") {
    server::HttpServer http;
    const server::Service<Scripted> service(http, {.model_name = "tiny"});
    const int port = http.bind("127.0.0.1", 0);
    std::thread listener([&] { http.listen_after_bind(); });
    while (!http.is_running()) std::this_thread::yield();
    for (const char* path : {"/health", "/metrics", "/v1/models"}) {
        const auto response = httplib::Client("127.0.0.1", port).Get(path);
        CHECK((response && response->status == 503));
    }
    http.stop();
    listener.join();
}

TEST_CASE("service: pages of other origins may ask only where that is allowed") {
    say("Hi");
    const httplib::Headers headers = {{"Origin", "https://evil.example"}, {"Access-Control-Request-Method", "POST"}};
    {
        const Served closed;
        const auto preflight = closed.client().Options(chats.c_str(), headers);
        REQUIRE(preflight);
        CHECK(preflight->status == 404);
        const auto response = closed.client().Get("/v1/models", headers);
        for (const auto& [name, value] : response->headers) CHECK_FALSE(name.starts_with("Access-Control"));
    }
    const Served open({.access = {.api_keys = {"key"}, .cors_origin = "https://good.example"}});
    const auto preflight = open.client().Options(chats.c_str(), headers);
    REQUIRE(preflight);
    CHECK(preflight->status == 204);
    CHECK(preflight->get_header_value("Access-Control-Allow-Headers") == "Authorization, Content-Type");
    CHECK(preflight->get_header_value("Access-Control-Allow-Methods") == "GET, POST");
    for (const char* key : {"Bearer key", "Bearer other"}) {  // a page may read a refusal too
        const auto response = open.client().Get("/v1/models", {{"Authorization", key}});
        CHECK(response->status == (std::string_view(key) == "Bearer key" ? 200 : 401));
        CHECK(response->get_header_value("Access-Control-Allow-Origin") == "https://good.example");
        CHECK(response->get_header_value("Vary") == "Origin");
    }
    CHECK(open.client().Get("/v1/models")->status == 401);
}
