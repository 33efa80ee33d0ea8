// SPDX-License-Identifier: Apache-2.0
#include "sluice/model/load.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "support/tiny_model.hpp"

using namespace sluice;
using namespace sluice::test;
using quant::Format;

namespace {

//! The error of loading a file for the formats of Q, or success.
template <class Q = quant::Any>
Status load(const Draft& draft) {
    const MemoryFile file(draft);
    SLUICE_ASSIGN(const model::Hyperparameters h, model::read_hyperparameters(*file));
    return model::read_weights<Q>(*file, h.shape).ok() ? Status() : model::read_weights<Q>(*file, h.shape).status();
}

constexpr std::string_view use_another = "use a Qwen3-MoE file made by a current converter";

struct Refusal {
    std::function<void(Draft&)> change;
    Errc code;
    std::string_view where, what, mend = use_another;
};

void check(const std::vector<Refusal>& refusals) {
    for (const Refusal& refusal : refusals) {
        Draft draft = odd_model.draft();
        refusal.change(draft);
        const Status status = load(draft);
        CAPTURE(std::string(refusal.where));
        REQUIRE(!status.ok());
        CAPTURE(status.message());
        CHECK(status.code() == refusal.code);
        CHECK(status.where() == "tiny: " + std::string(refusal.where));
        CHECK(status.what() == refusal.what);
        CHECK(status.mend() == refusal.mend);
    }
}

//! A change of one key.
template <class T>
std::function<void(Draft&)> set(std::string key, T value) {
    return [key, value](Draft& draft) { draft.set(key, value); };
}

std::string key_of(std::string_view name) { return "key 'qwen3moe." + std::string(name) + "'"; }

}  // namespace

TEST_CASE("load: the sizes and numbers of a file") {
    const MemoryFile file(odd_model.draft());
    const auto h = model::read_hyperparameters(*file);
    REQUIRE_MESSAGE(h.ok(), h.status().message());
    CHECK(h->shape.layers == 3);
    CHECK(h->shape.hidden == 40);
    CHECK(h->shape.heads == 6);
    CHECK(h->shape.kv_heads == 2);
    CHECK(h->shape.head_dim == 16);
    CHECK(h->shape.experts == 5);
    CHECK(h->shape.experts_used == 3);
    CHECK(h->shape.expert_ff == 24);
    CHECK(h->shape.vocab == 261);
    CHECK(h->context == 2048);
    CHECK(h->rms_eps == 1e-6F);
    CHECK(h->rope_theta == 1e4);
    CHECK(h->rope_scaling.kind == model::RopeScaling::Kind::none);
}

TEST_CASE("load: weights are views into the file, each where its name says") {
    const MemoryFile file(odd_model.draft());
    const auto h = model::read_hyperparameters(*file);
    const auto weights = model::read_weights<quant::Any>(*file, h->shape);
    REQUIRE_MESSAGE(weights.ok(), weights.status().message());
    const auto bytes_of = [&](const char* name) { return (*file).tensor(name)->bytes.data(); };
    REQUIRE(weights->layers.size() == 3);
    const model::LayerWeights& l = weights->layers[1];
    CHECK(weights->embedding.data == bytes_of("token_embd.weight"));
    CHECK(weights->output.data == bytes_of("output.weight"));
    CHECK(l.q.data == bytes_of("blk.1.attn_q.weight"));
    CHECK(l.k.data == bytes_of("blk.1.attn_k.weight"));
    CHECK(l.v.data == bytes_of("blk.1.attn_v.weight"));
    CHECK(l.o.data == bytes_of("blk.1.attn_output.weight"));
    CHECK(l.router.data == bytes_of("blk.1.ffn_gate_inp.weight"));
    CHECK(l.experts.gate.data == bytes_of("blk.1.ffn_gate_exps.weight"));
    CHECK(l.experts.up.data == bytes_of("blk.1.ffn_up_exps.weight"));
    CHECK(l.experts.down.data == bytes_of("blk.1.ffn_down_exps.weight"));
    CHECK(l.experts.down.rows == 5 * 40);
    CHECK(l.experts.down.cols == 24);
    CHECK(l.experts.down.row_bytes == 24 * 4);
    CHECK(l.q_norm.size() == 16);
    CHECK(weights->output_norm.size() == 40);
}

