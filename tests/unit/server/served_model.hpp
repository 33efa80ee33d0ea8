// SPDX-License-Identifier: Apache-2.0
//! The server in front of a tiny model, on a free port of this machine.
#pragma once

#include <cstddef>
#include <doctest/doctest.h>
#include <httplib.h>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/server/service.hpp"
#include "unit/server/tiny_engine.hpp"

namespace sluice::test {

using server::Json;

inline const std::string chats = "/v1/chat/completions", completions = "/v1/completions";

//! The service of a tiny model that knows chats, on a free port.
template <class P>
class ServedModel {
public:
    explicit ServedModel(server::ServiceOptions options = {}, std::size_t slots = 3, std::size_t queue = 64,
                         const server::HttpLimits& limits = {})
        : http_(limits) {
        const TempFolder folder;
        auto draft = odd_model.draft();
        draft.set("tokenizer.chat_template", std::string("<|im_start|><|im_end|>"));
        write_file(folder / "tiny.gguf", draft.bytes());
        auto model = LoadedModel<P>::load(folder / "tiny.gguf", {.context = 1024}, slots);
        REQUIRE_MESSAGE(model.ok(), model.status().message());
        engine_ = std::make_unique<server::Engine<P>>(std::move(*model), server::EngineOptions{.queue = queue});
        options.model_name = "tiny";
        service_ = std::make_unique<server::Service<P>>(http_, std::move(options));
        service_->ready(*engine_);
        port_ = http_.bind("127.0.0.1", 0);
        REQUIRE(port_ > 0);
        listener_ = std::thread([this] { http_.listen_after_bind(); });
        while (!http_.is_running()) std::this_thread::yield();
    }
    ~ServedModel() {
        gate.open();
        http_.stop();
        listener_.join();
    }
    ServedModel(const ServedModel&) = delete;
    ServedModel& operator=(const ServedModel&) = delete;

    httplib::Client client() const {
        httplib::Client client("127.0.0.1", port_);
        client.set_read_timeout(60);
        return client;
    }
    httplib::Response post(const std::string& path, const Json& body) const {
        auto response = client().Post(path, body.dump(), "application/json");
        REQUIRE(response);
        return response.value();
    }
    Json answer(const std::string& path, const Json& body) const {
        const httplib::Response response = post(path, body);
        REQUIRE_MESSAGE(response.status == 200, response.body);
        return Json::parse(response.body);
    }
    //! The chunks of a stream, which must end with [DONE].
    std::vector<Json> chunks(const std::string& path, Json body) const {
        body["stream"] = true;
        std::string text = post(path, body).body;
        INFO(text);
        REQUIRE(text.ends_with(sse::done));
        text.resize(text.size() - sse::done.size());
        std::vector<Json> chunks;
        for (std::size_t at = 0, end = 0; (end = text.find("\n\n", at)) != text.npos; at = end + 2) {
            chunks.push_back(Json::parse(text.substr(at + 6, end - at - 6)));
        }
        return chunks;
    }
    server::Engine<P>& engine() { return *engine_; }
    int port() const { return port_; }

private:
    std::unique_ptr<server::Engine<P>> engine_;
    server::HttpServer http_;
    std::unique_ptr<server::Service<P>> service_;
    int port_ = 0;
    std::thread listener_;
};

}  // namespace sluice::test
