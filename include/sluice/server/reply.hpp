// SPDX-License-Identifier: Apache-2.0
//! What a handler replies: JSON, and errors in the form that OpenAI's clients read.
#pragma once

#include <httplib.h>
#include <string>
#include <string_view>

#include "sluice/core/status.hpp"
#include "sluice/server/json.hpp"
#include "sluice/sink/sse.hpp"

namespace sluice::server {

inline void reply(httplib::Response& response, const Json& json) {
    response.set_content(json_text(json), "application/json");
}

//! An error of this HTTP status: {"error":{"message","type","code","param"}}.
inline void refuse(httplib::Response& response, int status, const Status& error) {
    const std::string_view type = status == 401  ? "authentication_error"
                                  : status < 500 ? "invalid_request_error"
                                                 : "server_error";
    response.status = status;
    response.set_content(sse::error_json(error.message(), type, status, error.where()), "application/json");
}

//! The same for what httplib refuses by itself.
inline void refuse(httplib::Response& response, int status) {
    const std::string_view what = status == 404   ? "there is nothing at this path for this method"
                                  : status == 413 ? "the body is longer than the server takes"
                                                  : "the request is not valid HTTP that the server takes";
    refuse(response, status, Status(Errc::invalid_argument, "", std::string(what)));
}

//! An error that is not the client's: the server is full or going down, or the model is broken.
inline void fail(httplib::Response& response, const Status& error) {
    const bool later = error.code() == Errc::out_of_capacity || error.code() == Errc::cancelled;
    if (later) response.set_header("Retry-After", "1");
    refuse(response, later ? 503 : 500, error);
}

}  // namespace sluice::server
