// SPDX-License-Identifier: Apache-2.0
//! OpenAI's API over HTTP, in front of an Engine.
#pragma once

#include <atomic>
#include <cctype>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "sluice/server/access.hpp"
#include "sluice/server/engine.hpp"
#include "sluice/server/event_stream.hpp"
#include "sluice/server/http.hpp"
#include "sluice/server/json.hpp"
#include "sluice/server/metrics.hpp"
#include "sluice/server/openai.hpp"
#include "sluice/server/openai_answer.hpp"
#include "sluice/server/reply.hpp"
#include "sluice/server/session.hpp"
#include "sluice/sink/sse.hpp"
#include "sluice/text/utf8_stream.hpp"

namespace sluice::server {

struct ServiceOptions {
    std::string model_name{};
    std::string_view page{};  //!< HTML for GET /, which must outlive the service; or nothing
    Access access{};
    std::chrono::milliseconds keep_alive{10'000};      //!< a stream that is silent for so long gets a comment
    std::function<void(const std::string&)> log = {};  //!< gets a line for each request, from any thread
};

//! Answers `http`'s requests: GET /health from the start, everything else once there is an engine. All must outlive the
//! server's run.
template <class P>
class Service {
public:
    Service(HttpServer& http, ServiceOptions options) : options_(std::move(options)), http_(&http) {
        if (options_.log) http.set_logger([this](const Request& q, const Response& r) { log(q, r); });
        http.set_pre_routing_handler([this](const Request& q, Response& r) {
            return options_.access.admit(q, r) ? HttpServer::HandlerResponse::Unhandled
                                               : HttpServer::HandlerResponse::Handled;
        });
        http.set_error_handler([](const Request&, Response& r) {
            if (r.body.empty()) refuse(r, r.status);
        });
        http.set_exception_handler([](const Request&, Response& r, const std::exception_ptr&) {
            refuse(r, 500, Status(Errc::out_of_capacity, "", "the server failed to handle the request"));
        });
        http.Get("/health", [this](const Request&, Response& r) {
            if (engine(r) != nullptr) reply(r, {{"status", "ok"}});
        });
        if (!options_.page.empty()) {
            http.Get("/", [this](const Request&, Response& r) {
                r.set_header("Content-Security-Policy",
                             "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; "
                             "script-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'");
                r.set_content(options_.page.data(), options_.page.size(), "text/html; charset=utf-8");
            });
        }
        http.Get("/metrics", with_engine([this](Engine<P>& engine, const Request&, Response& r) {
                     r.set_content(metrics_text(engine.state(), latencies_, http_->dropped()),
                                   "text/plain; version=0.0.4");
                 }));
        http.Get("/v1/models", with_engine([this](Engine<P>&, const Request&, Response& r) { models(r); }));
        http.Get("/props", with_engine([this](Engine<P>& engine, const Request&, Response& r) { props(engine, r); }));
        add_json(http, "/tokenize", tokenize);
        add_json(http, "/detokenize", detokenize);
        add_json(http, "/apply-template", apply_template);
        add_completions(http, "/v1/chat/completions", openai::parse_chat);
        add_completions(http, "/v1/completions", openai::parse_completion);
    }
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    //! From now on requests are answered.
    void ready(Engine<P>& engine) { engine_ = &engine; }

private:
    using Request = httplib::Request;
    using Response = httplib::Response;
    using EngineRequest = typename Engine<P>::Request;

    // ---- Handlers ----

    //! The engine, or a reply that there is none yet.
    Engine<P>* engine(Response& r) {
        Engine<P>* const engine = engine_;
        if (engine == nullptr) refuse(r, 503, Status(Errc::out_of_capacity, "", "the model is still being loaded"));
        return engine;
    }

    template <class Handle>
    auto with_engine(Handle handle) {
        return [this, handle](const Request& q, Response& r) {
            // httplib looks at Content-Length alone, which chunked bodies lack.
            if (q.body.size() > http_->limits().body_bytes) return refuse(r, 413);
            if (http_->is_crowded()) {
                return fail(r, Status(Errc::out_of_capacity, "connections", "are all in use", "try again later"));
            }
            if (Engine<P>* const ready = engine(r)) handle(*ready, q, r);
        };
    }

