// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <filesystem>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "e2e/program.hpp"
#include "sluice/core/generation.hpp"
#include "sluice/cpu/router.hpp"
#include "sluice/io/gguf.hpp"
#include "sluice/pipeline/pipeline.hpp"
#include "sluice/quant/row.hpp"
#include "sluice/sink/callback.hpp"
#include "unit/io/files.hpp"

using namespace sluice;
using namespace sluice::test;

namespace {

//! Runs make_model, which must succeed and be silent on standard error.
std::string make(const std::filesystem::path& path, std::vector<std::string> flags) {
    flags.insert(flags.end(), {"-o", path.string()});
    return output_of("make_model", flags);
}

gguf::File open(const std::filesystem::path& path) {
    auto file = gguf::File::open(path);
    REQUIRE_MESSAGE(file.ok(), file.status().message());
    return std::move(*file);
}

struct Moments {
    double mean = 0.0, deviation = 0.0;
};

Moments moments(const gguf::Tensor& tensor) {
    std::vector<float> weights(tensor.elements());
    quant::Any::visit(tensor.format,
                      [&]<class F>() { quant::decode_row<F>(tensor.bytes.data(), weights.size(), weights.data()); });
    double sum = 0.0, squares = 0.0;
    for (const float weight : weights) {
        sum += weight;
        squares += double{weight} * weight;
    }
    const auto n = static_cast<double>(weights.size());
    return {sum / n, std::sqrt(squares / n - sum / n * (sum / n))};
}

//! Routes as usual and notes what was chosen, on one thread.
struct NotingRouter {
    static inline std::vector<ExpertChoice> noted;
    void route(std::span<float> logits, std::span<ExpertChoice> chosen) const {
        cpu::SoftmaxTopKRouter<>().route(logits, chosen);
        noted.insert(noted.end(), chosen.begin(), chosen.end());
    }
};
struct NotingPolicies : Qwen3MoeCpu<> {
    using Router = NotingRouter;
};

const std::vector<std::string> formats = {"f32", "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_0", "q4_k_m", "q4_0"};

}  // namespace

TEST_CASE("make_model: a tiny model of every format loads and generates") {
    const TempFolder folder;
    for (const std::string& format : formats) {
        CAPTURE(format);
        const auto path = folder / "tiny.gguf";
        make(path, {"--format", format});
        auto pipeline = Pipeline<Qwen3MoeCpu<>>::load(path, {.context = 64, .threads = 1});
        REQUIRE_MESSAGE(pipeline.ok(), pipeline.status().message());
        auto sampler = make_standard_sampler({});
        REQUIRE(sampler.ok());
        std::set<Token> tokens;
        CallbackSink sink([&](const TokenEvent& event) {
            tokens.insert(event.id);
            return Flow::go_on;
        });
        const auto result = pipeline->generate("Hello", {.max_tokens = 20, .ignore_stop_tokens = true}, *sampler, sink);
        REQUIRE_MESSAGE(result.ok(), result.status().message());
        CHECK(result->usage.completion_tokens == 20);
        CHECK(tokens.size() > 3);  // not one token again and again
    }
}

TEST_CASE("make_model: weights keep the scale of what they multiply") {
    const TempFolder folder;
    for (const std::string& format : formats) {
        CAPTURE(format);
        const auto path = folder / "tiny.gguf";
        make(path, {"--format", format});
        const gguf::File file = open(path);
        for (const gguf::Tensor& tensor : file.tensors()) {
            CAPTURE(tensor.name);
            const Moments found = moments(tensor);
            if (tensor.name.find("norm") != tensor.name.npos) {
                CHECK(found.mean == 1.0);
                CHECK(found.deviation == 0.0);
            } else {
                const double wanted = tensor.name == "token_embd.weight"
                                          ? std::sqrt(8.0)
                                          : 1.0 / std::sqrt(static_cast<double>(tensor.shape[0]));
                CHECK(std::abs(found.mean) < 0.05 * wanted);
                CHECK(found.deviation == doctest::Approx(wanted).epsilon(0.05));
            }
        }
    }
}

