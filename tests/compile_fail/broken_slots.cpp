// SPDX-License-Identifier: Apache-2.0
//! A type that does not fit its slot of a pipeline is told by the slot's name: one broken type a slot.
// EXPECT: the Quantization slot does not model sluice::Quantization
// EXPECT: the Shape slot does not model sluice::shape::Shape
// EXPECT: the Executor slot does not model sluice::Executor
// EXPECT: the KvCache slot does not model sluice::KvCache
// EXPECT: the Attention slot does not model sluice::Attention
// EXPECT: the Router slot does not model sluice::Router
// EXPECT: the Experts slot does not model sluice::Experts
// EXPECT: the Tokenizer slot does not model sluice::Tokenizer
// EXPECT: the Sampler slot does not model sluice::Sampler
// EXPECT: the Drafter slot does not model sluice::Drafter
// EXPECT: the sink does not model sluice::StreamSink
#include "sluice/sluice.hpp"

using namespace sluice;
using Usual = Qwen3MoeCpu<quant::Q4_K_M>;

struct NoFormats {};
struct BrokenQuantization : Usual {
    using Quantization = NoFormats;
};
static_assert(check_policies<BrokenQuantization>());

struct LayersAlone {
    static constexpr int layers = 4;
};
struct BrokenShape : Usual {
    using Shape = LayersAlone;
};
static_assert(check_policies<BrokenShape>());

struct NeverRuns {
    static unsigned size() { return 1; }
};
struct BrokenExecutor : Usual {
    using Executor = NeverRuns;
};
static_assert(check_policies<BrokenExecutor>());

struct StoresNothing {
    explicit StoresNothing(const KvCacheShape&) {}
};
struct BrokenKvCache : Usual {
    using KvCache = StoresNothing;
};
static_assert(check_policies<BrokenKvCache>());

struct NeverAttends {
    explicit NeverAttends(const AttentionShape&) {}
};
struct BrokenAttention : Usual {
    using Attention = NeverAttends;
};
static_assert(check_policies<BrokenAttention>());

struct ChoosesNothing {
    void route(std::span<float> logits) const;
};
struct BrokenRouter : Usual {
    using Router = ChoosesNothing;
};
static_assert(check_policies<BrokenRouter>());

struct NeverApplied {
    NeverApplied(const ExpertsShape&, cpu::ActivationForms) {}
};
struct BrokenExperts : Usual {
    using Experts = NeverApplied;
};
static_assert(check_policies<BrokenExperts>());

struct EncodesOnly {
    std::vector<int> encode(const std::string&) const;
};
struct BrokenTokenizer : Usual {
    using Tokenizer = EncodesOnly;
};
static_assert(check_policies<BrokenTokenizer>());

struct CannotFail {
    Token sample(std::span<float> logits, const SampleContext& context);
};
struct BrokenSampler : Usual {
    using Sampler = CannotFail;
};
static_assert(check_policies<BrokenSampler>());

struct NeverRestarts {
    static constexpr std::size_t max_tokens = 1;
    explicit NeverRestarts(std::size_t context);
    std::span<const Token> propose(std::span<const Token> history, std::size_t most);
};
struct BrokenDrafter : Usual {
    using Drafter = NeverRestarts;
};
static_assert(check_policies<BrokenDrafter>());

struct AnswersBool {
    bool on_token(const TokenEvent& event);
};
void generate(Pipeline<Usual>& pipeline, StandardSampler& sampler, AnswersBool& sink) {
    (void)pipeline.generate("Once", {}, sampler, sink);
}
