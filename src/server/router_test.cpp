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
    router_.add("GET", "/run/{id}/power", say("power"));
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

TEST_F(RouterTest, WhatMatchesNothingIsNotFound) {
  for (const char* path :
       {"", "/run", "/run/", "/run/7/", "/run//power", "/runs/7", "run/7", "//"}) {
    EXPECT_EQ(ask("GET", path).status, 404) << path;
  }
}

TEST_F(RouterTest, AWrongMethodIsToldWhichThereAre) {
  const HttpResponse response = ask("POST", "/run/7");
  EXPECT_EQ(response.status, 405);
  ASSERT_EQ(response.headers.size(), 1U);
  EXPECT_EQ(response.headers[0].second, "DELETE, GET");
}

}  // namespace
}  // namespace enprof
