#include "server/access_policy.hpp"

#include <gtest/gtest.h>

#include <string>

namespace enprof {
namespace {

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
    EXPECT_TRUE(policy.check(request(host))) << host;
    EXPECT_TRUE(policy.check(request(host, std::string("http://") + host))) << host;
  }
}

TEST(AccessPolicy, AForeignNameForOurAddressIsRefused) {
  const AccessPolicy policy("127.0.0.1", 8000, "");
  for (const char* host :
       {"evil.example:8000", "127.0.0.1.evil.example:8000", "127.0.0.1:8001", "127.0.0.1", "",
        "localhost:8000x", "[::1:8000", ":8000", "192.168.1.2:8000"}) {
    const auto checked = policy.check(request(host));
    ASSERT_FALSE(checked) << host;
    EXPECT_EQ(checked.error().code, ErrorCode::permission_denied);
  }
}

TEST(AccessPolicy, AForeignPageIsRefused) {
  const AccessPolicy policy("127.0.0.1", 8000, "");
  for (const char* origin : {"http://evil.example", "https://localhost:8000", "null",
                             "http://localhost:3000", "http://localhost:8000.evil.example"}) {
    EXPECT_FALSE(policy.check(request("localhost:8000", origin))) << origin;
  }
}

TEST(AccessPolicy, ATokenIsAskedFor) {
  const AccessPolicy policy("0.0.0.0", 8000, "s3cret");
  EXPECT_TRUE(policy.check(request("box.lan:8000", "http://box.lan:8000", "Bearer s3cret")));
  for (const char* given : {"", "Bearer ", "Bearer s3cre", "Bearer s3cret1", "Basic s3cret"}) {
    EXPECT_FALSE(policy.check(request("box.lan:8000", "", given))) << given;
  }
  HttpRequest websocket = request("box.lan:8000");
  websocket.query["token"] = "s3cret";
  EXPECT_TRUE(policy.check(websocket));
  EXPECT_FALSE(policy.check(request("localhost:8000")));
}

TEST(AccessPolicy, ThePageIsServedWithoutATokenAndAsksForItItself) {
  const AccessPolicy policy("0.0.0.0", 8000, "s3cret");
  HttpRequest page = request("box.lan:8000");
  page.method = "GET";
  for (const char* path : {"/", "/icon.svg", "/assets/index-1.js"}) {
    page.path = path;
    EXPECT_TRUE(policy.check(page)) << path;
  }
  for (const char* path : {"/api/models", "/metrics", "/ws/profiling", "/assets", "//", ""}) {
    page.path = path;
    EXPECT_FALSE(policy.check(page)) << path;
  }
  page.path = "/";
  page.method = "POST";
  EXPECT_FALSE(policy.check(page));
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
