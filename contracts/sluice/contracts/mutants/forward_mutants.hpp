// SPDX-License-Identifier: Apache-2.0
//! Forward passes that are wrong in one way each: on a model in which a part is not what the file says, with a faulty
//! router, or asked in a wrong way.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/contracts/forward_laws.hpp"
#include "sluice/contracts/mutant.hpp"
#include "sluice/contracts/mutants/kv_cache_mutants.hpp"
#include "sluice/core/types.hpp"
#include "sluice/cpu/kv_cache.hpp"
#include "sluice/cpu/router.hpp"
#include "sluice/pipeline/policies.hpp"
#include "sluice/quant/sets.hpp"

namespace sluice::contracts {

namespace mutants {

struct TrueForwardPolicies : Qwen3MoeCpu<quant::Any> {
    using KvCache = cpu::KvCacheF32;
};

enum class ExpertFault { none, drops_top, takes_neighbours, weighs_alike };

//! A router with the fault that was set last.
class FaultyRouter {
public:
    static inline ExpertFault next_fault = ExpertFault::none;

    void route(std::span<float> logits, std::span<ExpertChoice> chosen) const {
        if (fault_ == ExpertFault::drops_top) {
            *std::max_element(logits.begin(), logits.end()) = std::numeric_limits<float>::lowest();
        }
        cpu::SoftmaxTopKRouter<>().route(logits, chosen);
        for (ExpertChoice& choice : chosen) {
            const auto experts = static_cast<std::int32_t>(logits.size());
            if (fault_ == ExpertFault::takes_neighbours) choice.expert = (choice.expert + 1) % experts;
            if (fault_ == ExpertFault::weighs_alike) choice.weight = 1.0F / static_cast<float>(chosen.size());
        }
    }

private:
    ExpertFault fault_ = next_fault;
};
struct WithFaultyRouter : TrueForwardPolicies {
    using Router = FaultyRouter;
};

struct WithLastLayersLength : TrueForwardPolicies {
    using KvCache = AdvancesLastLayer;
};

//! What a forward pass is asked to compute.
struct Batch {
    std::vector<Row> rows;
    std::span<float> logits;
    const std::atomic<bool>* cancel;

    Status by(AnyForward& forward) const { return forward.compute(rows, logits, cancel); }
};
using ForwardFault = std::function<Status(AnyForward&, Batch, const ForwardSetup&)>;

//! A true forward pass, asked by way of a fault.
class FaultyForward : public AnyForward {
public:
    FaultyForward(std::unique_ptr<AnyForward> forward, ForwardFault fault, ForwardSetup setup)
        : forward_(std::move(forward)), fault_(std::move(fault)), setup_(setup) {}