TEST_CASE("load: without an output matrix the embedding is the output") {
    TinyModel tied = odd_model;
    tied.tied = true;
    const MemoryFile file(tied.draft());
    const auto h = model::read_hyperparameters(*file);
    const auto weights = model::read_weights<quant::Any>(*file, h->shape);
    REQUIRE_MESSAGE(weights.ok(), weights.status().message());
    CHECK(weights->output.data == weights->embedding.data);
    CHECK(weights->output.rows == 261);
}

TEST_CASE("load: every other architecture is refused by its name, siblings too") {
    for (const std::string name :
         {"qwen3", "qwen35moe", "qwen2moe", "qwen3next", "qwen3vlmoe", "QWEN3MOE", "llama", ""}) {
        check({{set("general.architecture", name), Errc::unsupported, "key 'general.architecture'",
                "is '" + name + "'; only 'qwen3moe' is supported",
                "use a Qwen3-MoE file, such as Qwen3-30B-A3B or Qwen3-Coder-30B-A3B"}});
    }
    check({{[](Draft& d) { d.erase("general.architecture"); }, Errc::not_found, "key 'general.architecture'",
            "is missing", "use a file that was converted with it"}});
}

TEST_CASE("load: each key that is missing is named") {
    for (const std::string_view name :
         {"block_count", "embedding_length", "attention.head_count", "attention.head_count_kv", "attention.key_length",
          "attention.value_length", "expert_count", "expert_used_count", "expert_feed_forward_length", "context_length",
          "attention.layer_norm_rms_epsilon", "rope.freq_base"}) {
        check({{[name](Draft& d) { d.erase("qwen3moe." + std::string(name)); }, Errc::not_found, key_of(name),
                "is missing", "use a file that was converted with it"}});
    }
}

TEST_CASE("load: a key of the wrong type or size is refused, never guessed") {
    const std::string block_count = key_of("block_count"), eps = key_of("attention.layer_norm_rms_epsilon");
    for (const auto& change : {set("qwen3moe.block_count", std::string("3")), set("qwen3moe.block_count", 3.0F),
                               set("qwen3moe.block_count", std::vector<std::uint32_t>{3})}) {
        Draft draft = odd_model.draft();
        change(draft);
        const Status status = load(draft);
        REQUIRE(!status.ok());
        CHECK(status.where().starts_with("tiny: " + block_count));
        CHECK(status.what().find("u32") != std::string::npos);
    }
    check({
        {set("qwen3moe.block_count", 0U), Errc::unsupported, block_count, "is 0, but 1 to 1024 is possible"},
        {set("qwen3moe.block_count", 4000000000U), Errc::unsupported, block_count,
         "is 4000000000, but 1 to 1024 is possible"},
        {set("qwen3moe.attention.head_count", 0U), Errc::unsupported, key_of("attention.head_count"),
         "is 0, but 1 to 4096 is possible"},
        {set("qwen3moe.expert_used_count", 0U), Errc::unsupported, key_of("expert_used_count"),
         "is 0, but 1 to 65536 is possible"},
        {set("qwen3moe.attention.head_count_kv", 4U), Errc::unsupported, key_of("attention.head_count"),
         "is 6, not a multiple of head_count_kv 4"},
        {set("qwen3moe.attention.key_length", 24U), Errc::unsupported, key_of("attention.key_length"),
         "is 24; a multiple of 16 is supported"},
        {set("qwen3moe.attention.value_length", 32U), Errc::unsupported, key_of("attention.value_length"),
         "is 32, but key_length is 16; only equal ones are supported"},
        {set("qwen3moe.rope.dimension_count", 8U), Errc::unsupported, key_of("rope.dimension_count"),
         "is 8; rotating only a part of a head is not supported"},
        {set("qwen3moe.expert_used_count", 6U), Errc::unsupported, key_of("expert_used_count"),
         "is 6, more than expert_count 5"},
        {set("qwen3moe.attention.layer_norm_rms_epsilon", -1.0F), Errc::unsupported, eps,
         "is -1, but a positive number is needed"},
        {set("qwen3moe.attention.layer_norm_rms_epsilon", std::numeric_limits<float>::quiet_NaN()), Errc::unsupported,
         eps, "is nan, but a positive number is needed"},
        {set("qwen3moe.rope.freq_base", std::numeric_limits<float>::infinity()), Errc::unsupported,
         key_of("rope.freq_base"), "is inf, but a positive number is needed"},
        {set("qwen3moe.rope.freq_base", 1.0F), Errc::unsupported, key_of("rope.freq_base"),
         "is 1, which is not above 1"},
    });
}

