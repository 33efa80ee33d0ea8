// SPDX-License-Identifier: Apache-2.0
//! Several generations at once: continuous batching over one model.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/concepts/sampler.hpp"
#include "sluice/core/generation.hpp"
#include "sluice/core/status.hpp"
#include "sluice/core/types.hpp"
#include "sluice/pipeline/answer.hpp"
#include "sluice/pipeline/loaded_model.hpp"
#include "sluice/pipeline/policies.hpp"
#include "sluice/sampler/logprobs.hpp"
#include "sluice/sink/channel.hpp"

namespace sluice::server {

struct EngineOptions {
    std::size_t queue = 64;          //!< requests that may wait for a slot
    std::size_t prefill_chunk = 64;  //!< rows of prompts in a batch that also decodes: what a running stream waits for
};

//! What an engine does now, and has done so far.
struct EngineState {
    std::size_t slots = 0, busy_slots = 0, queued = 0;
    std::size_t kv_positions = 0, kv_capacity = 0;  //!< of all slots together
    std::uint64_t requests = 0;                     //!< accepted
    std::uint64_t finished = 0, cancelled = 0, failed = 0;
    std::uint64_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;  //!< cached ones count as prompt too
};

//! Answers requests in as many slots as the loaded model's cache has sequences. One thread computes: every batch holds
//! the next row of each running answer and a piece of the prompts that wait, so that a new request stops nobody. A
//! row's logits do not depend on its companions, so an answer is the same alone and under load.
template <class P>
class Engine {
    static_assert(check_policies<P>());

public:
    using Sampler = typename P::Sampler;

    struct Request {
        std::vector<Token> prompt;
        GenerateOptions options{};
        Sampler sampler;
        //! With each token come its log-probability and those of so many of the likeliest ones; none: they are not
        //! computed.
        std::optional<std::size_t> top_logprobs{};
    };

    explicit Engine(LoadedModel<P> model, const EngineOptions& options = {})
        : model_(std::move(model)),
          options_(options),
          slots_(model_.cache.shape().sequences),
          logits_(model_.forward.make_logits(*model_.executor, slots_.size())) {
        state_.slots = slots_.size();
        state_.kv_capacity = slots_.size() * model_.context;
        for (Slot& slot : slots_) slot.history.reserve(model_.context);
        rows_.reserve(model_.forward.max_rows());
        worker_ = std::thread([this] { work(); });
    }
    ~Engine() {
        drain(std::chrono::milliseconds(0));
        worker_.join();
    }
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    //! Whether a request can be answered at all. Error: the prompt is empty, has a token outside the vocabulary, or
    //! leaves no room in the context; or a stop string is empty or not UTF-8.
    Status check(const Request& request) const {
        SLUICE_TRY(model_.check_prompt(request.prompt, model_.context - 1));
        for (const Token token : request.prompt) {
            if (token >= 0 && static_cast<std::size_t>(token) < model_.forward.vocab()) continue;
            return Status(Errc::invalid_argument, "prompt",
                          "token " + std::to_string(token) + " is not in the vocabulary",
                          "give ids from 0 to " + std::to_string(model_.forward.vocab() - 1));
        }
        SLUICE_TRY(StopStrings::create(request.options.stop));
        return {};
    }

    //! Queues a request. The answer comes through the channel, which never makes the engine wait; close() it to cancel:
    //! its slot is free after the batch that is being computed. Requests of one monitor can be waited for together.
    //! Errors: as check(); out_of_capacity when the queue is full; cancelled when the engine is shutting down.
    Expected<std::shared_ptr<ChannelSink>> submit(
        Request request, std::shared_ptr<ChannelSink::Monitor> monitor = std::make_shared<ChannelSink::Monitor>()) {
        SLUICE_TRY(check(request));
        const std::size_t room = model_.context - request.prompt.size();
        SLUICE_ASSIGN(Answer answer, Answer::create(request.options, room));
        const auto job = std::make_shared<Job>(std::move(request), std::move(answer), room, std::move(monitor));

        const std::lock_guard lock(mutex_);
        if (draining_) return Status(Errc::cancelled, "engine", "is shutting down");
        if (queue_.size() >= options_.queue + slots_.size() - state_.busy_slots) {
            return Status(Errc::out_of_capacity, "queue",
                          "is full: " + std::to_string(queue_.size()) + " requests wait", "try again later");
        }
        queue_.push_back(job);
        ++state_.requests;
        changed_.notify_all();
        return std::shared_ptr<ChannelSink>(job, &job->channel);
    }

