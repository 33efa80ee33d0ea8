// SPDX-License-Identifier: Apache-2.0
//! Judges a model: the perplexity of a text, or the logits after each token.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <numeric>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "common/device.hpp"
#include "common/files.hpp"
#include "common/load.hpp"
#include "sluice/sluice.hpp"

namespace {

using namespace sluice;

constexpr auto description = R"(Judges a model.

evaluate --perplexity TEXTFILE prints a JSON object: the tokens that were judged, their mean negative log-likelihood
("nll", in nats), the perplexity exp(nll), and the context. A text longer than the context is cut into windows that
overlap by half, so that each token but the first is judged once, and beyond the first window after at least half a
context of text.

evaluate --ids FILE --logits OUT writes the logits after each token of FILE, a JSON array of ids, to OUT: float32,
little-endian, one row of the vocabulary's size a token.)";

struct Options {
    samples::ModelOptions model;
    std::string kv = "f16", device = "cpu";
    std::filesystem::path text, ids, logits;
};

//! use(pipeline) for the pipeline of these options, or the error of loading it. `use` returns a Status.
template <class Use>
Status with_pipeline(const Options& o, Use use) {
    const auto load_and_use = [&]<class P>() -> Status {
        SLUICE_ASSIGN(auto pipeline, samples::load<P>(o.model));
        return use(pipeline);
    };
    return samples::on_device(o.device, [&]<class P>() { return samples::with_cache<P>(o.kv, load_and_use); });
}

std::string progress_text(std::size_t done, std::size_t all) {
    return "Computed " + to_text(done) + " of " + to_text(all) + " tokens";
}

//! -ln(probability of `token`).
double surprise(std::span<const float> logits, Token token) {
    const auto best = static_cast<double>(*std::ranges::max_element(logits));
    const double sum = std::accumulate(logits.begin(), logits.end(), 0.0,
                                       [&](double s, float x) { return s + std::exp(static_cast<double>(x) - best); });
    return best + std::log(sum) - static_cast<double>(logits[static_cast<std::size_t>(token)]);
}

template <class P>
Status print_perplexity(Pipeline<P>& pipeline, const Options& o) {
    SLUICE_ASSIGN(const std::string text, samples::read_file(o.text));
    SLUICE_ASSIGN(const std::vector<Token> tokens, pipeline.tokenizer().encode(text, SpecialTokens::as_text));
    const std::size_t context = pipeline.context();
    if (tokens.size() < 2 || context < 2) {
        return Status(Errc::invalid_argument, o.text.string(),
                      to_text(tokens.size()) + " tokens in a context of " + to_text(context) + " have nothing to judge",
                      "give a text and a context of at least two tokens");
    }
    samples::Progress progress("");
    double nll = 0;
    std::size_t judged = 0;  // tokens [1, 1 + judged)
    for (std::size_t start = 0; judged + 1 < tokens.size(); start += context / 2) {
        const auto window = std::span(tokens).subspan(start, std::min(context, tokens.size() - start));
        SLUICE_TRY(pipeline.each_logits(window, [&](std::size_t at, std::span<const float> logits) {
            const std::size_t next = start + at + 1;
            if (next <= judged || next >= start + window.size()) return;
            nll += surprise(logits, tokens[next]);
            ++judged;
            if (next % 32 == 0) progress.show(progress_text(next, tokens.size()));
        }));
    }
    nll /= static_cast<double>(judged);
    std::string json = "{\"tokens\":" + to_text(judged);
    const auto add = [&](const std::string& name, auto value) {
        json += ",\"" + name + "\":";
        append_json_number(json, value);
    };
    add("nll", nll);
    add("perplexity", std::exp(nll));
    add("context", context);
    progress.show("");
    std::cout << json << "}\n";
    return {};
}

//! Calls write(stream), and has the file in its place only if all of it could be written. Where something other than a
//! file stands there (a pipe, a device), writes to that.
template <class Write>
Status write_whole_file(const std::filesystem::path& path, Write write) {
    std::error_code error;
    const bool direct = std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error);
    std::filesystem::path target = path;
    if (!direct) target += ".partial";
    std::ofstream out(target, std::ios::binary);
    Status status = write(out);
    out.close();
    if (status.ok() && !out)
        status = Status(Errc::io, target.string(), "could not be written", "check its folder and disk");
    if (direct) return status;
    if (status.ok()) std::filesystem::rename(target, path, error);
    if (status.ok() && error) status = Status(Errc::io, path.string(), error.message());
    if (!status.ok()) std::filesystem::remove(target, error);
    return status;
}

template <class P>
Status write_logits(Pipeline<P>& pipeline, const Options& o, std::span<const Token> ids) {
    static_assert(std::endian::native == std::endian::little);
    samples::Progress progress("");
    return write_whole_file(o.logits, [&](std::ostream& out) {
        return pipeline.each_logits(ids, [&](std::size_t at, std::span<const float> logits) {
            out.write(reinterpret_cast<const char*>(logits.data()), static_cast<std::streamsize>(logits.size_bytes()));
            if (at % 32 == 0) progress.show(progress_text(at, ids.size()));
        });
    });
}

Status evaluate_ids(Options& o, bool context_given) {
    SLUICE_ASSIGN(const std::string json, samples::read_file(o.ids));
    SLUICE_ASSIGN(const std::vector<Token> ids, samples::parse_ids(json));
    if (!context_given) o.model.load.context = std::max<std::size_t>(1, ids.size());
    return with_pipeline(o, [&](auto& pipeline) { return write_logits(pipeline, o, ids); });
}

}  // namespace

int main(int argc, char** argv) {
    Options o;
    samples::CommandLine flags("evaluate", description);
    flags.add("--perplexity", o.text, "the text to judge the model by; -: standard input");
    flags.add("--ids", o.ids, "a JSON array of token ids; -: standard input");
    flags.add("--logits", o.logits, "where to write the logits after each of them");
    o.model.add_to(flags);
    samples::add_device(flags, o.device);
    samples::add_cache(flags, o.kv);
    if (const auto code = flags.parse(argc, argv)) return *code;
    if (flags.given("--ids") != flags.given("--logits")) return flags.usage_error("--ids and --logits go together");
    if (flags.given("--ids") == flags.given("--perplexity")) {
        return flags.usage_error("either --perplexity or --ids with --logits is needed");
    }
    if (flags.given("--ids")) return flags.exit_code(evaluate_ids(o, flags.given("-c")));
    return flags.exit_code(with_pipeline(o, [&](auto& pipeline) { return print_perplexity(pipeline, o); }));
}