TEST_CASE("make_model: tokens still choose different experts in the last of many layers") {
    const TempFolder folder;
    const auto path = folder / "deep.gguf";
    make(path, {"--layers", "48", "--experts", "32"});
    auto pipeline = Pipeline<NotingPolicies>::load(path, {.context = 128, .threads = 1});
    REQUIRE_MESSAGE(pipeline.ok(), pipeline.status().message());
    std::vector<Token> tokens(64);
    std::iota(tokens.begin(), tokens.end(), 100);
    auto sampler = make_standard_sampler({});
    CallbackSink sink([](const TokenEvent&) {});
    REQUIRE(sampler.ok());
    REQUIRE(pipeline->generate(tokens, {.max_tokens = 1}, *sampler, sink).ok());

    const std::size_t choices = tokens.size() * pipeline->hyperparameters().shape.experts_used;
    REQUIRE(NotingRouter::noted.size() == 48 * choices);
    std::set<std::int32_t> experts;
    for (const ExpertChoice& choice : std::span(NotingRouter::noted).last(choices)) experts.insert(choice.expert);
    CHECK(experts.size() >= 31);
}

TEST_CASE("make_model: the preset 30b-a3b has the real file's tensors and size") {
    const TempFolder folder;
    const std::string out = make(folder / "large.gguf", {"--preset", "30b-a3b", "--dry-run"});
    CHECK(mentions(out, {"579 tensors", "241 F32", "289 Q4_K", "49 Q6_K", "18.55 GB"}));
    CHECK_FALSE(std::filesystem::exists(folder / "large.gguf"));
}

TEST_CASE("make_model: the preset 30b-a3b mixes formats layer by layer as the real file does") {
    const TempFolder folder;
    const auto path = folder / "thin.gguf";
    make(path, {"--preset", "30b-a3b", "--hidden", "256", "--heads", "2", "--kv-heads", "1", "--experts", "2",
                "--experts-used", "1", "--expert-ff", "256", "--vocab-size", "300"});
    const gguf::File file = open(path);
    CHECK(file.tensor("output.weight")->format == quant::Format::Q6_K);
    CHECK(file.tensor("token_embd.weight")->format == quant::Format::Q4_K);
    const std::set<std::size_t> finer = {0,  1,  2,  3,  4,  5,  8,  11, 14, 17, 20, 23,
                                         26, 29, 32, 35, 38, 41, 42, 43, 44, 45, 46, 47};
    for (std::size_t layer = 0; layer < 48; ++layer) {
        CAPTURE(layer);
        const auto format = [&](const char* name) {
            return file.tensor("blk." + std::to_string(layer) + "." + name + ".weight")->format;
        };
        const quant::Format expected = finer.contains(layer) ? quant::Format::Q6_K : quant::Format::Q4_K;
        CHECK(format("attn_v") == expected);
        CHECK(format("ffn_down_exps") == expected);
        for (const char* name : {"attn_q", "attn_k", "attn_output", "ffn_gate_exps", "ffn_up_exps"}) {
            CHECK(format(name) == quant::Format::Q4_K);
        }
        CHECK(format("ffn_gate_inp") == quant::Format::F32);
    }
    CHECK(*file.get<float>("qwen3moe.rope.freq_base") == 1e6F);
    CHECK(*file.get<std::uint32_t>("qwen3moe.context_length") == 40960);
}

TEST_CASE("make_model: a seed fixes every byte, another seed changes them") {
    const TempFolder folder;
    make(folder / "a", {"--seed", "7"});
    make(folder / "b", {"--seed", "7"});
    make(folder / "c", {"--seed", "8"});
    CHECK(read_file(folder / "a") == read_file(folder / "b"));
    CHECK(read_file(folder / "a") != read_file(folder / "c"));
}

TEST_CASE("make_model: no two tensors are alike, and a large one does not repeat itself") {
    const TempFolder folder;
    make(folder / "wide.gguf", {"--layers", "1", "--experts", "32"});
    const gguf::File file = open(folder / "wide.gguf");
    const auto gate = file.tensor("blk.0.ffn_gate_exps.weight")->bytes;
    const auto up = file.tensor("blk.0.ffn_up_exps.weight")->bytes;
    CHECK_FALSE(std::ranges::equal(gate, up));
    CHECK_FALSE(std::ranges::equal(gate.first(gate.size() / 2), gate.last(gate.size() / 2)));
}

