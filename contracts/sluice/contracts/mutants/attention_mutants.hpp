// SPDX-License-Identifier: Apache-2.0
//! Attentions that are wrong in one way each.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/concepts/attention.hpp"
#include "sluice/contracts/attention_laws.hpp"
#include "sluice/contracts/mutant.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cpu/attention.hpp"

namespace sluice::contracts {

namespace mutants {

//! What a Mutation may change before the true attention is asked: a copy of its arguments.
struct AttentionCall {
    const AttentionShape& shape;
    std::vector<Row> rows;
    std::size_t layer;
    std::vector<float> queries;
};

//! The true attention, between a change of what it is given and a change of what it has made; a Mutation has one of the
//! two, or both.
template <class Mutation>
class MutantAttention {
public:
    explicit MutantAttention(const AttentionShape& shape) : shape_(shape), true_(shape), mutation_{} {}

    template <Team T, KvCache Cache>
    void attend(T& team, std::span<const Row> rows, std::size_t layer, const float* queries, const Cache& cache,
                float* output) {
        const std::size_t size = rows.size() * shape_.heads * shape_.head_dim;
        AttentionCall call{shape_, {rows.begin(), rows.end()}, layer, {queries, queries + size}};
        if constexpr (requires { mutation_.before(call); }) mutation_.before(call);
        const std::vector<float> held(output, output + size);
        team.barrier();
        true_.attend(team, call.rows, call.layer, call.queries.data(), cache, output);
        team.barrier();
        if constexpr (requires { mutation_.after(shape_, team.size(), held, output); }) {
            if (team.rank() == 0) mutation_.after(shape_, team.size(), held, output);
        }
    }

private:
    AttentionShape shape_;
    cpu::SoftmaxAttention<> true_;
    Mutation mutation_;
};

struct SeesNextPosition {
    void before(AttentionCall& call) const {
        for (Row& row : call.rows) {
            row.position = std::min(row.position + 1, static_cast<std::int32_t>(call.shape.capacity) - 1);
        }
    }
};

struct OverlooksItself {
    void before(AttentionCall& call) const {
        for (Row& row : call.rows) row.position = std::max(row.position - 1, 0);
    }
};

struct ReadsFirstSequence {
    void before(AttentionCall& call) const {
        for (Row& row : call.rows) row.sequence = 0;
    }
};

struct ReadsFirstLayer {
    void before(AttentionCall& call) const { call.layer = 0; }
};

struct ForgetsScale {
    void before(AttentionCall& call) const {
        for (float& q : call.queries) q *= std::sqrt(static_cast<float>(call.shape.head_dim));
    }
};

struct ScalesByHeadDim {
    void before(AttentionCall& call) const {
        for (float& q : call.queries) q /= std::sqrt(static_cast<float>(call.shape.head_dim));
    }
};

struct TakesFirstRowsPosition {
    void before(AttentionCall& call) const {
        for (Row& row : call.rows) row.position = call.rows[0].position;
    }
};

//! Head h reads key/value head h % kv_heads.
struct DealsHeadsOut {
    void before(AttentionCall& call) const {
        std::vector<float> dealt = call.queries;
        for_each_head(call.shape, dealt.size(), [&](std::size_t head, std::size_t slot) {
            std::copy_n(&call.queries[head], call.shape.head_dim, &dealt[slot]);
        });
        call.queries = dealt;
    }
    void after(const AttentionShape& shape, std::size_t, const std::vector<float>& held, float* output) const {
        const std::vector<float> dealt(output, output + held.size());
        for_each_head(shape, held.size(), [&](std::size_t head, std::size_t slot) {
            std::copy_n(&dealt[slot], shape.head_dim, output + head);
        });
    }

private:
    //! f(where a head is, where the true attention has one of the key/value head that it is to read).
    template <class F>
    static void for_each_head(const AttentionShape& shape, std::size_t size, F f) {
        for (std::size_t i = 0; i < size / shape.head_dim; ++i) {
            const std::size_t row = i / shape.heads, h = i % shape.heads;
            const std::size_t slot = h % shape.kv_heads * (shape.heads / shape.kv_heads) + h / shape.kv_heads;
            f(i * shape.head_dim, (row * shape.heads + slot) * shape.head_dim);
        }
    }
};

struct LosesPartOfTeam {
    void after(const AttentionShape&, std::size_t members, const std::vector<float>& held, float* output) const {
        if (members > 1) output[held.size() - 1] = 0.0F;
    }
};

struct AddsToHeld {
    void after(const AttentionShape&, std::size_t, const std::vector<float>& held, float* output) const {
        for (std::size_t i = 0; i < held.size(); ++i) output[i] += held[i];
    }
};

struct KeepsFormerResult {
    void after(const AttentionShape&, std::size_t, const std::vector<float>& held, float* output) {
        const float now = output[0];
        if (!former.empty()) output[0] += 1e-3F * former[0];
        former.assign(held.size(), now);
    }
    std::vector<float> former;
};

//! Attention as it is defined, on rank 0 alone; Rule turns a head's scores into weights.
template <class Rule>
class NaiveAttention {
public:
    explicit NaiveAttention(const AttentionShape& shape) : shape_(shape) {}

