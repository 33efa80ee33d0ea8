// SPDX-License-Identifier: Apache-2.0
#include "sluice/server/access.hpp"

#include <doctest/doctest.h>
#include <httplib.h>
#include <string>

using namespace sluice::server;

namespace {

//! The status of a refused request of these headers; 0 if it was let in.
int refusal(const Access& access, const std::string& path, const httplib::Headers& headers = {}) {
    httplib::Request request;
    request.method = "POST";
    request.path = path;
    request.headers = headers;
    httplib::Response response;
    return access.admit(request, response) ? 0 : response.status;
}

}  // namespace

TEST_CASE("access: keys are equal as a whole, or not at all") {
    CHECK(equal_in_constant_time("key", "key"));
    for (const char* given : {"", "k", "ke", "kez", "Key", "keykey", "key ", " key"}) {
        CHECK_FALSE_MESSAGE(equal_in_constant_time(given, "key"), given);
    }
    CHECK_FALSE(equal_in_constant_time(std::string("key\0", 4), "key"));
}

TEST_CASE("access: any of the keys lets in, and nothing else does, but for /health and the page") {
    const Access open, closed{.api_keys = {"one", "another"}};
    CHECK(refusal(open, "/metrics") == 0);
    for (const char* key : {"one", "another"}) {
        CHECK(refusal(closed, "/metrics", {{"Authorization", "Bearer " + std::string(key)}}) == 0);
    }
    for (const char* header : {"", "Bearer", "Bearer ", "Bearer on", "bearer one", "one", "Bearer oneanother"}) {
        CHECK(refusal(closed, "/metrics", {{"Authorization", header}}) == 401);
        CHECK(refusal(closed, "/health", {{"Authorization", header}}) == 0);
        CHECK(refusal(closed, "/", {{"Authorization", header}}) == 0);
    }
    for (const char* path : {"/health/", "//", "/v1/health", ""}) CHECK(refusal(closed, path) == 401);
}

TEST_CASE("access: a compressed body is refused, with or without a key") {
    for (const Access& access : {Access{}, Access{.api_keys = {"one"}}}) {
        CHECK(refusal(access, "/v1/completions", {{"Content-Encoding", "gzip"}, {"Authorization", "Bearer one"}}) ==
              415);
    }
}
