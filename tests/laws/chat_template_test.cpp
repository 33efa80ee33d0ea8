// SPDX-License-Identifier: Apache-2.0
#include "sluice/text/chat_template.hpp"

#include <string>

#include "sluice/contracts/chat_template_laws.hpp"
#include "sluice/contracts/mutants/chat_template_mutants.hpp"
#include "sluice/io/gguf.hpp"

using namespace sluice;
using namespace sluice::contracts;

namespace {

//! From the file of Qwen3's vocabulary.
std::string real_template() {
    const auto file = value_or_throw(gguf::File::open(SLUICE_SOURCE_DIR "/tests/golden/qwen3-vocab.gguf"));
    return value_or_throw(file.get<std::string>("tokenizer.chat_template"));
}

}  // namespace

TEST_CASE("chat template laws") { chat_template_laws<BuiltInTemplate>("the built-in template"); }
TEST_CASE("chat template mutants: each is caught by its law") { check_mutants(chat_template_mutants()); }

TEST_CASE("template fit laws") { template_fit_laws("chat::template_fit", chat::template_fit, real_template()); }
TEST_CASE("template fit mutants: each is caught by its law") { check_mutants(template_fit_mutants(real_template())); }
