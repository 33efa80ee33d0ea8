// SPDX-License-Identifier: Apache-2.0
//! A user of one component: the tokens of a text, by a model file's tokenizer.
#include <iostream>

#include "sluice/io/gguf.hpp"
#include "sluice/text/bpe_tokenizer.hpp"

sluice::Status show_tokens(const char* model_file, const char* text) {
    SLUICE_ASSIGN(const auto file, sluice::gguf::File::open(model_file));
    SLUICE_ASSIGN(const auto tokenizer, sluice::BpeTokenizer::from_gguf(file));
    SLUICE_ASSIGN(const auto ids, tokenizer.encode(text, sluice::SpecialTokens::as_text));
    std::cout << ids.size() << " tokens:";
    for (const sluice::Token id : ids) std::cout << ' ' << id;
    std::cout << "\nand back: " << tokenizer.decode(ids) << '\n';
    return {};
}

int main(int, char** argv) {
    const sluice::Status status = show_tokens(argv[1], "Once upon a time, there was a fox.");
    if (!status.ok()) std::cerr << status.message() << '\n';
    return status.ok() ? 0 : 1;
}
