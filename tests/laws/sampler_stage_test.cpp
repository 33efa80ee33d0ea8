// SPDX-License-Identifier: Apache-2.0
#include "sluice/contracts/mutants/sampler_narrowing_mutants.hpp"
#include "sluice/contracts/mutants/sampler_penalty_mutants.hpp"
#include "sluice/contracts/mutants/token_chooser_mutants.hpp"
#include "sluice/contracts/sampler_narrowing_laws.hpp"
#include "sluice/contracts/sampler_penalty_laws.hpp"
#include "sluice/contracts/token_chooser_laws.hpp"

using namespace sluice;
using namespace sluice::contracts;

TEST_CASE("repetition penalty laws") { repetition_penalty_laws<RepetitionPenalty>("RepetitionPenalty"); }
TEST_CASE("repetition penalty mutants: each is caught by its law") { check_mutants(repetition_penalty_mutants()); }

TEST_CASE("presence and frequency laws") {
    presence_frequency_laws<PresenceFrequencyPenalty>("PresenceFrequencyPenalty");
}
TEST_CASE("presence and frequency mutants: each is caught by its law") { check_mutants(presence_frequency_mutants()); }

TEST_CASE("logit bias laws") { logit_bias_laws<LogitBias>("LogitBias"); }
TEST_CASE("logit bias mutants: each is caught by its law") { check_mutants(logit_bias_mutants()); }

TEST_CASE("temperature laws") { temperature_laws<Temperature>("Temperature"); }
TEST_CASE("temperature mutants: each is caught by its law") { check_mutants(temperature_mutants()); }

TEST_CASE("top-k laws") { top_k_laws<TopK>("TopK"); }
TEST_CASE("top-k mutants: each is caught by its law") { check_mutants(top_k_mutants()); }

TEST_CASE("top-p laws") { top_p_laws<TopP>("TopP"); }
TEST_CASE("top-p mutants: each is caught by its law") { check_mutants(top_p_mutants()); }

TEST_CASE("min-p laws") { min_p_laws<MinP>("MinP"); }
TEST_CASE("min-p mutants: each is caught by its law") { check_mutants(min_p_mutants()); }

TEST_CASE("greedy laws") { greedy_laws<Greedy>("Greedy"); }
TEST_CASE("greedy mutants: each is caught by its law") { check_mutants(greedy_mutants()); }

TEST_CASE("multinomial laws") { multinomial_laws<Multinomial>("Multinomial"); }
TEST_CASE("multinomial mutants: each is caught by its law") { check_mutants(multinomial_mutants()); }

TEST_CASE("chain laws") { chain_laws<Chain>("Chain"); }
TEST_CASE("chain mutants: each is caught by its law") { check_mutants(chain_mutants()); }