TEST_CASE("load: rope scaling is read, or refused by its key") {
    Draft draft = odd_model.draft();
    draft.set("qwen3moe.rope.scaling.type", std::string("yarn"))
        .set("qwen3moe.rope.scaling.factor", 4.0F)
        .set("qwen3moe.rope.scaling.original_context_length", 32768U)
        .set("qwen3moe.rope.scaling.yarn_attn_factor", 1.5F)
        .set("qwen3moe.rope.scaling.yarn_beta_fast", 16.0F)
        .set("qwen3moe.rope.scaling.yarn_beta_slow", 2.0F)
        .set("qwen3moe.rope.scaling.yarn_ext_factor", 1.0F)
        .set("qwen3moe.rope.dimension_count", 16U);
    const MemoryFile file(draft);
    const auto h = model::read_hyperparameters(*file);
    REQUIRE_MESSAGE(h.ok(), h.status().message());
    const model::RopeScaling& scaling = h->rope_scaling;
    CHECK(scaling.kind == model::RopeScaling::Kind::yarn);
    CHECK(scaling.factor == 4.0);
    CHECK(scaling.original_context == 32768.0);
    CHECK(scaling.attention_factor == 1.5);
    CHECK(scaling.beta_fast == 16.0);
    CHECK(scaling.beta_slow == 2.0);

    Draft linear = odd_model.draft();
    linear.set("qwen3moe.rope.scaling.type", std::string("linear")).set("qwen3moe.rope.scaling.factor", 2.0F);
    CHECK(model::read_hyperparameters(*MemoryFile(linear))->rope_scaling.kind == model::RopeScaling::Kind::linear);

    const auto yarn_with = [](std::string name, float value) {
        return [name, value](Draft& d) {
            d.set("qwen3moe.rope.scaling.type", std::string("yarn"))
                .set("qwen3moe.rope.scaling.factor", 4.0F)
                .set("qwen3moe.rope.scaling.original_context_length", 32768U)
                .set("qwen3moe.rope.scaling." + name, value);
        };
    };
    check({
        {set("qwen3moe.rope.scaling.type", std::string("longrope")), Errc::unsupported, key_of("rope.scaling.type"),
         "is 'longrope'; none, linear and yarn are supported"},
        {set("qwen3moe.rope.scaling.type", std::string("linear")), Errc::not_found, key_of("rope.scaling.factor"),
         "is missing", "use a file that was converted with it"},
        {yarn_with("factor", 0.5F), Errc::unsupported, key_of("rope.scaling.factor"), "is 0.5, which is below 1"},
        {yarn_with("yarn_ext_factor", 0.5F), Errc::unsupported, key_of("rope.scaling.yarn_ext_factor"),
         "is 0.5; only 1 is supported"},
        {yarn_with("attn_factor", 1.2F), Errc::unsupported, key_of("rope.scaling.attn_factor"),
         "is 1.2; only 1 is supported"},
        {yarn_with("yarn_beta_fast", -1.0F), Errc::unsupported, key_of("rope.scaling.yarn_beta_fast"),
         "is -1, but a positive number is needed"},
    });
}

TEST_CASE("load: keys of extensions must have the value that changes nothing") {
    const auto read = [](const std::string& name, const auto& value) {
        Draft draft = TinyModel{}.draft();
        draft.set("qwen3moe." + name, value);
        return model::read_hyperparameters(*MemoryFile(draft));
    };
    CHECK(read("attention.sliding_window", 0U).ok());
    CHECK(read("expert_weights_scale", 1.0F).ok());
    CHECK(read("expert_weights_norm", true).ok());
    for (const auto& refused :
         {read("attention.sliding_window", 4096U), read("expert_weights_scale", 2.5F),
          read("expert_weights_norm", false), read("leading_dense_block_count", 1U), read("rope.scale_linear", 4.0F),
          read("attention.causal", false), read("attention.clamp_kqv", 8.0F)}) {
        REQUIRE(!refused.ok());
        CHECK(refused.status().code() == Errc::unsupported);
        CHECK(refused.status().what().find("is supported") != std::string::npos);
    }
}

