// SPDX-License-Identifier: Apache-2.0
// A user's own type for every slot, each put into a pipeline and run. docs/add_a_component.md shows these very lines
// (between the [name] marks): the last test compares them.
#include <algorithm>
#include <barrier>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <fstream>
#include <iterator>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/sluice.hpp"

using namespace sluice;

// [quantization]
struct Q4_1 {  // 32 levels 0..15 and a half-precision scale and minimum: value = d * q + m
    static constexpr quant::Format format = quant::Format::Q4_1;
    static constexpr std::string_view name = "Q4_1";
    static constexpr std::size_t block_size = 32;
    using Activation = quant::Q8View<32>;
    using Levels = quant::LevelsWithMin<32, 32>;

    struct Block {
        Half d, m;
        std::uint8_t q[16];
    };

    static Levels unpack(const Block& block) {
        Levels levels{};
        for (std::size_t i = 0; i < 16; ++i) {
            levels.q[i] = static_cast<std::int8_t>(block.q[i] & 15);
            levels.q[i + 16] = static_cast<std::int8_t>(block.q[i] >> 4);
        }
        levels.scale[0] = 1;
        levels.min[0] = 1;
        levels.d = to_float(block.d);
        levels.dmin = -to_float(block.m);
        return levels;
    }
};
struct WithQ4_1 : Qwen3MoeCpu<quant::OneOf<Q4_1, quant::Q4_K, quant::Q6_K, quant::F32>> {};
// [/quantization]

// [shape]
struct StoryShape {
    static constexpr std::size_t layers = 4, hidden = 256, heads = 4, kv_heads = 2, head_dim = 64, experts = 16,
                                 experts_used = 4, expert_ff = 256, vocab = 2048;
};
struct WithStoryShape : Qwen3MoeCpu<quant::Q4_K_M> {
    using Shape = StoryShape;
};
// [/shape]

// [executor]
class ThreadsPerRegion {  // starts its threads anew for every forward pass
public:
    struct Team {
        std::size_t rank_, size_;
        std::barrier<>* barrier_;
        std::size_t rank() const { return rank_; }
        std::size_t size() const { return size_; }
        void barrier() { barrier_->arrive_and_wait(); }
    };
    std::size_t size() const { return 3; }
    template <class Region>
    void run(Region&& region) {
        std::barrier<> barrier(3);
        std::vector<std::thread> threads;
        for (std::size_t rank = 0; rank < 3; ++rank) {
            threads.emplace_back([&, rank] {
                Team team{rank, 3, &barrier};
                region(team);
            });
        }
        for (std::thread& thread : threads) thread.join();
    }
};
struct WithThreadsPerRegion : Qwen3MoeCpu<quant::Q4_K_M> {
    using Executor = ThreadsPerRegion;
};
// [/executor]

// [kvcache]
class OneSequenceCache {  // rows of floats [layer, position, kv_head, head_dim], one sequence only
public:
    struct Handle {
        const float* row;
        template <class V>
        typename V::F32 load(std::size_t i) const {
            return V::load(row + i);
        }
    };
    explicit OneSequenceCache(const KvCacheShape& shape)
        : shape_(shape),
          keys_(shape.layers * shape.capacity * shape.kv_heads * shape.head_dim),
          values_(keys_.size()) {}
    const KvCacheShape& shape() const { return shape_; }
    void write(KvHead head, std::size_t position, const float* key, const float* value) {
        std::copy_n(key, shape_.head_dim, &keys_[at(head, position)]);
        std::copy_n(value, shape_.head_dim, &values_[at(head, position)]);
    }
    Handle key(KvHead head, std::size_t position) const { return {&keys_[at(head, position)]}; }
    Handle value(KvHead head, std::size_t position) const { return {&values_[at(head, position)]}; }
    std::size_t length(std::size_t) const { return length_; }
    void advance(std::size_t, std::size_t length) { length_ = length; }
    void truncate(std::size_t, std::size_t length) { length_ = std::min(length_, length); }

private:
    std::size_t at(KvHead h, std::size_t position) const {
        return ((h.layer * shape_.capacity + position) * shape_.kv_heads + h.kv_head) * shape_.head_dim;
    }
    KvCacheShape shape_;
    std::vector<float> keys_, values_;
    std::size_t length_ = 0;
};
struct WithOneSequenceCache : Qwen3MoeCpu<quant::Q4_K_M> {
    using KvCache = OneSequenceCache;
};
// [/kvcache]

// [attention]
class AverageOfLast {  // every head takes the mean of the last 32 values, whatever the query
public:
    explicit AverageOfLast(const AttentionShape& shape) : s_(shape) {}

