// SPDX-License-Identifier: Apache-2.0
//! The paths of requests: the parsers alone, and the whole server, from the body of a POST to the sampler.
#include <cstdint>
#include <httplib.h>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>

#include "sluice/contracts/mutants/openai_request_mutants.hpp"
#include "sluice/contracts/openai_request_laws.hpp"
#include "sluice/server/openai.hpp"
#include "sluice/text/chat_template.hpp"
#include "unit/server/served_model.hpp"

using namespace sluice;
using namespace sluice::contracts;
namespace openai = sluice::server::openai;

namespace {

const std::string chat_prompt = R"("messages":[{"role":"user","content":"Hi"}])", text_prompt = R"("prompt":"Hi")";

Expected<AskedFor> asked_for(const Expected<openai::CompletionRequest>& parsed) {
    SLUICE_ASSIGN(const openai::CompletionRequest request, parsed);
    AskedFor asked{.sampling = request.sampling, .generate = request.generate};
    if (request.seed) asked.seed = static_cast<std::uint64_t>(*request.seed);
    if (const auto* chat = std::get_if<openai::Conversation>(&request.prompt)) {
        SLUICE_ASSIGN(asked.prompt, chat::render(chat->messages, chat->options));
    } else {
        asked.prompt = std::get<std::string>(request.prompt);
    }
    return asked;
}

const RequestPath chats = {[](const std::string& body) { return asked_for(openai::parse_chat(body)); }, chat_prompt};
const RequestPath completions = {[](const std::string& body) { return asked_for(openai::parse_completion(body)); },
                                 text_prompt};

//! Keeps what it is told, for the one request that is under way, and fails: an answer that ignores stop tokens would
//! go on otherwise.
class TellingSampler {
public:
    static Expected<TellingSampler> make(const SamplingParams& params) {
        told.sampling = params;
        return TellingSampler();
    }
    Expected<Token> sample(std::span<float>, const SampleContext& context) {
        told.seed = context.seed;
        told.prompt.clear();
        for (const Token token : context.history) told.prompt += to_text(token) + ' ';
        return Status(Errc::unsupported, "sampler", "has been told");
    }
    static inline AskedFor told{.generate = {}};
};
struct Telling : test::Free {
    using Sampler = TellingSampler;
};

//! A server, asked by POST.
class AskedServer {
public:
    AskedServer() : client_(served_.client()) {
        client_.set_keep_alive(true);
        client_.set_tcp_nodelay(true);
    }

    RequestPath path(const std::string& where, const std::string& prompt) {
        return {[this, where](const std::string& body) -> Expected<AskedFor> {
                    const auto response = client_.Post(where, body, "application/json");
                    if (!response) throw CannotBegin("the server does not answer");
                    if (response->body.find("has been told") == std::string::npos) {
                        return Status(Errc::invalid_argument, "body", response->body);
                    }
                    return TellingSampler::told;
                },
                prompt};
    }

private:
    test::ServedModel<Telling> served_;
    httplib::Client client_;
};

}  // namespace

TEST_CASE("openai request laws: the parsers") {
    openai_request_laws("openai::parse_chat", chats);
    openai_request_laws("openai::parse_completion", completions);
}
TEST_CASE("openai request mutants: each is caught by its law") { check_mutants(openai_request_mutants(chats)); }

TEST_CASE("openai request laws: the server, from a POST to the sampler") {
    AskedServer server;
    for (const auto& [where, prompt] :
         {std::pair{"/v1/chat/completions", chat_prompt}, std::pair{"/v1/completions", text_prompt}}) {
        auto laws = openai_request_law_list(server.path(where, prompt));
        for (Law& law : laws) law.cases = 100;  // each waits for a server's threads
        check_laws(std::string("POST ") + where, laws);
    }
}
