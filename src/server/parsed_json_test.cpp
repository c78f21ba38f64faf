#include "server/parsed_json.hpp"

#include <gtest/gtest.h>

#include <string>

namespace enprof {
namespace {

TEST(ParsedJson, FindsAMemberThatComesTwiceAtAnyDepth) {
  for (const char* text : {R"({"a":1,"a":2})", R"({"b":{"a":1,"a":1}})",
                           R"([{"c":[{"a":1,"a":{}}]}])", R"({"b":{"c":{}},"a":1,"d":{},"a":2})"}) {
    const ParsedJson parsed = parse_json(text);
    EXPECT_EQ(parsed.repeated, "a") << text;
    ASSERT_TRUE(parsed.repetition()) << text;
    EXPECT_EQ(parsed.repetition()->code, ErrorCode::invalid_argument);
    EXPECT_EQ(parsed.repetition()->message, "'a' is given more than once");
  }
}

TEST(ParsedJson, MembersOfDifferentObjectsMayHaveOneName) {
  for (const char* text :
       {R"({"a":{"a":[{"a":1},{"a":2}]}})", R"({"a":"{\"b\":1,\"b\":2}"})", "[]", "1"}) {
    const ParsedJson parsed = parse_json(text);
    EXPECT_FALSE(parsed.repetition()) << text;
    EXPECT_EQ(parsed.json, nlohmann::json::parse(text));
  }
}

TEST(ParsedJson, WhatIsNoJsonIsDiscarded) {
  for (const char* text : {"", "{", "{\"a\"", "{\"a\":1,\"a\":", "\xff", "}"}) {
    EXPECT_TRUE(parse_json(text).json.is_discarded()) << text;
  }
}

}  // namespace
}  // namespace enprof