    //! `work_out(engine, fields)` gives the reply's JSON, or what is wrong with the request's.
    void add_json(HttpServer& http, const char* path, Expected<Json> (*work_out)(const Engine<P>&, Fields&)) {
        http.Post(path, with_engine([work_out](Engine<P>& engine, const Request& q, Response& r) {
                      const auto result = [&]() -> Expected<Json> {
                          SLUICE_ASSIGN(const Json body, parse_object(q.body));
                          SLUICE_ASSIGN(Fields fields, Fields::of(body));
                          return work_out(engine, fields);
                      }();
                      result.ok() ? reply(r, *result) : refuse(r, 400, result.status());
                  }));
    }

    // ---- The log ----

    //! A line for a request that has its response: nothing of what it asked but the path. Those who ask again and again
    //! how the server is leave none.
    void log(const Request& q, const Response& r) const {
        if (r.status < 400 && (q.path == "/health" || q.path == "/metrics")) return;
        const std::string status = " status=" + to_text(r.status);
        const Exchange* const exchange = exchange_of(q);
        if (exchange == nullptr) return options_.log("method=- path=-" + status);  // its headers were not readable
        options_.log("method=" + q.method + " path=" + log_word(q.path) + status + " ms=" +
                     ms_text(Session::Clock::now() - exchange->start) + (exchange->note ? ' ' + exchange->note() : ""));
    }

    //! A text as one word, cut at 80 bytes: what is no plain part of a path as %XX.
    static std::string log_word(std::string_view text) {
        std::string word;
        for (const char c : text.substr(0, 80)) {
            if (std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("/-._").find(c) != text.npos) {
                word += c;
            } else {
                word += '%';
                word += "0123456789ABCDEF"[static_cast<unsigned char>(c) >> 4U];
                word += "0123456789ABCDEF"[static_cast<unsigned char>(c) & 0xFU];
            }
        }
        return word;
    }

    // ---- Facts ----

    void models(Response& r) const {
        const Json model = {
            {"id", options_.model_name}, {"object", "model"}, {"created", started_}, {"owned_by", "sluice"}};
        reply(r, {{"object", "list"}, {"data", Json::array({model})}});
    }

    void props(const Engine<P>& engine, Response& r) const {
        const LoadedModel<P>& model = engine.model();
        reply(r, {{"model", options_.model_name},
                  {"context", model.context},
                  {"slots", engine.state().slots},
                  {"vocabulary", model.forward.vocab()},
                  {"chat_template", model.vocabulary.chat_template}});
    }

    //! {"content": text, "parse_special": whether special tokens in it are parsed [true]}
    static Expected<Json> tokenize(const Engine<P>& engine, Fields& fields) {
        std::string content;
        bool parse = true;
        SLUICE_TRY(fields.require("content", content));
        SLUICE_TRY(fields.read("parse_special", parse));
        SLUICE_TRY(fields.refuse_others());
        const SpecialTokens special = parse ? SpecialTokens::parse : SpecialTokens::as_text;
        SLUICE_ASSIGN(const std::vector<Token> tokens, engine.model().vocabulary.tokenizer.encode(content, special));
        return Json{{"tokens", tokens}};
    }

    //! {"tokens": ids}
    static Expected<Json> detokenize(const Engine<P>& engine, Fields& fields) {
        SLUICE_ASSIGN(const std::vector<Token> tokens, openai::read_tokens(fields, "tokens"));
        SLUICE_TRY(fields.refuse_others());
        const auto& tokenizer = engine.model().vocabulary.tokenizer;
        std::string content;
        Utf8Stream whole;
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            if (tokens[i] < 0 || static_cast<std::size_t>(tokens[i]) >= tokenizer.vocab_size()) {
                return bad_field(item_path("tokens", i), to_text(tokens[i]) + " is not in the vocabulary");
            }
            whole.push(tokenizer.piece(tokens[i]), content);
        }
        whole.flush(content);
        return Json{{"content", content}};
    }

    //! The messages and chat_template_kwargs of a chat request.
    static Expected<Json> apply_template(const Engine<P>&, Fields& fields) {
        SLUICE_ASSIGN(const openai::Conversation conversation, openai::read_conversation(fields));
        SLUICE_TRY(fields.refuse_others());
        SLUICE_ASSIGN(const std::string prompt, chat::render(conversation.messages, conversation.options));
        return Json{{"prompt", prompt}};
    }

    // ---- Completions ----

