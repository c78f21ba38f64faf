#include "server/access_policy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
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

TEST(AccessPolicy, ATunnelsPortIsAllowed) {
  const AccessPolicy policy("127.0.0.1", 8000, "");
  for (const char* host : {"localhost:9000", "127.0.0.1:80", "127.0.0.1", "[::1]:9000"}) {
    EXPECT_FALSE(policy.refusal(request(host))) << host;
    EXPECT_FALSE(policy.refusal(request(host, std::string("http://") + host))) << host;
  }
  EXPECT_FALSE(policy.refusal(request("localhost:8443", "https://localhost:8443")));
  EXPECT_FALSE(policy.refusal(request("localhost", "https://localhost")));
}

TEST(AccessPolicy, AForeignNameForOurAddressIsRefused) {
  const AccessPolicy policy("127.0.0.1", 8000, "");
  for (const char* host :
       {"evil.example:8000", "127.0.0.1.evil.example:8000", "localhost.evil.example", "",
        "localhost:8000x", "localhost:99999", "[::1:8000", ":8000", "192.168.1.2:8000",
        "localhost:8000, evil.example", "user@localhost:8000", "localhost/evil", "[localhost]:8000",
        "localhost:8000:8000"}) {
    const auto refusal = policy.refusal(request(host));
    ASSERT_TRUE(refusal) << host;
    EXPECT_EQ(refusal->status, 403);
  }
}

TEST(AccessPolicy, ForwardedHeadersAreIgnored) {
  const AccessPolicy policy("127.0.0.1", 8000, "");
  HttpRequest foreign = request("evil.example:8000");
  foreign.headers["x-forwarded-host"] = "localhost:8000";
  foreign.headers["x-forwarded-for"] = "127.0.0.1";
  foreign.headers["forwarded"] = "host=localhost";
  EXPECT_TRUE(policy.refusal(foreign));
}

TEST(AccessPolicy, AForeignPageIsRefused) {
  const AccessPolicy policy("127.0.0.1", 8000, "");
  for (const char* origin :
       {"http://evil.example", "null", "http://localhost:3000", "https://localhost",
        "http://127.0.0.2:8000", "http://localhost:8000.evil.example", "ftp://localhost:8000",
        "localhost:8000", "http://localhost:8000/", "http://evil.example@localhost:8000"}) {
    EXPECT_TRUE(policy.refusal(request("localhost:8000", origin))) << origin;
  }
}

TEST(AccessPolicy, NamesThatWereAllowedAreOurs) {
  const AccessPolicy policy(
      "127.0.0.1", 8000, "",
      {*AccessPolicy::parse_host("Box.lan"), *AccessPolicy::parse_host("box.example:8443")});
  EXPECT_FALSE(policy.refusal(request("box.lan")));
  EXPECT_FALSE(policy.refusal(request("BOX.lan:9000", "http://box.lan:9000")));
  EXPECT_FALSE(policy.refusal(request("box.lan", "https://box.lan")));
  EXPECT_FALSE(policy.refusal(request("box.example:8443", "https://box.example:8443")));
  // A proxy that connects to our own address: its page has the allowed name.
  EXPECT_FALSE(policy.refusal(request("127.0.0.1:8000", "https://box.lan")));
  for (const char* host : {"box.example", "box.example:8444", "other.lan", "sub.box.lan"}) {
    EXPECT_TRUE(policy.refusal(request(host))) << host;
  }
  for (const char* origin : {"https://box.example", "https://evil.example", "null"}) {
    EXPECT_TRUE(policy.refusal(request("box.lan", origin))) << origin;
  }
}

TEST(AccessPolicy, AHostIsANameAndPerhapsAPort) {
  EXPECT_EQ(AccessPolicy::parse_host("Box.Lan."),
            (AccessPolicy::Host{.name = "box.lan", .port = std::nullopt}));
  EXPECT_EQ(AccessPolicy::parse_host("[2001:DB8::7]:80"),
            (AccessPolicy::Host{.name = "2001:db8::7", .port = 80}));
  for (const char* text : {"", "*", "*.lan", "https://box.lan", "box.lan/", "box:", "a b", "."}) {
    const auto host = AccessPolicy::parse_host(text);
    ASSERT_FALSE(host) << text;
    EXPECT_EQ(host.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(host.error().hint.find("--allow-host"), std::string::npos);
  }
}

TEST(AccessPolicy, ATokenIsRequired) {
  const AccessPolicy policy("0.0.0.0", 8000, "s3cret");
  for (const char* given :
       {"", "Bearer ", "Bearer", "Bearer s3cre", "Bearer s3cret1", "Basic s3cret", "s3cret",
        "Bearers3cret", "Bearer s3cret, Bearer s3cret"}) {
    const auto refusal = policy.refusal(request("box.lan:8000", "", given));
    ASSERT_TRUE(refusal) << given;
    EXPECT_EQ(refusal->status, 401);
    EXPECT_THAT(refusal->headers, Contains(Pair("WWW-Authenticate", "Bearer")));
  }
  for (const char* given : {"Bearer s3cret", "bearer s3cret", "BEARER   s3cret"}) {
    EXPECT_FALSE(policy.refusal(request("box.lan:8000", "http://box.lan:8000", given))) << given;
  }
  HttpRequest websocket = request("box.lan:8000");
  websocket.query["token"] = "s3cret";
  EXPECT_FALSE(policy.refusal(websocket));
  websocket.headers["authorization"] = "Basic dXNlcjpwYXNz";  // credentials for a proxy
  EXPECT_FALSE(policy.refusal(websocket));
  EXPECT_TRUE(policy.refusal(request("localhost:8000")));
}

TEST(AccessPolicy, AClientWithTheTokenMayUseAnyName) {
  for (const char* listening : {"0.0.0.0", "127.0.0.1", "192.0.2.7"}) {
    const AccessPolicy policy(listening, 8000, "s3cret");
    for (const char* host : {"localhost:9000", "box.lan", "box.lan:80", "203.0.113.9:31337",
                             "[2001:db8::7]:8000", ""}) {
      EXPECT_FALSE(policy.refusal(request(host, "", "Bearer s3cret"))) << listening << " " << host;
    }
    for (const char* origin : {"https://box.example", "http://box.example:8080"}) {
      EXPECT_FALSE(policy.refusal(request("box.example", origin, "Bearer s3cret"))) << origin;
    }
    for (const char* origin :
         {"https://evil.example", "null", "https://box.example.evil.example"}) {
      const auto refusal = policy.refusal(request("box.example", origin, "Bearer s3cret"));
      ASSERT_TRUE(refusal) << origin;
      EXPECT_EQ(refusal->status, 403);
    }
    EXPECT_EQ(policy.refusal(request("evil.example", "https://evil.example"))->status, 401);
  }
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
