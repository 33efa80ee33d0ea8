// SPDX-License-Identifier: Apache-2.0
#include "sluice/sampler/chain.hpp"

#include <doctest/doctest.h>
#include <vector>

#include "sluice/sampler/greedy.hpp"
#include "sluice/sampler/multinomial.hpp"
#include "sluice/sampler/temperature.hpp"
#include "sluice/sampler/top_k.hpp"
#include "support.hpp"

using namespace sluice;

namespace {

//! A user's own stage: never the same token twice in a row.
struct NoImmediateRepeat {
    Status apply(Candidates& candidates, const SampleContext& context) const {
        if (context.history.empty()) return {};
        return candidates.update(context.history.back(), [](float) { return Candidates::masked; });
    }
};

//! A stage that appends its name to a log, to see the order.
struct Log {
    std::vector<int>* log;
    int name;
    Status apply(Candidates&, const SampleContext&) const {
        log->push_back(name);
        return name < 0 ? Status(Errc::cancelled, "log", "stop here") : Status();
    }
};

}  // namespace

static_assert(SamplerStage<NoImmediateRepeat> && SamplerStage<TopK> && SamplerStage<Temperature>);
static_assert(TokenChooser<Greedy> && TokenChooser<Multinomial> && !TokenChooser<TopK>);
static_assert(Sampler<Chain<Greedy>> && Sampler<Chain<NoImmediateRepeat, Temperature, TopK, Multinomial>>);

TEST_CASE("chain: a user's own stage") {
    auto chain = Chain<NoImmediateRepeat, Greedy>::make({}, {});
    REQUIRE(chain.ok());
    std::vector<Token> history;
    for (const Token expected : {2, 1, 2}) {
        std::vector<float> logits{1.0F, 2.0F, 3.0F};
        const auto token = chain->sample(logits, {.history = history});
        REQUIRE(token.ok());
        CHECK(*token == expected);
        history.push_back(*token);
    }
}

TEST_CASE("chain: stages run in order, and the first error ends the token") {
    std::vector<int> log;
    std::vector<float> logits{1.0F};
    auto chain = Chain<Log, Log, Log, Greedy>::make({&log, 1}, {&log, 2}, {&log, 3}, {});
    REQUIRE(chain->sample(logits, {}).ok());
    CHECK(log == std::vector<int>{1, 2, 3});
    log.clear();
    auto failing = Chain<Log, Log, Log, Greedy>::make({&log, 1}, {&log, -2}, {&log, 3}, {});
    CHECK(failing->sample(logits, {}).status().code() == Errc::cancelled);
    CHECK(log == std::vector<int>{1, -2});
}

TEST_CASE("chain: make reports the first part that is out of range") {
    const auto chain = Chain<Temperature, TopK, Greedy>::make(Temperature(-1.0F), TopK(-1), {});
    REQUIRE_FALSE(chain.ok());
    CHECK(chain.status().where() == "temperature");
}

TEST_CASE("chain: refuses an empty row") {
    auto chain = Chain<Greedy>::make({});
    CHECK(chain->sample({}, {}).status().code() == Errc::invalid_argument);
}
