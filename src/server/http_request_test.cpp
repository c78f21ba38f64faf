#include "server/http_request.hpp"

#include <gtest/gtest.h>

namespace enprof {
namespace {

TEST(ParseTarget, DecodesPathAndQuery) {
  const HttpRequest request = parse_target("/api/run/a%20b?x=1%262&y=a+b&z&x=2");
  EXPECT_EQ(request.path, "/api/run/a b");
  EXPECT_EQ(request.parameter("x"), "2");
  EXPECT_EQ(request.parameter("y"), "a b");
  EXPECT_EQ(request.parameter("z"), "");
  EXPECT_EQ(request.parameter("none"), "");
}

TEST(ParseTarget, WhatComesTwiceIsKnown) {
  EXPECT_TRUE(parse_target("/?x=1&y=2").repeated.empty());
  EXPECT_EQ(parse_target("/?x=1&y=2&%78=3").repeated.count("x"), 1U);
}

TEST(ParseTarget, AWholeUrlNamesItsHostToo) {
  const HttpRequest request = parse_target("HTTP://box.lan:8000/api/run?x=1");
  EXPECT_EQ(request.path, "/api/run");
  EXPECT_EQ(request.parameter("x"), "1");
  EXPECT_EQ(request.header("host"), "box.lan:8000");
  EXPECT_EQ(parse_target("http://user:word@[::1]:80").header("host"), "[::1]:80");
  EXPECT_EQ(parse_target("https://box.lan?x=1").path, "/");
  EXPECT_EQ(parse_target("/api").header("host"), "");
}

TEST(ParseTarget, AnInvalidUrlHasNoPath) {
  for (const char* target : {"", "*", "http://[", "/%zz", "/a b", "\xff", "ftp://box.lan/",
                             "http:/api", "http:///api", "box.lan:80"}) {
    EXPECT_EQ(parse_target(target).path, "") << target;
  }
}

TEST(ParseSince, IsANumberOrTheLast) {
  EXPECT_EQ(parse_since("", 7), 7U);
  EXPECT_EQ(parse_since("3", 7), 3U);
  EXPECT_EQ(parse_since("18446744073709551615", 7), UINT64_MAX);
  for (const char* text : {"-1", "x", "3x", " 3", "18446744073709551616"}) {
    EXPECT_FALSE(parse_since(text, 7)) << text;
  }
}

}  // namespace
}  // namespace enprof