    void add_completions(HttpServer& http, const char* path,
                         Expected<openai::CompletionRequest> (*parse)(std::string_view)) {
        http.Post(path, with_engine([this, parse](Engine<P>& engine, const Request& q, Response& r) {
                      const auto start = Session::Clock::now();
                      const auto request = parse(q.body);
                      if (!request.ok()) return refuse(r, 400, request.status());
                      const auto work = to_work(engine, *request);
                      if (!work.ok()) return refuse(r, 400, work.status());
                      const auto channels = submit(engine, *work, request->choices);
                      if (!channels.ok()) return fail(r, channels.status());
                      answer(*request, work->options.seed, *channels, start, q, r);
                  }));
    }

    //! What the engine is to do; any error is the client's.
    Expected<EngineRequest> to_work(const Engine<P>& engine, const openai::CompletionRequest& request) const {
        const LoadedModel<P>& model = engine.model();
        for (const TokenBias& bias : request.sampling.logit_bias) {
            if (static_cast<std::size_t>(bias.token) >= model.forward.vocab()) {
                return bad_field("logit_bias", "token " + to_text(bias.token) + " is not in the vocabulary");
            }
        }
        SLUICE_ASSIGN(std::vector<Token> prompt, tokens_of(model, request.prompt));
        SLUICE_ASSIGN(auto sampler, make_sampler<typename P::Sampler>(request.sampling));
        EngineRequest work{.prompt = std::move(prompt),
                           .options = request.generate,
                           .sampler = std::move(sampler),
                           .top_logprobs = request.top_logprobs};
        work.options.seed = request.seed ? static_cast<std::uint64_t>(*request.seed) : std::random_device()();
        SLUICE_TRY(engine.check(work));
        return work;
    }

    //! Queues the work once for each choice, with one seed after the other; all of it or nothing.
    static Expected<Session::Channels> submit(Engine<P>& engine, const EngineRequest& work, std::size_t choices) {
        const auto monitor = std::make_shared<ChannelSink::Monitor>();
        Session::Channels channels;
        for (std::size_t i = 0; i < choices; ++i) {
            EngineRequest choice = work;
            choice.options.seed += i;
            auto channel = engine.submit(std::move(choice), monitor);
            if (channel.ok()) {
                channels.push_back(std::move(*channel));
                continue;
            }
            for (const auto& earlier : channels) earlier->close();
            return channel.status();
        }
        return channels;
    }

    static Expected<std::vector<Token>> tokens_of(const LoadedModel<P>& model, const openai::Prompt& prompt) {
        if (const auto* chat = std::get_if<openai::Conversation>(&prompt)) {
            return model.chat_prompt(chat->messages, chat->options);
        }
        if (const auto* text = std::get_if<std::string>(&prompt)) return model.text_prompt(*text);
        return std::get<std::vector<Token>>(prompt);
    }

    void answer(const openai::CompletionRequest& request, std::uint64_t seed, const Session::Channels& channels,
                Session::Clock::time_point start, const Request& q, Response& r) {
        const sse::Head head{
            .id = (request.is_chat() ? "chatcmpl-" : "cmpl-") + to_text(started_) + '-' + to_text(++requests_),
            .model = options_.model_name,
            .created = std::time(nullptr),
            .is_chat = request.is_chat(),
            .has_tools = request.has_tools(),
            .include_usage = request.include_usage,
            .choices = channels.size(),
            .seed = seed};
        const auto running = std::make_shared<Session>(channels, start, latencies_);
        Exchange& exchange = *exchange_of(q);
        exchange.note = [running, id = head.id] { return "id=" + id + ' ' + running->summary(); };
        const auto there = [&exchange] { return exchange.connection.is_alive(); };
        if (request.stream) {
            running->wait(there, options_.keep_alive);
            if (const auto error = running->error()) return fail(r, *error);
            r.set_header("Cache-Control", "no-cache");
            set_stream(q, r, "text/event-stream", event_stream(running, head, options_.keep_alive));
            return;
        }
        std::vector<openai::Choice> choices;
        for (std::size_t i = 0; i < head.choices; ++i) choices.emplace_back(head, i);
        if (!running->run(choices, there, options_.keep_alive, [] {})) {
            return refuse(r, 499, Status(Errc::cancelled, "", "the client has left"));  // as nginx logs it
        }
        if (const auto error = running->error()) return fail(r, *error);
        r.set_content(openai::answer_json(head, choices), "application/json");
    }

    const ServiceOptions options_;
    HttpServer* const http_;
    const std::int64_t started_ = std::time(nullptr);
    std::atomic<std::uint64_t> requests_{0};
    std::atomic<Engine<P>*> engine_{nullptr};
    Latencies latencies_;
};

}  // namespace sluice::server
