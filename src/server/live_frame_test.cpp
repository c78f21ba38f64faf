#include "server/live_frame.hpp"

#include "enprof/model/event.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace enprof {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> types_in(const std::string& frame) {
  std::vector<std::string> result;
  if (frame.empty()) {
    return result;
  }
  for (const auto& event : nlohmann::json::parse(frame)) {
    result.push_back(std::to_string(event["seq"].get<int>()) + event["type"].get<std::string>());
  }
  return result;
}

class LiveFrameTest : public ::testing::Test {
 protected:
  LiveFrameTest() {
    for (const char* type : {"run_started", "power_sample", "token_complete", "power_sample"}) {
      hub_.publish("a", type, Nanoseconds{0}, "{}");
    }
    hub_.publish("b", "power_sample", Nanoseconds{0}, "{}");
  }
  EventHub hub_{{.events = 5, .bytes = 1U << 20U}};
};

TEST_F(LiveFrameTest, IsAnArrayOfEnvelopes) {
  EXPECT_THAT(types_in(make_frame(hub_.read(0, 10), {}, false)),
              ElementsAre("1run_started", "2power_sample", "3token_complete", "4power_sample",
                          "5power_sample"));
  EXPECT_EQ(make_frame(hub_.read(5, 10), {}, false), "");
}

TEST_F(LiveFrameTest, TheFilterLeavesOutRunsAndTypes) {
  EXPECT_THAT(types_in(make_frame(hub_.read(0, 10), {.runs = {"b"}, .types = {}}, false)),
              ElementsAre("5power_sample"));
  EXPECT_THAT(
      types_in(make_frame(hub_.read(0, 10), {.runs = {"a"}, .types = {"token_complete"}}, false)),
      ElementsAre("3token_complete"));
  EXPECT_EQ(make_frame(hub_.read(0, 10), {.runs = {"c"}, .types = {}}, false), "");
}

TEST_F(LiveFrameTest, MergingKeepsTheLastPowerSampleOfEachRun) {
  EXPECT_THAT(types_in(make_frame(hub_.read(0, 10), {}, true)),
              ElementsAre("1run_started", "3token_complete", "4power_sample", "5power_sample"));
}

TEST_F(LiveFrameTest, AGapComesFirstWithTheNumberBeforeTheNext) {
  hub_.publish("b", "token_complete", Nanoseconds{0}, "{}");
  hub_.publish("b", "token_complete", Nanoseconds{0}, "{}");
  const auto batch = hub_.read(0, 1);
  const std::string frame = make_frame(batch, {.runs = {"b"}, .types = {}}, false);
  EXPECT_THAT(types_in(frame), ElementsAre("2gap"));
  EXPECT_EQ(nlohmann::json::parse(frame)[0]["data"],
            nlohmann::json::parse(R"({"missed":2,"restarted":false})"));
}

TEST_F(LiveFrameTest, AnotherServersNumberIsAGapWithoutACount) {
  const std::string frame = make_frame(hub_.read(77, 2), {}, false);
  EXPECT_THAT(types_in(frame), ElementsAre("0gap", "1run_started", "2power_sample"));
  EXPECT_EQ(nlohmann::json::parse(frame)[0]["data"],
            nlohmann::json::parse(R"({"missed":null,"restarted":true})"));
}

TEST(ParseSubscription, TakesRunsAndTypes) {
  const auto filter = parse_subscription(R"({"subscribe":{"runs":["a","b"],"types":null}})");
  ASSERT_TRUE(filter);
  EXPECT_THAT(filter->runs, ElementsAre("a", "b"));
  EXPECT_TRUE(filter->types.empty());
  EXPECT_TRUE(parse_subscription(R"({"subscribe":{}})"));
}

TEST(ParseSubscription, RefusesAnythingElse) {
  std::string many = R"({"subscribe":{"runs":["x")";
  for (std::size_t index = 0; index < kMostNames; ++index) {
    many += ",\"" + std::to_string(index) + "\"";
  }
  many += "]}}";
  for (const std::string& message :
       {std::string(""), std::string("{"), std::string("[]"), std::string("{}"),
        std::string(R"({"subscribe":1})"), std::string(R"({"subscribe":{"runs":"a"}})"),
        std::string(R"({"subscribe":{"types":[1]}})"), std::string("\xff"), many}) {
    const auto parsed = parse_subscription(message);
    ASSERT_FALSE(parsed) << message;
    EXPECT_EQ(parsed.error().code, ErrorCode::malformed);
  }
}

TEST(ParseSubscription, AnUnknownTypeIsRefusedWithASuggestion) {
  const auto wrong = parse_subscription(R"({"subscribe":{"types":["token_completed"]}})");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(wrong.error().message, "There are no events of type 'token_completed'");
  EXPECT_EQ(wrong.error().hint.find("Did you mean 'token_complete'? "), 0U);
  for (const char* message : {R"({"subscribe":{"type":["error"]}})",
                              R"({"subscribe":{},"since":3})", R"({"subscribe":{"types":[""]}})"}) {
    EXPECT_EQ(parse_subscription(message).error().code, ErrorCode::invalid_argument) << message;
  }
}

TEST(ParseSubscription, AMemberThatComesTwiceIsRefused) {
  for (const char* message : {R"({"subscribe":{"types":["error"],"types":["warning"]}})",
                              R"({"subscribe":{"runs":["a"]},"subscribe":{}})"}) {
    const auto twice = parse_subscription(message);
    ASSERT_FALSE(twice) << message;
    EXPECT_EQ(twice.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(twice.error().message, ::testing::HasSubstr("is given more than once"));
  }
}

TEST(ParseSubscription, AnEmptyListIsRefusedWithAHint) {
  for (const char* member : {"types", "runs"}) {
    const auto nothing =
        parse_subscription(R"({"subscribe":{")" + std::string(member) + R"(":[]}})");
    ASSERT_FALSE(nothing) << member;
    EXPECT_EQ(nothing.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(nothing.error().message, ::testing::HasSubstr(std::string(member) + "' is empty"));
    EXPECT_THAT(nothing.error().hint, ::testing::HasSubstr("Leave '" + std::string(member)));
  }
}

TEST(ParseSubscription, EveryTypeCanBeSubscribedTo) {
  for (const std::string_view type : live_event_types()) {
    EXPECT_TRUE(parse_subscription(R"({"subscribe":{"types":[")" + std::string(type) + R"("]}})"))
        << type;
  }
  for (std::size_t type = 0; type < std::variant_size_v<EventData>; ++type) {
    EXPECT_THAT(live_event_types(), ::testing::Contains(to_string(static_cast<EventType>(type))));
  }
}

}  // namespace
}  // namespace enprof
