// SPDX-License-Identifier: Apache-2.0
//! A pipeline whatever its policies, so that the laws of pipelines are compiled once and not for each that is put to
//! them.
#pragma once

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/concepts/router.hpp"
#include "sluice/contracts/expect_value.hpp"
#include "sluice/contracts/fakes.hpp"
#include "sluice/core/generation.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/pipeline/pipeline.hpp"
#include "sluice/sampler/standard.hpp"

namespace sluice::contracts {

//! What the laws ask of a pipeline with the standard sampler.
class AnyPipeline {
public:
    using Result = Expected<GenerationResult>;
    using EachLogits = std::function<void(std::size_t, std::span<const float>)>;

    virtual ~AnyPipeline() = default;

    virtual Result generate(std::span<const Token> prompt, const GenerateOptions& options, StandardSampler& sampler,
                            AnySink& sink) = 0;
    virtual Status each_logits(std::span<const Token> tokens, const EachLogits& f) = 0;
    virtual void reset() = 0;

    virtual Expected<std::vector<Token>> text_prompt(std::string_view text) const = 0;
    virtual std::string_view shown(Token token) const = 0;  //!< its text, none of a control token
    virtual std::optional<Token> find_special(std::string_view text) const = 0;
    virtual std::size_t vocab_size() const = 0;
    virtual std::size_t context() const = 0;
    virtual std::size_t threads() const = 0;

    virtual std::size_t held() const = 0;  //!< positions in the cache
    virtual std::size_t rows() const = 0;  //!< that have been computed, up to a constant
};

//! Loads a model into a pipeline, or throws: a law cannot begin without.
using OpenPipeline = std::function<std::unique_ptr<AnyPipeline>(const LoadOptions&)>;

//! The same policies, with a count of the rows that are computed.
template <class P>
struct Counted : P {
    using Router = CountingRouter<typename P::Router>;
};

//! Pipeline<Counted<P>>.
template <class P>
class PipelineOf : public AnyPipeline {
    using Pipe = Pipeline<Counted<P>>;

public:
    explicit PipelineOf(Pipe pipe) : pipe_(std::move(pipe)) {}

    Result generate(std::span<const Token> prompt, const GenerateOptions& options, StandardSampler& sampler,
                    AnySink& sink) override {
        return pipe_.generate(prompt, options, sampler, sink);
    }
    Status each_logits(std::span<const Token> tokens, const EachLogits& f) override {
        return pipe_.each_logits(tokens, f);
    }
    void reset() override { pipe_.reset(); }

    Expected<std::vector<Token>> text_prompt(std::string_view text) const override { return pipe_.text_prompt(text); }
    std::string_view shown(Token token) const override {
        return pipe_.tokenizer().is_control(token) ? std::string_view() : pipe_.tokenizer().piece(token);
    }
    std::optional<Token> find_special(std::string_view text) const override {
        return pipe_.tokenizer().find_special(text);
    }
    std::size_t vocab_size() const override { return pipe_.tokenizer().vocab_size(); }
    std::size_t context() const override { return pipe_.context(); }
    std::size_t threads() const override { return pipe_.threads(); }
    std::size_t held() const override { return pipe_.cache().length(0); }
    std::size_t rows() const override { return Counted<P>::Router::routed / pipe_.hyperparameters().shape.layers; }

private:
    Pipe pipe_;
};

//! Opens a pipeline of these policies on a model file.
template <class P>
OpenPipeline opener(const std::filesystem::path& model) {
    return [model](const LoadOptions& options) {
        return std::make_unique<PipelineOf<P>>(value_or_throw(Pipeline<Counted<P>>::load(model, options)));
    };
}

//! Does all by way of another pipeline: what a faulty one changes it overrides.
class PipelineAround : public AnyPipeline {
public:
    explicit PipelineAround(std::unique_ptr<AnyPipeline> inner) : inner_(std::move(inner)) {}

    Result generate(std::span<const Token> prompt, const GenerateOptions& options, StandardSampler& sampler,
                    AnySink& sink) override {
        return inner_->generate(prompt, options, sampler, sink);
    }
    Status each_logits(std::span<const Token> tokens, const EachLogits& f) override {
        return inner_->each_logits(tokens, f);
    }
    void reset() override { inner_->reset(); }
    Expected<std::vector<Token>> text_prompt(std::string_view text) const override { return inner_->text_prompt(text); }
    std::string_view shown(Token token) const override { return inner_->shown(token); }
    std::optional<Token> find_special(std::string_view text) const override { return inner_->find_special(text); }
    std::size_t vocab_size() const override { return inner_->vocab_size(); }
    std::size_t context() const override { return inner_->context(); }
    std::size_t threads() const override { return inner_->threads(); }
    std::size_t held() const override { return inner_->held(); }
    std::size_t rows() const override { return inner_->rows(); }

protected:
    AnyPipeline& inner() { return *inner_; }

private:
    std::unique_ptr<AnyPipeline> inner_;
};

}  // namespace sluice::contracts