TEST_CASE("make_model: copies a tokenizer with all its keys") {
    const TempFolder folder;
    const std::string story = SLUICE_SOURCE_DIR "/samples/models/story-Q4_K_M.gguf";
    make(folder / "copy.gguf", {"--vocab", story});
    const gguf::File from = open(story), to = open(folder / "copy.gguf");
    std::size_t copied = 0;
    for (const gguf::Metadata& entry : from.metadata()) {
        if (entry.key.substr(0, 10) != "tokenizer.") continue;
        CAPTURE(entry.key);
        ++copied;
        REQUIRE(to.find(entry.key) != nullptr);
        CHECK(std::ranges::equal(to.find(entry.key)->bytes(), entry.value.bytes()));
    }
    CHECK(copied > 5);
    CHECK(to.tensor("output.weight")->shape[1] == from.find("tokenizer.ggml.tokens")->count());
}

TEST_CASE("make_model: says what is wrong and leaves nothing behind") {
    struct Case {
        std::vector<std::string> flags;
        int exit_code;
        std::vector<std::string_view> words;
    };
    const TempFolder folder;
    const std::string path = (folder / "out.gguf").string();
    const std::array<Case, 11> cases = {{
        {{}, 2, {"-o", "missing"}},
        {{"-o", path, "--preset", "7b"}, 2, {"--preset", "'7b'", "tiny", "30b-a3b"}},
        {{"-o", path, "--format", "q3_k"}, 2, {"--format", "'q3_k'", "q4_k_m"}},
        {{"-o", path, "--layers", "0"}, 2, {"--layers", "'0'"}},
        {{"-o", path, "--layers", "many"}, 2, {"--layers", "'many'"}},
        {{"-o", path, "--vocab", path, "--vocab-size", "300"}, 2, {"--vocab-size", "--vocab"}},
        {{"-o", path, "--vocab", path}, 1, {"out.gguf", "No such file"}},
        {{"-o", path, "--vocab-size", "258"}, 1, {"--vocab-size", "258", "259"}},
        {{"-o", path, "--heads", "3"}, 1, {"head_count", "is 3", "multiple", "2"}},
        {{"-o", path, "--hidden", "300"}, 1, {"token_embd.weight", "300", "256", "Q4_K"}},
        {{"-o", "/no/such/folder/x.gguf"}, 1, {"/no/such/folder", "No such file or directory"}},
    }};
    for (const Case& c : cases) {
        const Outcome outcome = run("make_model", c.flags);
        CAPTURE(outcome.err);
        CHECK(outcome.code == c.exit_code);
        CHECK(outcome.out == "");
        for (const std::string_view word : c.words) CHECK(outcome.err.find(word) != outcome.err.npos);
        CHECK_FALSE(std::filesystem::exists(path));
        CHECK_FALSE(std::filesystem::exists(path + ".part"));
    }
}

TEST_CASE("make_model: a model larger than the disk's free space is refused at once") {
    const TempFolder folder;
    const std::string path = (folder / "huge.gguf").string();
    const Outcome outcome =
        run("make_model", {"--preset", "30b-a3b", "--experts", "65536", "--layers", "1000", "-o", path});
    CHECK(outcome.code == 1);
    CHECK(mentions(outcome.err, {"huge.gguf", "GB", "its disk has", "free"}));
    CHECK_FALSE(std::filesystem::exists(path + ".part"));
}

TEST_CASE("make_model: shows its progress at a terminal") {
    const TempFolder folder;
    Program program("make_model", {"-o", (folder / "tiny.gguf").string()}, Program::Stdio::terminal);
    CHECK(program.wait() == 0);
    CHECK(mentions(program.out(), {"GB of 0.0083 GB", "GB/s", "tiny.gguf: 51 tensors"}));
}
