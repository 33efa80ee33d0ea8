// SPDX-License-Identifier: Apache-2.0
//! Text to token ids and back: `tokenize -m FILE < text` prints a JSON array, `tokenize -m FILE --decode` reverses it.
#include <cstddef>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "common/command_line.hpp"
#include "common/files.hpp"
#include "common/options.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/text/vocabulary.hpp"

namespace {

using namespace sluice;

constexpr auto description =
    "Reads text on standard input and prints its token ids as a JSON array, or with --decode the reverse.";

struct Options {
    std::filesystem::path model = samples::embedded_model();
    bool is_nfc = false, has_special = false, is_decode = false;
};

Status decode(const BpeTokenizer& tokenizer, const std::string& json) {
    SLUICE_ASSIGN(const std::vector<Token> ids, samples::parse_ids(json));
    for (const Token id : ids) {
        if (!tokenizer.type(id)) {
            return Status(Errc::invalid_argument, "token " + std::to_string(id), "is not in the vocabulary",
                          "ids are 0 to " + std::to_string(tokenizer.vocab_size() - 1));
        }
    }
    std::cout << tokenizer.decode(ids);
    return {};
}

Status encode(const BpeTokenizer& tokenizer, const std::string& text, SpecialTokens special) {
    SLUICE_ASSIGN(const std::vector<Token> ids, tokenizer.encode(text, special));
    std::cout << '[';
    for (std::size_t i = 0; i < ids.size(); ++i) std::cout << (i == 0 ? "" : ",") << ids[i];
    std::cout << "]\n";
    return {};
}

Status tokenize(const Options& o) {
    SLUICE_ASSIGN(const gguf::File file, gguf::File::open(o.model));
    SLUICE_ASSIGN(const BpeTokenizer tokenizer,
                  BpeTokenizer::from_gguf(file, o.is_nfc ? Normalization::nfc : Normalization::none));
    SLUICE_ASSIGN(const std::string input, samples::read_file("-"));
    if (o.is_decode) return decode(tokenizer, input);
    return encode(tokenizer, input, o.has_special ? SpecialTokens::parse : SpecialTokens::as_text);
}

}  // namespace

int main(int argc, char** argv) {
    Options o;
    samples::CommandLine flags("tokenize", description);
    flags.add("-m,--model", o.model, "a GGUF file with a tokenizer; without it, the embedded story model");
    flags.add("--nfc", o.is_nfc, "normalize the text to NFC first, as Hugging Face does and llama.cpp does not");
    flags.add("--special", o.has_special, "read <|im_end|> and its like as special tokens, not as text");
    flags.add("--decode", o.is_decode, "read a JSON array of ids and print their text");
    if (const auto code = flags.parse(argc, argv)) return *code;
    return flags.exit_code(tokenize(o));
}
