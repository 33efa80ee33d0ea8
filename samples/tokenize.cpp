// SPDX-License-Identifier: Apache-2.0
//! Text to token ids and back: `tokenize -m FILE < text` prints a JSON array, `tokenize -m FILE --decode` reverses it.
#include <charconv>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/io/gguf.hpp"
#include "sluice/text/from_gguf.hpp"

using namespace sluice;

namespace {

constexpr const char* usage =
    "usage: tokenize -m FILE [--nfc] [--special] [--decode]\n"
    "Reads text on standard input and prints its token ids as a JSON array.\n"
    "  -m FILE    GGUF file that holds the tokenizer\n"
    "  --nfc      normalize the text to NFC first, as Hugging Face does (llama.cpp does not)\n"
    "  --special  read <|im_end|> and its like as special tokens, not as text\n"
    "  --decode   read a JSON array of ids and print their text\n";

struct Arguments {
    std::string model;
    Normalization normalization = Normalization::none;
    SpecialTokens special = SpecialTokens::as_text;
    bool decode = false;
    bool help = false;
};

Expected<Arguments> parse(const std::vector<std::string_view>& words) {
    const auto refuse = [](std::string_view flag, std::string what) {
        return Status(Errc::invalid_argument, std::string(flag), std::move(what), "see tokenize --help");
    };
    Arguments arguments;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i] == "-m") {
            if (++i == words.size()) return refuse("-m", "needs a file");
            arguments.model = words[i];
        } else if (words[i] == "--nfc") {
            arguments.normalization = Normalization::nfc;
        } else if (words[i] == "--special") {
            arguments.special = SpecialTokens::parse;
        } else if (words[i] == "--decode") {
            arguments.decode = true;
        } else if (words[i] == "--help" || words[i] == "-h") {
            arguments.help = true;
        } else {
            return refuse(words[i], "is not a flag of this program");
        }
    }
    if (arguments.model.empty() && !arguments.help) return refuse("-m", "is missing");
    return arguments;
}

//! The whole numbers of a JSON array.
Expected<std::vector<Token>> read_ids(std::string_view json) {
    const auto refuse = [&](std::size_t at) {
        return Status(Errc::invalid_argument, "standard input, byte " + std::to_string(at),
                      "this is not a JSON array of token ids", "give one such as [9707, 11]");
    };
    std::size_t at = 0;
    const auto next = [&] {  // the next character that is not white space, or '\0' at the end
        at = std::min(json.find_first_not_of(" \t\r\n", at), json.size());
        return at < json.size() ? json[at] : '\0';
    };
    std::vector<Token> ids;
    if (next() != '[') return refuse(at);
    ++at;
    if (next() == ']') return ++at, next() == '\0' ? Expected(ids) : refuse(at);
    while (true) {
        next();
        const auto [end, error] = std::from_chars(json.data() + at, json.data() + json.size(), ids.emplace_back());
        if (error != std::errc()) return refuse(at);
        at = static_cast<std::size_t>(end - json.data());
        const char separator = next();
        if (separator != ',' && separator != ']') return refuse(at);
        ++at;
        if (separator == ']') return next() == '\0' ? Expected(ids) : refuse(at);
    }
}

Status run(const Arguments& arguments) {
    SLUICE_ASSIGN(const gguf::File file, gguf::File::open(arguments.model));
    SLUICE_ASSIGN(const BpeTokenizer tokenizer, bpe_tokenizer(file, arguments.normalization));
    const std::string input(std::istreambuf_iterator<char>(std::cin), {});
    if (arguments.decode) {
        SLUICE_ASSIGN(const std::vector<Token> ids, read_ids(input));
        for (const Token id : ids) {
            if (!tokenizer.type(id)) {
                return Status(Errc::invalid_argument, "token " + std::to_string(id), "is not in the vocabulary",
                              "ids are 0 to " + std::to_string(tokenizer.vocab_size() - 1));
            }
        }
        std::cout << tokenizer.decode(ids);
        return {};
    }
    SLUICE_ASSIGN(const std::vector<Token> ids, tokenizer.encode(input, arguments.special));
    std::cout << '[';
    for (std::size_t i = 0; i < ids.size(); ++i) std::cout << (i == 0 ? "" : ",") << ids[i];
    std::cout << "]\n";
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    std::ios::sync_with_stdio(false);
    const auto arguments = parse({argv + 1, argv + argc});
    if (!arguments.ok()) {
        std::cerr << "tokenize: " << arguments.status().message() << '\n';
        return 2;
    }
    if (arguments->help) {
        std::cout << usage;
        return 0;
    }
    if (const Status status = run(*arguments); !status.ok()) {
        std::cerr << "tokenize: " << status.message() << '\n';
        return 1;
    }
    return std::cout.flush() ? 0 : 1;
}