TEST_CASE("load: a missing tensor is named; a file without experts is called dense") {
    const std::string mend = "use a whole Qwen3-MoE file: this one is incomplete or a dense model";
    for (const std::string_view name :
         {"blk.0.attn_norm.weight", "blk.0.attn_q.weight", "blk.1.attn_k.weight", "blk.2.attn_v.weight",
          "blk.0.attn_q_norm.weight", "blk.0.attn_k_norm.weight", "blk.0.attn_output.weight", "blk.0.ffn_norm.weight",
          "blk.1.ffn_gate_inp.weight", "blk.0.ffn_gate_exps.weight", "blk.0.ffn_up_exps.weight",
          "blk.2.ffn_down_exps.weight", "output_norm.weight"}) {
        check({{[name](Draft& d) { d.remove(name); }, Errc::not_found, "tensor '" + std::string(name) + "'",
                "is missing", mend}});
    }
    check({{[](Draft& d) { d.remove("token_embd.weight"); }, Errc::not_found, "tensor 'token_embd.weight'",
            "is missing", "use a file with weights: this one has a vocabulary at most"},
           {[](Draft& d) {
                for (const char* name : {"gate_inp", "gate_exps", "up_exps", "down_exps"}) {
                    d.remove(std::string("blk.0.ffn_") + name + ".weight");
                }
                d.add("blk.0.ffn_gate.weight", Format::F32, {40, 24}, random_floats(40 * 24, 1));
            },
            Errc::not_found, "tensor 'blk.0.ffn_gate_inp.weight'", "is missing", mend}});
}

TEST_CASE("load: a tensor of another shape than the keys say") {
    const auto reshape = [](const char* name, std::vector<std::uint64_t> shape) {
        return [name, shape](Draft& d) { d.tensor(name).shape = shape; };
    };
    check({
        {reshape("blk.0.attn_q.weight", {96, 40}), Errc::unsupported, "tensor 'blk.0.attn_q.weight'",
         "has shape 96x40, but the file's keys say 40x96"},
        {reshape("blk.1.ffn_down_exps.weight", {40, 24, 5}), Errc::unsupported, "tensor 'blk.1.ffn_down_exps.weight'",
         "has shape 40x24x5, but the file's keys say 24x40x5"},
        {reshape("blk.1.ffn_up_exps.weight", {40, 120}), Errc::unsupported, "tensor 'blk.1.ffn_up_exps.weight'",
         "has shape 40x120, but the file's keys say 40x24x5"},
        {reshape("output_norm.weight", {20, 2}), Errc::unsupported, "tensor 'output_norm.weight'",
         "has shape 20x2, but the file's keys say 40"},
        {set("qwen3moe.expert_count", 4U), Errc::unsupported, "tensor 'blk.0.ffn_gate_inp.weight'",
         "has shape 40x5, but the file's keys say 40x4"},
    });
}

TEST_CASE("load: a format outside the pipeline's set is refused with the tensor's name and the set") {
    const Draft mixed = TinyModel{.layers = 1}.in(Format::Q4_K, Format::Q5_K).draft();
    const Status status = load<quant::Q4_K_M>(mixed);
    REQUIRE(!status.ok());
    CHECK(status.code() == Errc::unsupported);
    CHECK(status.where() == "tiny: tensor 'blk.0.attn_v.weight'");
    CHECK(status.what() == "has format Q5_K, but this pipeline computes with Q4_K, Q6_K, F32");
    CHECK(status.mend() == "use a pipeline whose Quantization has it, or convert the file to one of these");
    CHECK(load<quant::Any>(mixed).ok());
    check({{[](Draft& d) { d.add("blk.0.attn_norm.weight", Format::F16, {40}, random_floats(40, 1)); },
            Errc::unsupported, "tensor 'blk.0.attn_norm.weight'", "has format F16; F32 is needed"}});
}

TEST_CASE("load: a tensor that would be ignored is refused") {
    const std::string what = "is not part of a Qwen3-MoE model";
    const std::string mend = "use a file without it: it would have to be ignored";
    for (const std::string_view name :
         {"blk.3.attn_norm.weight", "blk.0.attn_q.bias", "blk.0.ffn_up_shexp.weight", "rope_freqs.weight"}) {
        check({{[name](Draft& d) { d.add(std::string(name), Format::F32, {40}, random_floats(40, 1)); },
                Errc::unsupported, "tensor '" + std::string(name) + "'", what, mend}});
    }
    check({{set("qwen3moe.block_count", 2U), Errc::unsupported, "tensor 'blk.2.attn_norm.weight'", what, mend}});
}
