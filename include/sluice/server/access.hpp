// SPDX-License-Identifier: Apache-2.0
//! Who may ask a server: the keys that clients must have, and the origins whose pages browsers let ask.
#pragma once

#include <cstddef>
#include <httplib.h>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/server/json.hpp"
#include "sluice/server/reply.hpp"

namespace sluice::server {

//! Whether the texts are equal, in a time that does not tell where they differ. `key` is not empty.
inline bool equal_in_constant_time(std::string_view given, std::string_view key) {
    unsigned difference = given.size() == key.size() ? 0 : 1;
    for (std::size_t i = 0; i < given.size(); ++i) {
        difference |= static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(key[i % key.size()]);
    }
    return difference == 0;
}

struct Access {
    std::vector<std::string> api_keys{};  //!< any of them opens all but /health and /; none: no key is asked for
    std::string cors_origin{};            //!< the origin whose pages may ask, "*" for any; empty: none but the own page

    //! Whether a request goes on to its handler. If not, the response is there.
    bool admit(const httplib::Request& request, httplib::Response& response) const {
        if (!cors_origin.empty()) {
            response.set_header("Access-Control-Allow-Origin", cors_origin);
            response.set_header("Vary", "Origin");
            if (request.method == "OPTIONS") return answer_preflight(response);
        }
        if (request.has_header("Content-Encoding")) {
            refuse(response, 415, bad_field("", "compressed bodies are not supported"));
        } else if (!is_open(request.path) && !has_key(request.get_header_value("Authorization"))) {
            refuse(response, 401, bad_field("", "the API key is missing or wrong", "send 'Authorization: Bearer KEY'"));
        } else {
            return true;
        }
        response.set_header("Connection", "close");  // with the body unread
        return false;
    }

private:
    static bool is_open(std::string_view path) { return path == "/health" || path == "/"; }

    //! A browser asks, without a key, what its page may send.
    static bool answer_preflight(httplib::Response& response) {
        response.set_header("Access-Control-Allow-Methods", "GET, POST");
        response.set_header("Access-Control-Allow-Headers", "Authorization, Content-Type");
        response.set_header("Access-Control-Max-Age", "600");
        response.status = 204;
        return false;
    }

    bool has_key(std::string_view authorization) const {
        if (api_keys.empty()) return true;
        constexpr std::string_view scheme = "Bearer ";
        if (!authorization.starts_with(scheme)) return false;
        bool found = false;
        for (const std::string& key : api_keys) {
            found |= equal_in_constant_time(authorization.substr(scheme.size()), key);
        }
        return found;
    }
};

}  // namespace sluice::server
