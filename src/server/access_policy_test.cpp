#include "server/access_policy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace enprof {
namespace {

using ::testing::Contains;
using ::testing::Pair;

HttpRequest request(const std::string& host, const std::string& origin = "",
                    const std::string& authorization = "") {
  HttpRequest result{.method = "GET", .path = "/api/models"};
  result.headers["host"] = host;
  if (!origin.empty()) {
    result.headers["origin"] = origin;
  }
  if (!authorization.empty()) {
    result.headers["authorization"] = authorization;
  }
  return result;
}

TEST(AccessPolicy, LoopbackTakesItsOwnNames) {
  const AccessPolicy policy("127.0.0.1", 8000, "");
  for (const char* host : {"127.0.0.1:8000", "localhost:8000", "LocalHost.:8000", "[::1]:8000"}) {
    EXPECT_FALSE(policy.refusal(request(host))) << host;
    EXPECT_FALSE(policy.refusal(request(host, std::string("http://") + host))) << host;
  }
}

TEST(AccessPolicy, AForeignNameForOurAddressIsRefused) {
  const AccessPolicy policy("127.0.0.1", 8000, "");
  for (const char* host :
       {"evil.example:8000", "127.0.0.1.evil.example:8000", "127.0.0.1:8001", "127.0.0.1", "",
        "localhost:8000x", "[::1:8000", ":8000", "192.168.1.2:8000"}) {
    const auto refusal = policy.refusal(request(host));
    ASSERT_TRUE(refusal) << host;
    EXPECT_EQ(refusal->status, 403);
  }
}

TEST(AccessPolicy, AForeignPageIsRefused) {
  const AccessPolicy policy("127.0.0.1", 8000, "");
  for (const char* origin : {"http://evil.example", "https://localhost:8000", "null",
                             "http://localhost:3000", "http://localhost:8000.evil.example"}) {
    EXPECT_TRUE(policy.refusal(request("localhost:8000", origin))) << origin;
  }
}

TEST(AccessPolicy, ATokenIsAskedFor) {
  const AccessPolicy policy("0.0.0.0", 8000, "s3cret");
  EXPECT_FALSE(policy.refusal(request("box.lan:8000", "http://box.lan:8000", "Bearer s3cret")));
  for (const char* given : {"", "Bearer ", "Bearer s3cre", "Bearer s3cret1", "Basic s3cret"}) {
    const auto refusal = policy.refusal(request("box.lan:8000", "", given));
    ASSERT_TRUE(refusal) << given;
    EXPECT_EQ(refusal->status, 401);
    EXPECT_THAT(refusal->headers, Contains(Pair("WWW-Authenticate", "Bearer")));
  }
  HttpRequest websocket = request("box.lan:8000");
  websocket.query["token"] = "s3cret";
  EXPECT_FALSE(policy.refusal(websocket));
  EXPECT_TRUE(policy.refusal(request("localhost:8000")));
}

TEST(AccessPolicy, ThePageIsServedWithoutATokenAndAsksForItItself) {
  const AccessPolicy policy("0.0.0.0", 8000, "s3cret");
  HttpRequest page = request("box.lan:8000");
  page.method = "GET";
  for (const char* path : {"/", "/icon.svg", "/assets/index-1.js"}) {
    page.path = path;
    EXPECT_FALSE(policy.refusal(page)) << path;
  }
  for (const char* path : {"/api/models", "/metrics", "/ws/profiling", "/assets", "//", ""}) {
    page.path = path;
    EXPECT_TRUE(policy.refusal(page)) << path;
  }
  page.path = "/";
  page.method = "POST";
  EXPECT_TRUE(policy.refusal(page));
}

TEST(AccessPolicy, LoopbackAddresses) {
  for (const char* host : {"localhost", "127.0.0.1", "127.9.9.9", "::1"}) {
    EXPECT_TRUE(AccessPolicy::is_loopback(host)) << host;
  }
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "localhost.example", "127.example"}) {
    EXPECT_FALSE(AccessPolicy::is_loopback(host)) << host;
  }
}

TEST(AccessPolicy, TokensAreLongAndDiffer) {
  const auto one = AccessPolicy::make_token();
  const auto other = AccessPolicy::make_token();
  ASSERT_TRUE(one && other);
  EXPECT_EQ(one->size(), 32U);
  EXPECT_NE(*one, *other);
}

}  // namespace
}  // namespace enprof
