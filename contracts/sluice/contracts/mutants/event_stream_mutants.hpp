// SPDX-License-Identifier: Apache-2.0
//! Handlers of streamed answers that are wrong in one way each: around a true one.
#pragma once

#include <chrono>
#include <memory>
#include <string_view>
#include <vector>

#include "sluice/contracts/event_stream_laws.hpp"
#include "sluice/contracts/mutant.hpp"
#include "sluice/contracts/mutants/sse_mutants.hpp"
#include "sluice/core/generation.hpp"
#include "sluice/sink/channel.hpp"
#include "sluice/sink/sse.hpp"

namespace sluice::contracts {

//! Around a true handler.
inline std::vector<Mutant> event_stream_mutants(const HandleStream& handle) {
    using Answer = std::shared_ptr<ChannelSink>;
    const auto cancelling = [=](const Answer& answer, const sse::Head& head) {
        StreamToClient stream = handle(answer, head);
        answer->close();
        return stream;
    };
    const auto waiting = [=](const Answer& answer, const sse::Head& head) -> StreamToClient {
        //! Its own answer, which ends with the handler: what comes later is in nobody's hands.
        const auto so_far = std::make_shared<ChannelSink>(1000);
        while (answer->wait_for(std::chrono::milliseconds(0))) {
            const auto event = answer->pop();
            if (!event) break;
            so_far->on_token(event->view());
        }
        so_far->on_finish({});
        return handle(so_far, head);
    };
    const auto keeping = [=, kept = std::make_shared<std::vector<StreamToClient>>()](const Answer& answer,
                                                                                     const sse::Head& head) {
        return kept->emplace_back(handle(answer, head));
    };
    const auto hiding_errors = [=](const Answer& answer, const sse::Head& head) -> StreamToClient {
        return [stream = handle(answer, head)](const WriteToClient& write) {
            return stream(
                [&](std::string_view event) { return write(detail::ReadEvent(event).is_error() ? sse::done : event); });
        };
    };
    const auto outlives = "event_stream.outlives_its_handler";
    return {
        {"cancels the answer when it returns", outlives, event_stream_law_list(cancelling)},
        {"writes what is there when it returns", outlives, event_stream_law_list(waiting)},
        {"goes on without its client", "event_stream.cancels_without_its_client", event_stream_law_list(keeping)},
        {"ends with [DONE] whatever has happened", "event_stream.tells_how_it_ended",
         event_stream_law_list(hiding_errors)},
    };
}

}  // namespace sluice::contracts
