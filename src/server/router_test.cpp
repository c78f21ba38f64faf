#include "server/router.hpp"

#include <gtest/gtest.h>

#include <string>

namespace enprof {
namespace {

class RouterTest : public ::testing::Test {
 protected:
  RouterTest() {
    const auto say = [](const std::string& name) {
      return [name](const HttpRequest&, const Router::Captures& captures) {
        HttpResponse response{.body = name};
        for (const std::string& capture : captures) {
          response.body += " " + capture;
        }
        return response;
      };
    };
    router_.add("GET", "/", say("home"));
    router_.add("GET", "/run/{id}", say("get"));
    router_.add("DELETE", "/run/{id}", say("delete"));
    router_.add("GET", "/run/{id}/power", say("power"), {.parameters = {"points", "phase"}});
    router_.add("POST", "/run", say("post"), {.body = true});
    router_.add("GET", "/page", say("page"), {.any_parameter = true});
  }
  HttpResponse ask(const std::string& method, const std::string& path) const {
    return router_.route({.method = method, .path = path});
  }

  Router router_;
};

TEST_F(RouterTest, MatchesPathsAndMethods) {
  EXPECT_EQ(ask("GET", "/").body, "home");
  EXPECT_EQ(ask("GET", "/run/a b").body, "get a b");
  EXPECT_EQ(ask("DELETE", "/run/7").body, "delete 7");
  EXPECT_EQ(ask("GET", "/run/7/power").body, "power 7");
  EXPECT_EQ(ask("HEAD", "/run/7").body, "get 7");
}

TEST_F(RouterTest, AnUnknownPathIsNotFound) {
  for (const char* path : {"/runs", "/run/", "/run/7/", "/run//power", "/runs/7", "//"}) {
    EXPECT_EQ(ask("GET", path).status, 404) << path;
  }
}

TEST_F(RouterTest, ATargetThatIsNotAPathIsMalformed) {
  for (const char* path : {"", "run/7"}) {  // what cannot be decoded is empty
    EXPECT_EQ(ask("GET", path).status, 400) << path;
  }
}

TEST_F(RouterTest, AWrongMethodGetsTheAllowedOnes) {
  const HttpResponse response = ask("POST", "/run/7");
  EXPECT_EQ(response.status, 405);
  ASSERT_EQ(response.headers.size(), 1U);
  EXPECT_EQ(response.headers[0].second, "DELETE, GET");
}

TEST_F(RouterTest, AnUnknownParameterIsRefusedWithASuggestion) {
  HttpRequest request{.method = "GET", .path = "/run/7/power"};
  request.query = {{"points", "3"}, {"token", "s3cret"}};
  EXPECT_EQ(router_.route(request).body, "power 7");
  request.query["point"] = "3";
  const HttpResponse refused = router_.route(request);
  EXPECT_EQ(refused.status, 400);
  EXPECT_NE(refused.body.find("/run/7/power has no parameter 'point'"), std::string::npos);
  EXPECT_NE(refused.body.find("Did you mean 'points'? Choose one of: points, phase"),
            std::string::npos);
  request.method = "HEAD";
  EXPECT_EQ(router_.route(request).status, 400);
  EXPECT_EQ(router_.route({.method = "GET", .path = "/", .query = {{"x", ""}}}).status, 400);
  EXPECT_EQ(router_.route({.method = "GET", .path = "/page", .query = {{"x", ""}}}).body, "page");
}

TEST_F(RouterTest, AParameterThatComesTwiceIsRefused) {
  HttpRequest request{.method = "GET", .path = "/run/7/power", .query = {{"points", "3"}}};
  request.repeated = {"points"};
  const HttpResponse refused = router_.route(request);
  EXPECT_EQ(refused.status, 400);
  EXPECT_NE(refused.body.find("'points' is given more than once"), std::string::npos);
}

TEST_F(RouterTest, AnUnexpectedBodyIsRefused) {
  for (const char* body : {"", " \r\n", "{}", " {}\n"}) {
    EXPECT_EQ(router_.route({.method = "DELETE", .path = "/run/7", .body = body}).body, "delete 7");
  }
  EXPECT_EQ(router_.route({.method = "POST", .path = "/run", .body = "x"}).body, "post");
  const HttpResponse refused =
      router_.route({.method = "DELETE", .path = "/run/7", .body = R"({"force":true})"});
  EXPECT_EQ(refused.status, 400);
  EXPECT_NE(refused.body.find("DELETE /run/7 takes no body"), std::string::npos);
}

}  // namespace
}  // namespace enprof