    template <Team T, KvCache Cache>
    void attend(T& team, std::span<const Row> rows, std::size_t layer, const float* /*queries*/, const Cache& cache,
                float* output) {
        const Range mine = share(rows.size() * s_.heads, 1, team.rank(), team.size());
        for (std::size_t i = mine.first; i < mine.last; ++i) {
            const Row& row = rows[i / s_.heads];
            const KvHead head{layer, static_cast<std::size_t>(row.sequence), i % s_.heads * s_.kv_heads / s_.heads};
            const std::size_t end = static_cast<std::size_t>(row.position) + 1, begin = end > 32 ? end - 32 : 0;
            using V = simd::Native;
            for (std::size_t e = 0; e < s_.head_dim; e += simd::lanes) {
                auto sum = V::zero();
                for (std::size_t p = begin; p < end; ++p) sum = V::add(sum, cache.value(head, p).template load<V>(e));
                V::store(output + i * s_.head_dim + e, V::div(sum, V::set(static_cast<float>(end - begin))));
            }
        }
    }

private:
    AttentionShape s_;
};
struct WithAverageOfLast : Qwen3MoeCpu<quant::Q4_K_M> {
    using Attention = AverageOfLast;
};
struct WithSlidingWindow : Qwen3MoeCpu<quant::Q4_K_M> {  // or only another view of the past
    using Attention = cpu::SoftmaxAttention<cpu::SlidingWindow<128>>;
};
// [/attention]

// [router]
struct SigmoidRouter {  // independent gates instead of a softmax
    void route(std::span<float> logits, std::span<ExpertChoice> chosen) const {
        for (std::size_t c = 0; c < chosen.size(); ++c) {
            std::size_t best = 0;
            for (std::size_t e = 1; e < logits.size(); ++e) {
                if (logits[e] > logits[best]) best = e;
            }
            chosen[c] = {static_cast<std::int32_t>(best), 1.0F / (1.0F + math::exp(-logits[best]))};
            logits[best] = -INFINITY;
        }
    }
};
struct WithSigmoidRouter : Qwen3MoeCpu<quant::Q4_K_M> {
    using Router = SigmoidRouter;
};
// [/router]

// [experts]
class CountingExperts : public cpu::SwiGluExperts<> {  // the usual ones, with a count of who is chosen
public:
    CountingExperts(const ExpertsShape& shape, cpu::ActivationForms forms)
        : SwiGluExperts(shape, forms), counts_(shape.experts) {}

    template <Quantization Q, Team T>
    void apply(T& team, const ExpertWeights& weights, const cpu::Activations<>& x,
               std::span<const ExpertChoice> choices, float* output) {
        if (team.rank() == 0) {
            for (const ExpertChoice& choice : choices) ++counts_[static_cast<std::size_t>(choice.expert)];
        }
        SwiGluExperts::template apply<Q>(team, weights, x, choices, output);
    }
    const std::vector<std::uint64_t>& counts() const { return counts_; }  // pipeline.forward().experts().counts()

private:
    std::vector<std::uint64_t> counts_;
};
struct WithCountingExperts : Qwen3MoeCpu<quant::Q4_K_M> {
    using Experts = CountingExperts;
};
// [/experts]

// [tokenizer]
class LetterTokenizer {  // the bytes of the file's vocabulary alone, no merges
public:
    static Expected<LetterTokenizer> from_gguf(const gguf::File& file, Normalization normalization) {
        SLUICE_ASSIGN(BpeTokenizer whole, BpeTokenizer::from_gguf(file, normalization));
        return LetterTokenizer(std::move(whole));
    }
    Expected<std::vector<Token>> encode(std::string_view text, SpecialTokens) const {
        std::vector<Token> tokens;
        for (const char letter : text) {
            SLUICE_ASSIGN(const auto one, whole_.encode({&letter, 1}, SpecialTokens::as_text));
            tokens.insert(tokens.end(), one.begin(), one.end());
        }
        return tokens;
    }
    std::string_view piece(Token token) const { return whole_.piece(token); }
    bool is_control(Token token) const { return whole_.is_control(token); }
    std::optional<Token> find_special(std::string_view text) const { return whole_.find_special(text); }
    std::size_t vocab_size() const { return whole_.vocab_size(); }

private:
    explicit LetterTokenizer(BpeTokenizer whole) : whole_(std::move(whole)) {}
    BpeTokenizer whole_;
};
struct WithLetterTokenizer : Qwen3MoeCpu<quant::Q4_K_M> {
    using Tokenizer = LetterTokenizer;
};
// [/tokenizer]

// [sampler]
struct LongestWord {  // among the ten best tokens, the one with the highest id
    Expected<Token> sample(std::span<float> logits, const SampleContext& /*context*/) {
        Token best = -1;
        for (int n = 0; n < 10; ++n) {
            const auto top = std::max_element(logits.begin(), logits.end());
            if (top == logits.end() || !std::isfinite(*top)) break;
            best = std::max(best, static_cast<Token>(top - logits.begin()));
            *top = -INFINITY;
        }
        if (best < 0) return Status(Errc::numeric, "sampler", "no finite logit");
        return best;
    }
};
struct WithLongestWord : Qwen3MoeCpu<quant::Q4_K_M> {
    using Sampler = LongestWord;
};
// [/sampler]