    //! Accepts nothing more, and waits until all answers are done; cancels those that are not after `limit`.
    void drain(std::chrono::milliseconds limit) {
        std::unique_lock lock(mutex_);
        draining_ = true;
        changed_.notify_all();
        const auto idle = [&] { return queue_.empty() && state_.busy_slots == 0; };
        if (changed_.wait_for(lock, limit, idle)) return;
        abort_ = true;
        changed_.wait(lock, idle);
    }

    EngineState state() const {
        const std::lock_guard lock(mutex_);
        EngineState state = state_;
        state.queued = queue_.size();
        return state;
    }

    //! What loading found; only its constant parts are for other threads.
    const LoadedModel<P>& model() const { return model_; }

private:
    using Clock = std::chrono::steady_clock;
    using Logits = typename P::template Forward<P>::Logits;
    using LogitsRow = decltype(std::declval<Logits&>().row(0));

    struct Job {
        Job(Request r, Answer a, std::size_t room, std::shared_ptr<ChannelSink::Monitor> monitor)
            : request(std::move(r)),
              answer(std::move(a)),
              channel(std::min(request.options.max_tokens, room), std::move(monitor)) {}

        //! Whether nobody waits for the answer any more.
        bool abandoned() const {
            const std::atomic<bool>* cancel = request.options.cancel;
            return channel.closed() || (cancel != nullptr && cancel->load(std::memory_order_relaxed));
        }

        Request request;
        Answer answer;
        ChannelSink channel;  // has room for the whole answer
        Usage usage{};
        Clock::time_point started{}, prompt_done{};
    };

    struct Slot {
        std::shared_ptr<Job> job;    // nothing: free
        std::vector<Token> history;  // prompt and generated tokens; the cache holds the first of them
        std::uint64_t turn = 0;      // when the job came, as a number
    };

    void work() {
        while (admit()) {
            for (Slot& slot : slots_) {
                if (slot.job && slot.job->abandoned()) cancel(slot);
            }
            try {
                plan();
                if (!rows_.empty()) step();
                // The threads that send these tokens go first: where processors are few, the kernel would let this one
                // go on for a millisecond or more. (Two processors, one client: the 99th percentile of the gaps between
                // tokens falls from 2.0 ms to 0.3, the rate by 2 %.)
                if (!sampled_.empty()) std::this_thread::yield();
            } catch (...) {
                fail_all(error_of_exception());
            }
        }
    }

    //! The exception in hand as an error: an answer's, so that the other clients keep theirs.
    static Status error_of_exception() {
        try {
            throw;
        } catch (const std::bad_alloc&) {
            return Status(Errc::out_of_capacity, "engine", "memory has run out",
                          "load with a smaller context or batch");
        } catch (const std::exception& error) {
            return Status(Errc::unsupported, "engine", std::string("a policy has thrown: ") + error.what());
        } catch (...) {
            return Status(Errc::unsupported, "engine", "a policy has thrown what is no std::exception");
        }
    }

    //! Moves waiting requests into free slots; waits when there is nothing to do. False when all is done for good.
    bool admit() {
        std::unique_lock lock(mutex_);
        publish();
        changed_.wait(lock, [&] { return draining_ || !queue_.empty() || state_.busy_slots > 0; });
        std::deque<std::shared_ptr<Job>> cancelled;
        std::erase_if(queue_, [&](const std::shared_ptr<Job>& job) {
            if (!abort_ && !job->abandoned()) return false;
            cancelled.push_back(job);
            return true;
        });
        while (!queue_.empty() && state_.busy_slots < slots_.size()) {
            start(queue_.front());
            queue_.pop_front();
            ++state_.busy_slots;
        }
        for (const auto& job : cancelled) finish(*job, FinishReason::cancelled);
        publish();
        return !draining_ || !queue_.empty() || state_.busy_slots > 0;
    }

    //! Tells state() about the slots and the tokens so far, and drain() when they are idle.
    void publish() {
        state_.generated_tokens = generated_;
        state_.busy_slots = state_.kv_positions = 0;
        for (std::size_t i = 0; i < slots_.size(); ++i) {
            state_.busy_slots += slots_[i].job ? 1 : 0;
            state_.kv_positions += model_.cache.length(i);
        }
        changed_.notify_all();
    }