    template <Team T, KvCache Cache>
    void attend(T& team, std::span<const Row> rows, std::size_t layer, const float* queries, const Cache& cache,
                float* output) {
        if (team.rank() != 0) return;
        for (std::size_t i = 0; i < rows.size() * shape_.heads; ++i) {
            const Row& row = rows[i / shape_.heads];
            const std::size_t group = shape_.heads / shape_.kv_heads, d = shape_.head_dim;
            const KvHead head{layer, static_cast<std::size_t>(row.sequence), i % shape_.heads / group};
            std::vector<float> weights;
            for (std::size_t p = 0; p <= static_cast<std::size_t>(row.position); ++p) {
                const std::vector<float> key = detail::load(cache.key(head, p), d);
                float score = 0.0F;
                for (std::size_t e = 0; e < d; ++e) score += queries[i * d + e] * key[e];
                weights.push_back(score / std::sqrt(static_cast<float>(d)));
            }
            Rule::weigh(weights);
            std::fill_n(output + i * d, d, 0.0F);
            for (std::size_t p = 0; p < weights.size(); ++p) {
                const std::vector<float> value = detail::load(cache.value(head, p), d);
                for (std::size_t e = 0; e < d; ++e) output[i * d + e] += weights[p] * value[e];
            }
        }
    }

    //! e^(score - maximum), divided by their sum and `more`.
    static void softmax(std::vector<float>& scores, float maximum, float more) {
        float sum = more;
        for (float& x : scores) sum += x = std::exp(x - maximum);
        for (float& x : scores) x /= sum;
    }

private:
    AttentionShape shape_;
};

struct WithoutMaximum : NaiveAttention<WithoutMaximum> {
    using NaiveAttention::NaiveAttention;
    static void weigh(std::vector<float>& scores) { softmax(scores, 0.0F, 0.0F); }
};

struct WeighsAllAlike : NaiveAttention<WeighsAllAlike> {
    using NaiveAttention::NaiveAttention;
    static void weigh(std::vector<float>& scores) {
        std::fill(scores.begin(), scores.end(), 1.0F / static_cast<float>(scores.size()));
    }
};

struct ForgetsToDivide : NaiveAttention<ForgetsToDivide> {
    using NaiveAttention::NaiveAttention;
    static void weigh(std::vector<float>& scores) {
        const float maximum = *std::max_element(scores.begin(), scores.end());
        for (float& x : scores) x = std::exp(x - maximum);
    }
};

struct AttendsToNothing : NaiveAttention<AttendsToNothing> {
    using NaiveAttention::NaiveAttention;
    static void weigh(std::vector<float>& scores) {
        const float maximum = *std::max_element(scores.begin(), scores.end());
        softmax(scores, maximum, 1e-3F);
    }
};

}  // namespace mutants

template <class A>
Mutant attention_mutant(std::string_view name, std::string_view law, std::size_t window = all_positions) {
    return {std::string(name), law, attention_law_list<A>(window)};
}

inline std::vector<Mutant> attention_mutants() {
    using namespace mutants;
    using Window = cpu::SoftmaxAttention<cpu::SlidingWindow<5>>;
    const auto visible = "attention.sees_only_what_is_visible", softmax = "attention.softmax_of_scaled_scores",
               stays = "attention.nothing_stays";
    return {
        attention_mutant<MutantAttention<SeesNextPosition>>("sees the next position", visible),
        attention_mutant<Window>("has a window one too long", visible, 4),
        attention_mutant<cpu::SoftmaxAttention<>>("ignores the window", visible, 5),
        attention_mutant<MutantAttention<ReadsFirstSequence>>("reads the first sequence always", visible),
        attention_mutant<MutantAttention<ReadsFirstLayer>>("reads the first layer always", visible),
        attention_mutant<Window>("has a window one too short", softmax, 6),
        attention_mutant<MutantAttention<OverlooksItself>>("overlooks the row's own position", softmax),
        attention_mutant<MutantAttention<ForgetsScale>>("forgets the scale", softmax),
        attention_mutant<MutantAttention<ScalesByHeadDim>>("divides by head_dim, not its root", softmax),
        attention_mutant<WeighsAllAlike>("weighs all positions alike", softmax),
        attention_mutant<MutantAttention<TakesFirstRowsPosition>>("gives all rows the first one's position",
                                                                  "attention.row_alone"),
        attention_mutant<MutantAttention<LosesPartOfTeam>>("loses a part where there are several threads",
                                                           "attention.any_team"),
        attention_mutant<MutantAttention<AddsToHeld>>("adds to what the output held", stays),
        attention_mutant<MutantAttention<KeepsFormerResult>>("keeps a part of its former result", stays),
        attention_mutant<ForgetsToDivide>("forgets to divide by the sum", "attention.weights_sum_to_one"),
        attention_mutant<AttendsToNothing>("attends to nothing a little", "attention.first_position_gives_its_value"),
        attention_mutant<MutantAttention<DealsHeadsOut>>("deals the heads out in turn",
                                                         "attention.heads_share_in_groups"),
        attention_mutant<WithoutMaximum>("does not subtract the maximum", "attention.extreme_scores"),
    };
}

}  // namespace sluice::contracts