    Status compute(std::span<const Row> rows, std::span<float> logits, const std::atomic<bool>* cancel) override {
        return fault_(*forward_, {{rows.begin(), rows.end()}, logits, cancel}, setup_);
    }
    std::size_t length(std::size_t sequence) const override { return forward_->length(sequence); }
    void truncate(std::size_t sequence, std::size_t length) override { forward_->truncate(sequence, length); }
    std::size_t regions() const override { return forward_->regions(); }

private:
    std::unique_ptr<AnyForward> forward_;
    ForwardFault fault_;
    ForwardSetup setup_;
};

//! Another rounding of the last step, as another order of summation has.
inline Status rounded_otherwise(AnyForward& forward, const Batch& batch) {
    const Status status = batch.by(forward);
    for (float& logit : batch.logits) logit = std::nextafter(logit, 0.0F);
    return status;
}

}  // namespace mutants

inline std::vector<Mutant> forward_mutants() {
    using namespace mutants;
    using P = TrueForwardPolicies;
    using Model = model::ModelOf<P>;
    const auto on_model = [](std::function<void(Model&)> change, std::string_view name, std::string_view law) {
        return Mutant{std::string(name), law, forward_law_list(forward_opener<P>(std::move(change)))};
    };
    const auto with_router = [](ExpertFault fault, std::string_view name, std::string_view law) {
        const auto open = [fault, open = forward_opener<WithFaultyRouter>()](const auto& file, const auto& setup) {
            FaultyRouter::next_fault = fault;
            return open(file, setup);
        };
        return Mutant{std::string(name), law, forward_law_list(open)};
    };
    const auto faulty = [](ForwardFault fault, std::string_view name, std::string_view law) {
        const auto open = [fault, open = forward_opener<P>()](const auto& file, const auto& setup) {
            return std::make_unique<FaultyForward>(open(file, setup), fault, setup);
        };
        return Mutant{std::string(name), law, forward_law_list(open)};
    };

    const auto no_qk_norm = [](Model& model) {
        static const std::vector<float> ones(64, 1.0F);
        for (auto& layer : model.weights.layers) {
            layer.q_norm = layer.k_norm = std::span(ones).first(layer.q_norm.size());
        }
    };
    const auto usual_base = [](Model& model) { model.hyperparameters.rope_theta = 1e4; };
    const auto usual_epsilon = [](Model& model) { model.hyperparameters.rms_eps = 1e-6F; };
    const auto unscaled = [](Model& model) { model.hyperparameters.rope_scaling = {}; };
    const auto first_layers_format = [](Model& model) {
        const auto format = model.weights.layers.front().experts.down.format;
        for (auto& layer : model.weights.layers) layer.experts.down.format = format;
    };
    const auto by_threads = [](AnyForward& forward, const Batch& batch, const ForwardSetup& setup) {
        return setup.threads > 1 ? rounded_otherwise(forward, batch) : batch.by(forward);
    };
    const auto by_batch = [](AnyForward& forward, const Batch& batch, const ForwardSetup&) {
        return batch.rows.size() < 4 ? rounded_otherwise(forward, batch) : batch.by(forward);
    };
    const auto backwards = [](AnyForward& forward, const Batch& batch, const ForwardSetup&) {
        const Status status = batch.by(forward);
        constexpr std::ptrdiff_t vocab = RandomModel::vocab;
        auto first = batch.logits.begin(), last = batch.logits.end();
        for (; last - first > vocab; first += vocab) {
            last -= vocab;
            std::swap_ranges(first, first + vocab, last);
        }
        return status;
    };
    const auto row_by_row = [](AnyForward& forward, const Batch& batch, const ForwardSetup&) {
        Status status;
        std::span<float> logits = batch.logits;
        for (const Row& row : batch.rows) {
            const std::size_t vocab = row.wants_logits ? RandomModel::vocab : 0;
            if (status.ok()) status = forward.compute({&row, 1}, logits.first(vocab), batch.cancel);
            logits = logits.subspan(vocab);
        }
        return status;
    };
    const auto wrapping = [](AnyForward& forward, Batch batch, const ForwardSetup&) {
        constexpr auto vocab = static_cast<Token>(detail::vocab);
        for (Row& row : batch.rows) row.token = (row.token + vocab) % vocab;
        return batch.by(forward);
    };
    const auto taking_one_past_end = [](AnyForward& forward, Batch batch, const ForwardSetup&) {
        for (Row& row : batch.rows) row.token = row.token == static_cast<Token>(detail::vocab) ? 0 : row.token;
        return batch.by(forward);
    };
    const auto keeping = [](AnyForward& forward, Batch batch, const ForwardSetup&) {
        const bool cancelled = std::exchange(batch.cancel, nullptr) != nullptr;
        const Status status = batch.by(forward);
        return cancelled ? Status(Errc::cancelled, "forward", "was asked to stop") : status;
    };
    const auto definition = "forward.agrees_with_float64", batches = "forward.batches_change_nothing";
    return {
        with_router(ExpertFault::drops_top, "computes without the top expert", definition),
        with_router(ExpertFault::takes_neighbours, "computes the neighbours of the chosen experts", definition),
        with_router(ExpertFault::weighs_alike, "adds the experts up with one weight", definition),
        on_model(no_qk_norm, "takes the weights of the q/k norm for ones", definition),
        on_model(usual_base, "takes 10000 for the rotary base of every file", definition),
        on_model(usual_epsilon, "takes 1e-6 for the epsilon of every file", definition),
        on_model(unscaled, "forgets the scaling of the rotary embedding", definition),
        on_model(first_layers_format, "reads all down matrices in the first layer's format", definition),
        faulty(by_threads, "adds up in another order on several threads", "forward.threads_change_nothing"),
        faulty(by_batch, "adds up in another order in small batches", batches),
        {"advances the length of the last layer only", batches,
         forward_law_list(forward_opener<WithLastLayersLength>())},
        faulty(backwards, "gives the rows' logits backwards", "forward.wanted_rows_in_order"),
        faulty(row_by_row, "begins a region for each row", "forward.one_region_per_pass"),
        faulty(wrapping, "wraps tokens outside the vocabulary around", "forward.refuses_what_does_not_fit"),
        faulty(taking_one_past_end, "takes the id one past the end for token 0", "forward.refuses_what_does_not_fit"),
        faulty(keeping, "keeps the rows of a cancelled pass", "forward.cancelled_can_be_repeated"),
    };
}

}  // namespace sluice::contracts