    //! Gives a request the free slot whose cache has most in common with its prompt's beginning. Needs the lock.
    void start(std::shared_ptr<Job> job) {
        const std::vector<Token>& prompt = job->request.prompt;
        std::size_t best = slots_.size(), kept = 0;
        for (std::size_t i = 0; i < slots_.size(); ++i) {
            if (slots_[i].job) continue;
            const std::size_t common =
                reusable_tokens(prompt, std::span(slots_[i].history).first(model_.cache.length(i)));
            if (best < slots_.size() && common < kept) continue;
            if (best < slots_.size() && common == kept && model_.cache.length(i) >= model_.cache.length(best)) continue;
            best = i;
            kept = common;
        }
        Slot& slot = slots_[best];
        model_.cache.truncate(best, kept);
        slot.history.assign(prompt.begin(), prompt.end());
        slot.turn = ++turns_;
        job->started = Clock::now();
        job->usage = {.prompt_tokens = prompt.size(), .cached_tokens = kept};
        state_.prompt_tokens += prompt.size();
        state_.cached_tokens += kept;
        slot.job = std::move(job);
    }

    std::size_t pending(std::size_t i) const { return slots_[i].history.size() - model_.cache.length(i); }

    //! Fills rows_ and sampled_: the next row of every running answer, then prompts. The one with least to go comes
    //! first, so that a long one does not keep short ones waiting; but a quarter of the room is for the one that came
    //! first, so that it comes to its end however many short ones follow.
    void plan() {
        rows_.clear();
        sampled_.clear();
        prompts_.clear();
        for (std::size_t i = 0; i < slots_.size(); ++i) {
            if (!slots_[i].job) continue;
            pending(i) == 1 ? add_rows(i, 1) : prompts_.push_back(i);
        }
        if (prompts_.empty()) return;
        std::size_t room = model_.forward.max_rows() - rows_.size();
        if (!rows_.empty()) room = std::min(room, options_.prefill_chunk);
        const auto turn = [&](std::size_t i) { return slots_[i].turn; };
        const auto rank = [&](std::size_t i) { return std::pair(pending(i), turn(i)); };
        std::sort(prompts_.begin(), prompts_.end(), [&](std::size_t a, std::size_t b) { return rank(a) < rank(b); });
        const std::size_t first = *std::min_element(prompts_.begin(), prompts_.end(),
                                                    [&](std::size_t a, std::size_t b) { return turn(a) < turn(b); });
        std::size_t kept = std::min(pending(first), (room + 3) / 4);
        for (const std::size_t i : prompts_) {
            if (i == first) kept = 0;
            const std::size_t count = std::min(pending(i), room - kept);
            add_rows(i, count);
            room -= count;
        }
    }

    //! The next `count` rows of slot i.
    void add_rows(std::size_t i, std::size_t count) {
        const std::size_t held = model_.cache.length(i);
        for (std::size_t at = held; at < held + count; ++at) {
            const bool is_last = at + 1 == slots_[i].history.size();
            rows_.push_back(
                {slots_[i].history[at], static_cast<std::int32_t>(i), static_cast<std::int32_t>(at), is_last});
            if (is_last) sampled_.push_back(i);
        }
    }

    //! Computes the batch, then gives every slot whose logits came its next token.
    void step() {
        const Status computed = model_.forward(*model_.executor, model_.cache, rows_, logits_, &abort_);
        if (!computed.ok()) return fail_all(computed);
        if constexpr (AsyncSampler<Sampler, LogitsRow>) {
            each_sampled([&](Slot& slot, std::size_t k) { start_sampling(slot, k); });
        }
        each_sampled([&](Slot& slot, std::size_t k) { sample(slot, k); });
    }

    //! f(slot, row of the logits) for every slot whose logits came and that has not failed; an exception ends that
    //! one's answer.
    template <class F>
    void each_sampled(F f) {
        for (std::size_t k = 0; k < sampled_.size(); ++k) {
            Slot& slot = slots_[sampled_[k]];
            if (!slot.job) continue;
            try {
                f(slot, k);
            } catch (...) {
                if (slot.job) fail(slot, error_of_exception());
            }
        }
    }

    static SampleContext sample_context(const Slot& slot) {
        return {.history = slot.history,
                .seed = slot.job->request.options.seed,
                .position = static_cast<std::uint32_t>(slot.history.size())};
    }

    //! Whether a slot's token is started before those of the slots before it are there. The logits that
    //! log-probabilities are made of must be read before.
    static bool starts_early(const Job& job) { return !job.answer.end() && !job.request.top_logprobs; }

