// SPDX-License-Identifier: Apache-2.0
//! Chat templates that are wrong in one way each.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/concepts/tokenizer.hpp"
#include "sluice/contracts/chat_template_laws.hpp"
#include "sluice/contracts/mutant.hpp"
#include "sluice/core/types.hpp"
#include "sluice/text/chat_template.hpp"

namespace sluice::contracts {

namespace mutants {

using Messages = std::vector<chat::Message>;
using PromptText = Expected<std::string>;
using PromptTokens = Expected<std::vector<Token>>;

//! The built-in template, after a change of the conversation.
template <class Change>
struct ChangedTemplate {
    static PromptText render(Messages messages, chat::Options options) {
        Change()(messages, options);
        return chat::render(messages, options);
    }
    template <Tokenizer T>
    static PromptTokens encode(const T& tokenizer, Messages messages, chat::Options options) {
        Change()(messages, options);
        return chat::encode(tokenizer, messages, options);
    }
};

struct WithoutSystem {
    void operator()(Messages& messages, chat::Options&) const {
        if (messages.size() > 1 && messages[0].role == chat::Role::system) messages.erase(messages.begin());
    }
};
struct SystemLast {
    void operator()(Messages& messages, chat::Options&) const {
        if (messages.size() > 1 && messages[0].role == chat::Role::system) {
            std::rotate(messages.begin(), messages.begin() + 1, messages.end());
        }
    }
};
struct TrimmedContents {
    void operator()(Messages& messages, chat::Options&) const {
        for (chat::Message& message : messages) message.content.erase(0, message.content.find_first_not_of(" \n"));
    }
};
struct AllReasoningKept {
    void operator()(Messages& messages, chat::Options&) const {
        for (chat::Message& message : messages) {
            if (message.reasoning) message.content.insert(0, *message.reasoning + "\n\n");
        }
    }
};
struct ReasoningForgotten {
    void operator()(Messages& messages, chat::Options&) const {
        for (chat::Message& message : messages) message.reasoning.reset();
    }
};
struct ThinkingAlways {
    void operator()(Messages&, chat::Options& options) const { options.enable_thinking = true; }
};
struct OpenAlways {
    void operator()(Messages&, chat::Options& options) const { options.add_generation_prompt = true; }
};
struct GreetingForNothing {
    void operator()(Messages& messages, chat::Options&) const {
        if (messages.empty()) messages.push_back({chat::Role::user, "Hello!"});
    }
};

//! Parses the whole prompt for special tokens.
struct TemplateParsingPrompt : BuiltInTemplate {
    template <Tokenizer T>
    static PromptTokens encode(const T& tokenizer, const Messages& messages, const chat::Options& options) {
        SLUICE_ASSIGN(const std::string prompt, chat::render(messages, options));
        return tokenizer.encode(prompt, SpecialTokens::parse);
    }
};

//! Closes the answer that it opened.
struct TemplateClosingAnswer : BuiltInTemplate {
    static PromptText render(const Messages& messages, const chat::Options& options) {
        SLUICE_ASSIGN(const std::string prompt, chat::render(messages, options));
        return options.add_generation_prompt ? prompt + "<|im_end|>\n" : prompt;
    }
};

//! Its tokens lack the line break behind a turn.
struct TemplateLosingLineBreak : BuiltInTemplate {
    template <Tokenizer T>
    static PromptTokens encode(const T& tokenizer, const Messages& messages, const chat::Options& options) {
        auto tokens = chat::encode(tokenizer, messages, options);
        if (!tokens.ok()) return tokens;
        const auto end = std::find(tokens->begin(), tokens->end(), *tokenizer.find_special("<|im_end|>"));
        tokens->erase(end + 1);
        return tokens;
    }
};

}  // namespace mutants

template <class C>
Mutant chat_template_mutant(std::string_view name, std::string_view law) {
    return {std::string(name), law, chat_template_law_list<C>()};
}

inline std::vector<Mutant> chat_template_mutants() {
    using namespace mutants;
    const auto order = "chat_template.turns_in_order", open = "chat_template.answer_left_open";
    return {
        chat_template_mutant<TemplateParsingPrompt>("parses special tokens of messages", "chat_template.no_injection"),
        chat_template_mutant<TemplateLosingLineBreak>("loses a line break among the tokens",
                                                      "chat_template.tokens_are_the_text"),
        chat_template_mutant<ChangedTemplate<WithoutSystem>>("forgets the system message", order),
        chat_template_mutant<ChangedTemplate<SystemLast>>("puts the system message last", order),
        chat_template_mutant<ChangedTemplate<TrimmedContents>>("trims what is said", order),
        chat_template_mutant<ChangedTemplate<AllReasoningKept>>("keeps the reasoning of old answers", order),
        chat_template_mutant<TemplateClosingAnswer>("closes the answer that it opened", open),
        chat_template_mutant<ChangedTemplate<OpenAlways>>("opens an answer always", open),
        chat_template_mutant<ChangedTemplate<ThinkingAlways>>("thinks always", "chat_template.empty_think_block"),
        chat_template_mutant<ChangedTemplate<ReasoningForgotten>>("forgets the reasoning of the last answer",
                                                                  "chat_template.think_block_of_last_answer"),
        chat_template_mutant<ChangedTemplate<GreetingForNothing>>("greets for want of messages",
                                                                  "chat_template.no_messages_is_error"),
    };
}

//! `real` is the template that chat::template_fit knows.
inline std::vector<Mutant> template_fit_mutants(const std::string& real) {
    const auto by_length = [real](std::string_view jinja) {
        return jinja.size() >= real.size() ? chat::TemplateFit::same : chat::template_fit(jinja);
    };
    const auto to_the_byte = [real](std::string_view jinja) {
        return jinja == real ? chat::TemplateFit::same : chat::TemplateFit::similar;
    };
    const auto known = "template_fit.knows_the_real_one", apart = "template_fit.tells_others_apart";
    return {
        {"knows a template by its length", apart, template_fit_law_list(by_length, real)},
        {"heeds white space at the end", known, template_fit_law_list(to_the_byte, real)},
    };
}

}  // namespace sluice::contracts