// [drafter]
struct WhatFollowedLast {  // guesses one token: what came after the last token when it was there before
    static constexpr std::size_t max_tokens = 1;
    explicit WhatFollowedLast(std::size_t /*context*/) {}
    static void restart() {}
    static std::span<const Token> propose(std::span<const Token> history, std::size_t most) {
        const auto before = std::find(history.rbegin() + 1, history.rend(), history.back());
        if (before == history.rend() || most == 0) return {};
        return history.subspan(static_cast<std::size_t>(history.rend() - before), 1);
    }
};
struct WithWhatFollowedLast : Qwen3MoeCpu<quant::Q4_K_M> {
    using Drafter = WhatFollowedLast;
};
// [/drafter]

// [streamsink]
struct FirstSentence {  // collects text up to the first full stop
    std::string text;
    Flow on_token(const TokenEvent& event) {
        text += event.text;
        return text.find('.') == text.npos ? Flow::go_on : Flow::stop;
    }
};
// [/streamsink]

namespace {

const std::string model_path = SLUICE_SOURCE_DIR "/samples/models/story-Q4_K_M.gguf";
constexpr std::string_view opening = "Once upon a time, there was a curious fox named Pip. He lived";

template <class P>
typename P::Sampler make_sampler() {
    if constexpr (std::is_same_v<typename P::Sampler, StandardSampler>) {
        return *make_standard_sampler({});
    } else {
        return {};
    }
}

struct WithFloatCache : Qwen3MoeCpu<quant::Q4_K_M> {
    using KvCache = cpu::KvCacheF32;
};

//! The first sentence that a pipeline of these policies adds to the prompt. Then look(pipeline, its result).
template <class P, class Look>
std::string first_sentence(Look look) {
    auto pipeline = Pipeline<P>::load(model_path, {.context = 256});
    REQUIRE_MESSAGE(pipeline.ok(), pipeline.status().message());
    auto sampler = make_sampler<P>();
    FirstSentence sink;
    const auto result = pipeline->generate(opening, {.max_tokens = 60}, sampler, sink);
    REQUIRE_MESSAGE(result.ok(), result.status().message());
    look(*pipeline, *result);
    return sink.text;
}

template <class P>
std::string first_sentence() {
    return first_sentence<P>([](const auto&, const auto&) {});
}

}  // namespace

TEST_CASE("components: types that compute the same leave the text unchanged") {
    const std::string usual = first_sentence<Qwen3MoeCpu<quant::Q4_K_M>>();
    CHECK(usual.ends_with("."));
    CHECK(first_sentence<WithQ4_1>() == usual);
    CHECK(first_sentence<WithStoryShape>() == usual);
    CHECK(first_sentence<WithThreadsPerRegion>() == usual);
    CHECK(first_sentence<WithSlidingWindow>() == usual);
    CHECK(first_sentence<WithCountingExperts>([](const auto& pipeline, const GenerationResult& result) {
              const auto& counts = pipeline.forward().experts().counts();
              const std::uint64_t rows = result.usage.prompt_tokens + result.usage.completion_tokens - 1;
              const auto& shape = pipeline.hyperparameters().shape;
              CHECK(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}) ==
                    rows * shape.layers * shape.experts_used);
          }) == usual);
    CHECK(first_sentence<WithWhatFollowedLast>(
              [](const auto&, const GenerationResult& result) { CHECK(result.drafts.drafted > 0); }) == usual);
    CHECK(first_sentence<WithOneSequenceCache>() == first_sentence<WithFloatCache>());
}

TEST_CASE("components: types that compute something else are heard") {
    const std::string usual = first_sentence<Qwen3MoeCpu<quant::Q4_K_M>>();
    CHECK(first_sentence<WithAverageOfLast>() != usual);
    CHECK(first_sentence<WithSigmoidRouter>() != usual);
    CHECK(first_sentence<WithLetterTokenizer>() != usual);
    CHECK(first_sentence<WithLongestWord>() != usual);
}

TEST_CASE("components: the page shows this file's lines") {
    const auto read = [](const char* path) {
        std::ifstream in(path);
        REQUIRE(in.good());
        return std::string(std::istreambuf_iterator<char>(in), {});
    };
    const std::string code = read(SLUICE_SOURCE_DIR "/tests/unit/pipeline/components_test.cpp");
    const std::string page = read(SLUICE_SOURCE_DIR "/docs/add_a_component.md");
    for (const std::string name : {"quantization", "shape", "executor", "kvcache", "attention", "router", "experts",
                                   "tokenizer", "sampler", "drafter", "streamsink"}) {
        CAPTURE(name);
        const std::string open = "// [" + name + "]\n", close = "// [/" + name + "]\n";
        const std::size_t begin = code.find(open), end = code.find(close);
        REQUIRE(begin != code.npos);
        REQUIRE(end != code.npos);
        const std::string lines = code.substr(begin + open.size(), end - begin - open.size());
        CHECK(page.find("```cpp\n" + lines + "```") != page.npos);
    }
}