    void start_sampling(Slot& slot, std::size_t k) {
        if (!starts_early(*slot.job)) return;
        const Status started = slot.job->request.sampler.start(logits_.row(k), sample_context(slot));
        if (!started.ok()) fail(slot, started);
    }

    Expected<Token> next_token(Slot& slot, std::size_t k) {
        Sampler& sampler = slot.job->request.sampler;
        if constexpr (AsyncSampler<Sampler, LogitsRow>) {
            if (starts_early(*slot.job)) return sampler.wait(logits_.row(k));
        }
        return sampler.sample(logits_.row(k), sample_context(slot));
    }

    //! From row k of the logits.
    void sample(Slot& slot, std::size_t k) {
        Job& job = *slot.job;
        if (job.answer.tokens() == 0) job.prompt_done = Clock::now();
        if (!job.answer.end()) {
            const auto top_logprobs = job.request.top_logprobs;
            if (top_logprobs) {  // the sampler overwrites the logits
                raw_logits_.resize(model_.forward.vocab());
                if (const Status read = logits_.read(k, raw_logits_); !read.ok()) return fail(slot, read);
            }
            const Expected<Token> token = next_token(slot, k);
            if (!token.ok()) return fail(slot, token.status());
            slot.history.push_back(*token);
            ++generated_;
            TokenEvent event = job.answer.add(model_.vocabulary, *token);
            if (top_logprobs) event.logprobs = logprobs_of(*token, *top_logprobs);
            if (job.channel.on_token(event) == Flow::stop) job.answer.cancel();
        }
        if (job.answer.end()) end(slot, *job.answer.end());
    }

    //! From raw_logits_; valid until the next call.
    std::span<const TokenLogprob> logprobs_of(Token token, std::size_t top) {
        compute_logprobs(raw_logits_, token, top, logprobs_);
        for (TokenLogprob& logprob : logprobs_) logprob.bytes = model_.vocabulary.tokenizer.piece(logprob.id);
        return logprobs_;
    }

    void cancel(Slot& slot) { end(slot, FinishReason::cancelled); }

    //! Frees the slot first, so that whoever hears of the end finds it free.
    void end(Slot& slot, FinishReason reason) {
        const std::shared_ptr<Job> job = std::exchange(slot.job, nullptr);
        const std::lock_guard lock(mutex_);
        publish();
        finish(*job, reason);
    }

    //! Needs the lock.
    void finish(Job& job, FinishReason reason) {
        job.usage.completion_tokens = job.answer.tokens();
        ++(reason == FinishReason::cancelled ? state_.cancelled : state_.finished);
        const auto ms = [](Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); };
        Timings timings;
        if (job.prompt_done != Clock::time_point()) {
            timings = {ms(job.prompt_done - job.started), ms(Clock::now() - job.prompt_done)};
        }
        job.channel.on_finish({reason, job.usage, timings});
    }

    void fail_all(const Status& error) {
        for (Slot& slot : slots_) {
            if (slot.job && error.code() == Errc::cancelled) cancel(slot);
            if (slot.job) fail(slot, error);
        }
    }

    void fail(Slot& slot, const Status& error) {
        const std::shared_ptr<Job> job = std::exchange(slot.job, nullptr);
        const std::lock_guard lock(mutex_);
        publish();
        ++state_.failed;
        job->channel.on_error(error);
    }

    // The worker's own, but for the constant parts of the model.
    LoadedModel<P> model_;
    const EngineOptions options_;
    std::vector<Slot> slots_;
    std::vector<Row> rows_;               // of the next batch
    std::vector<std::size_t> sampled_;    // the slots of those rows that want logits, in order
    std::vector<std::size_t> prompts_;    // slots whose prompts wait, as plan() serves them
    Logits logits_;                       // of as many rows as slots
    std::vector<float> raw_logits_;       // [vocab], of a token whose log-probabilities are wanted
    std::vector<TokenLogprob> logprobs_;  // of that token
    std::uint64_t turns_ = 0;             // jobs that got a slot
    std::uint64_t generated_ = 0;         // tokens sampled

    std::atomic<bool> abort_{false};  // give up what is running

    mutable std::mutex mutex_;  // of what follows
    std::condition_variable changed_;
    std::deque<std::shared_ptr<Job>> queue_;
    EngineState state_;
    bool draining_ = false;

    std::thread worker_;
};

}  // namespace sluice::server
