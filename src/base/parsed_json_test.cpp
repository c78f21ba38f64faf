#include "base/parsed_json.hpp"

#include "base/json_node.hpp"

#include <gtest/gtest.h>

#include <string>

namespace enprof {
namespace {

TEST(ParsedJson, FindsAMemberThatComesTwiceAtAnyDepth) {
  for (const char* text : {R"({"a":1,"a":2})", R"({"b":{"a":1,"a":1}})",
                           R"([{"c":[{"a":1,"a":{}}]}])", R"({"b":{"c":{}},"a":1,"d":{},"a":2})"}) {
    const ParsedJson parsed = parse_json(text);
    EXPECT_EQ(parsed.repeated, "a") << text;
    try {
      parsed.refuse_repetition();
      ADD_FAILURE() << text;
    } catch (const JsonError& wrong) {
      EXPECT_STREQ(wrong.what(), "'a' is given more than once");
    }
  }
}

TEST(ParsedJson, MembersOfDifferentObjectsMayHaveOneName) {
  for (const char* text :
       {R"({"a":{"a":[{"a":1},{"a":2}]}})", R"({"a":"{\"b\":1,\"b\":2}"})", "[]", "1"}) {
    const ParsedJson parsed = parse_json(text);
    EXPECT_NO_THROW(parsed.refuse_repetition()) << text;
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
