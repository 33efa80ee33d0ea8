// SPDX-License-Identifier: Apache-2.0
//! Policy bundles: the types that a Pipeline is put together from.
#pragma once

#include <utility>

#include "sluice/concepts/attention.hpp"
#include "sluice/concepts/drafter.hpp"
#include "sluice/concepts/executor.hpp"
#include "sluice/concepts/experts.hpp"
#include "sluice/concepts/kv_cache.hpp"
#include "sluice/concepts/quantization.hpp"
#include "sluice/concepts/router.hpp"
#include "sluice/concepts/sampler.hpp"
#include "sluice/concepts/tokenizer.hpp"
#include "sluice/cpu/attention.hpp"
#include "sluice/cpu/executor.hpp"
#include "sluice/cpu/experts.hpp"
#include "sluice/cpu/kv_cache.hpp"
#include "sluice/cpu/router.hpp"
#include "sluice/draft/none.hpp"
#include "sluice/model/forward.hpp"
#include "sluice/model/shape.hpp"
#include "sluice/quant/sets.hpp"
#include "sluice/sampler/standard.hpp"
#include "sluice/text/bpe_tokenizer.hpp"

namespace sluice {

//! The slots that model::Forward reads, and no others: bundles that differ elsewhere, in how they sample say, share its
//! type, and so its machine code.
template <class Q, class S, class C, class A, class R, class X>
struct ComputeSlots {
    using Quantization = Q;
    using Shape = S;
    using KvCache = C;
    using Attention = A;
    using Router = R;
    using Experts = X;
};
//! Those of the bundle P.
template <class P>
using ComputeOf = ComputeSlots<typename P::Quantization, typename P::Shape, typename P::KvCache, typename P::Attention,
                               typename P::Router, typename P::Experts>;

//! Qwen3-MoE on CPU threads, for weights in the formats of Q. Replace a part by deriving from it:
//!
//!     struct Mine : Qwen3MoeCpu<quant::Q4_K_M> { using Router = MyRouter; };
template <class Q = quant::Any>
struct Qwen3MoeCpu {
    using Quantization = Q;
    using Shape = shape::Dynamic;
    using Executor = cpu::ThreadPool;
    using KvCache = cpu::KvCacheF16;
    using Attention = cpu::SoftmaxAttention<>;
    using Router = cpu::SoftmaxTopKRouter<>;
    using Experts = cpu::SwiGluExperts<>;
    using Tokenizer = BpeTokenizer;
    using Sampler = StandardSampler;
    using Drafter = draft::None;

    //! The machine that computes. model::Forward is the CPU; it puts together the ComputeSlots.
    template <class P>
    using Forward = model::Forward<ComputeOf<P>>;
};

//! True, or a compile error that names the slot, the concept its type must model, and the page that explains it.
template <class P>
consteval bool check_policies() {
    static_assert(Quantization<typename P::Quantization>,
                  "Pipeline: the Quantization slot does not model sluice::Quantization; "
                  "see docs/add_a_component.md#quantization");
    static_assert(shape::Shape<typename P::Shape>,
                  "Pipeline: the Shape slot does not model sluice::shape::Shape; see docs/add_a_component.md#shape");
    if constexpr (model::is_cpu_forward<typename P::template Forward<P>>) {
        static_assert(
            Executor<typename P::Executor>,
            "Pipeline: the Executor slot does not model sluice::Executor; see docs/add_a_component.md#executor");
        static_assert(KvCache<typename P::KvCache>,
                      "Pipeline: the KvCache slot does not model sluice::KvCache; see docs/add_a_component.md#kvcache");
        static_assert(Attention<typename P::Attention, typename P::KvCache>,
                      "Pipeline: the Attention slot does not model sluice::Attention; "
                      "see docs/add_a_component.md#attention");
        static_assert(Router<typename P::Router>,
                      "Pipeline: the Router slot does not model sluice::Router; see docs/add_a_component.md#router");
        static_assert(Experts<typename P::Experts, typename P::Quantization>,
                      "Pipeline: the Experts slot does not model sluice::Experts; see docs/add_a_component.md#experts");
    }
    static_assert(Tokenizer<typename P::Tokenizer>,
                  "Pipeline: the Tokenizer slot does not model sluice::Tokenizer; "
                  "see docs/add_a_component.md#tokenizer");
    using LogitsRow = decltype(std::declval<typename P::template Forward<P>::Logits&>().row(0));
    static_assert(Sampler<typename P::Sampler, LogitsRow>,
                  "Pipeline: the Sampler slot does not model sluice::Sampler; see docs/add_a_component.md#sampler");
    static_assert(Drafter<typename P::Drafter>,
                  "Pipeline: the Drafter slot does not model sluice::Drafter; see docs/add_a_component.md#drafter");
    return true;
}

}  // namespace sluice
