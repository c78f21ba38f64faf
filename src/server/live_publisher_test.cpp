#include "server/live_publisher.hpp"

#include "support/sample_run.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace enprof {
namespace {

using Json = nlohmann::json;
using ::testing::ElementsAre;
using namespace std::chrono_literals;

class LivePublisherTest : public ::testing::Test {
 protected:
  std::vector<Json> published() const {
    std::vector<Json> result;
    for (const auto& event : hub_.read(0, 1000).events) {
      result.push_back(Json::parse(event->json));
    }
    return result;
  }
  EventHub hub_;
  LivePublisher publisher_{hub_};
};

TEST_F(LivePublisherTest, ATokenGoesOutAtOnceWithTheEnergyKnownByThen) {
  publisher_.publish({.run_id = "r", .data = events::RunStarted{}});
  const Event token{.run_id = "r",
                    .at = 5ms,
                    .data = events::TokenComplete{.text = "\xC3",  // half a character
                                                  .duration = 2ms}};
  publisher_.publish(token);
  publisher_.publish({.run_id = "r", .data = events::PowerSample{.power = Watts{50}}});
  publisher_.publish(token);
  const auto events = published();
  ASSERT_EQ(events.size(), 4U);
  EXPECT_TRUE(events[1]["data"]["energy_mj"].is_null());  // absent, not zero
  EXPECT_EQ(events[3]["data"]["energy_mj"], 100.0);
  EXPECT_EQ(events[3]["data"]["provisional"], true);
  EXPECT_EQ(events[3]["t_ms"], 5.0);
}

TEST_F(LivePublisherTest, ACharacterOfSeveralTokensBelongsToTheLastOfThem) {
  publisher_.publish({.run_id = "r", .data = events::RunStarted{}});
  for (const char* piece : {"a\xE2", "\x82", "\xAC z", "\xF0\x9F", "x"}) {
    publisher_.publish({.run_id = "r", .data = events::TokenComplete{.text = piece}});
  }
  publisher_.publish({.run_id = "r", .data = events::TokenComplete{.text = "\xF0"}});
  publisher_.publish({.run_id = "s", .data = events::RunStarted{}});
  publisher_.publish({.run_id = "s", .data = events::TokenComplete{.text = "b"}});
  std::vector<std::string> texts;
  for (const auto& event : published()) {
    if (event["type"] == "token_complete") {
      texts.push_back(event["data"]["text"]);
    }
  }
  // Bytes that never became a character are replaced, one sign per byte; none gets into the next
  // run.
  EXPECT_THAT(texts, ElementsAre("a", "", "\xE2\x82\xAC z", "", "\xEF\xBF\xBDx", "", "b"));
}

TEST_F(LivePublisherTest, PowerComesRailByRail) {
  publisher_.publish(
      {.run_id = "r",
       .data = events::PowerSample{.power = Watts{50},
                                   .rails = {{"package-0", Watts{50}}, {"core-0", std::nullopt}}}});
  const auto rails = published().back()["data"]["rails"];
  ASSERT_EQ(rails.size(), 2U);
  EXPECT_EQ(rails[0]["name"], "package-0");
  EXPECT_EQ(rails[0]["power_mw"], 50'000.0);
  EXPECT_TRUE(rails[1]["power_mw"].is_null());
}

TEST_F(LivePublisherTest, PowerOfAnEarlierRunDoesNotReachTheNext) {
  publisher_.publish({.run_id = "a", .data = events::PowerSample{.power = Watts{50}}});
  publisher_.publish({.run_id = "b", .data = events::RunStarted{}});
  publisher_.publish({.run_id = "b", .data = events::TokenComplete{.duration = 2ms}});
  EXPECT_TRUE(published().back()["data"]["energy_mj"].is_null());
}

TEST_F(LivePublisherTest, FinalValuesArePublishedInRanges) {
  ProfiledRun run = testing::sample_run();
  const TokenFigure token = run.tokens.at(0);
  run.tokens.assign(LivePublisher::kTokensPerEvent + 1, token);
  run.components.clear();
  run.operations.clear();
  run.layers = {{.phase = Phase::decode, .layer = OperationInfo::kNoLayer, .count = 3}};
  run.warnings = {{"power", "low_coverage", "message", ""}};
  publisher_.publish_figures(run);
  const auto events = published();
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[0]["type"], "energy_settled");
  EXPECT_EQ(events[0]["data"]["tokens"].size(), LivePublisher::kTokensPerEvent);
  EXPECT_EQ(events[0]["data"]["tokens"][0]["energy_mj"], to_mj(*token.figure.total));
  EXPECT_EQ(events[1]["data"]["tokens"].size(), 1U);
  EXPECT_EQ(events[1]["data"]["final"], true);
  EXPECT_EQ(events[2]["type"], "layer_metrics");
  EXPECT_TRUE(events[2]["data"]["entries"][0]["layer"].is_null());
  EXPECT_EQ(events[3]["type"], "warning");
}

TEST_F(LivePublisherTest, ProvisionalValuesAreNotMarkedFinal) {
  publisher_.publish({.run_id = "r", .data = events::RunStarted{}});
  const Figure figure{.duration = 2ms, .total = Joules{0.1}};
  publisher_.publish(
      {.run_id = "r", .data = events::EnergySettled{.tokens = {{.index = 7, .figure = figure}}}});
  publisher_.publish({.run_id = "r",
                      .data = events::ComponentMetrics{
                          .components = {{.layer = 3, .component = "q_proj", .figure = figure}}}});
  const auto events = published();
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[1]["data"]["final"], false);
  EXPECT_EQ(events[1]["data"]["tokens"][0]["index"], 7);
  EXPECT_EQ(events[1]["data"]["tokens"][0]["energy_mj"], 100.0);
  EXPECT_EQ(events[2]["type"], "component_metrics");
  EXPECT_EQ(events[2]["data"]["final"], false);
  EXPECT_EQ(events[2]["data"]["entries"][0]["component"], "q_proj");
  EXPECT_EQ(events[2]["data"]["entries"][0]["layer"], 3);
}

TEST_F(LivePublisherTest, SumsOfALargeModelGoOutLessOften) {
  publisher_.publish({.run_id = "r", .data = events::RunStarted{}});
  Event sums{.run_id = "r", .data = events::ComponentMetrics{std::vector<ComponentFigure>(2000)}};
  std::size_t bytes = 0;
  for (int quarter = 0; quarter < 80; ++quarter) {  // 20 s
    sums.at = quarter * 250ms;
    publisher_.publish(sums);
  }
  const auto events = hub_.read(1, 1000).events;
  for (const auto& event : events) {
    bytes += event->json.size();
  }
  EXPECT_GT(events.size(), 1U);
  EXPECT_LT(static_cast<double>(bytes), 20 * LivePublisher::kSumBytesPerSecond +
                                            2 * static_cast<double>(events[0]->json.size()));
  publisher_.publish({.run_id = "next", .data = events::RunStarted{}});
  sums.at = 0ms;  // the first event of another run
  publisher_.publish(sums);
  EXPECT_EQ(hub_.last(), events.size() + 3);
}

TEST_F(LivePublisherTest, AWarningIsPublishedOnceAndAgainOnlyIfItsFinalTextDiffers) {
  ProfiledRun run;
  run.run_id = "r";
  publisher_.publish({.run_id = "r", .data = events::RunStarted{}});
  publisher_.publish_warning("r", 5ms, {"power", "sensor_retried", "1 reading failed", "wait"});
  publisher_.publish_warning("r", 6ms, {"power", "sensor_retried", "2 readings failed", "wait"});
  publisher_.publish_warning("r", 7ms, {"store", "journal_in_use", "locked", ""});
  EXPECT_EQ(published().size(), 3U);
  EXPECT_EQ(published()[1]["t_ms"], 5.0);
  run.warnings = {{"power", "sensor_retried", "9 readings failed", "wait"},
                  {"store", "journal_in_use", "locked", ""},
                  {"power", "low_coverage", "half", ""}};
  publisher_.publish_figures(run);
  ASSERT_EQ(published().size(), 5U);
  EXPECT_EQ(published()[3]["data"]["message"], "9 readings failed");
  EXPECT_EQ(published()[4]["data"]["code"], "low_coverage");
  publisher_.publish({.run_id = "s", .data = events::RunStarted{}});
  publisher_.publish_warning("s", 1ms, {"store", "journal_in_use", "locked", ""});
  EXPECT_EQ(published().back()["run_id"], "s");  // warnings of another run do not count
}

TEST_F(LivePublisherTest, FailuresAndLoadingArePublished) {
  publisher_.publish_loading("r", "m.gguf", 0.5);
  publisher_.publish_failure("r", {ErrorCode::not_found, "gone", "look"});
  const auto events = published();
  EXPECT_EQ(events[0]["data"]["progress_ratio"], 0.5);
  EXPECT_EQ(events[1]["type"], "error");
  EXPECT_EQ(events[1]["data"]["code"], "not_found");
}

TEST_F(LivePublisherTest, RequestsHaveTimesSinceTheRunBegan) {
  constexpr Instant kBegan{1h};
  publisher_.publish({.run_id = "r", .data = events::RunStarted{}});
  publisher_.publish({.run_id = "r", .data = events::PowerSample{.energy = Joules{6}}});
  RequestMetrics metrics{
      .run_began = kBegan,
      .news = {.sums = {.passes = 9, .requests = 2, .in_flight = 1, .output_tokens = 12},
               .running = {{.number = 2,
                            .context = 1,
                            .sequence = 3,
                            .begin = kBegan + 20ms,
                            .end = kBegan + 90ms,
                            .prompt_tokens = 8,
                            .output_tokens = 5,
                            .first_token = kBegan + 50ms}},
               .ended = {{.number = 1, .begin = kBegan, .end = kBegan + 40ms}},
               .taken_back = {7},
               .left_out = 4},
      .tokens_per_second = 30.0};
  publisher_.publish_requests("r", 100ms, metrics);
  const Json event = published().back();
  EXPECT_EQ(event["type"], "request_metrics");
  EXPECT_EQ(event["t_ms"], 100.0);
  const Json& data = event["data"];
  EXPECT_EQ(data["in_flight"], 1);
  EXPECT_EQ(data["energy_per_output_token_mj"], 500.0);
  EXPECT_EQ(data["provisional"], true);
  EXPECT_EQ(data["tokens_per_second"], 30.0);
  EXPECT_TRUE(data["mean_sequences"].is_null());
  EXPECT_EQ(data["running"], (Json{{{"number", 2},
                                    {"context", 1},
                                    {"sequence", 3},
                                    {"begin_ms", 20.0},
                                    {"prompt_tokens", 8},
                                    {"output_tokens", 5},
                                    {"time_to_first_token_ms", 30.0}}}));
  EXPECT_EQ(data["ended"][0]["end_ms"], 40.0);
  EXPECT_TRUE(data["ended"][0]["time_to_first_token_ms"].is_null());
  EXPECT_EQ(data["taken_back"], Json({7}));
  EXPECT_EQ(data["left_out"], 4);
}

TEST_F(LivePublisherTest, WithoutPowerOrTokensATokenHasNoEnergy) {
  publisher_.publish({.run_id = "r", .data = events::RunStarted{}});
  RequestMetrics metrics{.news = {.sums = {.passes = 1, .requests = 1, .output_tokens = 2}}};
  publisher_.publish_requests("r", 0ms, metrics);
  EXPECT_TRUE(published().back()["data"]["energy_per_output_token_mj"].is_null());
  publisher_.publish({.run_id = "r", .data = events::PowerSample{.energy = Joules{6}}});
  metrics.news.sums.output_tokens = 0;
  publisher_.publish_requests("r", 0ms, metrics);
  EXPECT_TRUE(published().back()["data"]["energy_per_output_token_mj"].is_null());
  publisher_.publish({.run_id = "s", .data = events::RunStarted{}});
  metrics.news.sums.output_tokens = 2;
  publisher_.publish_requests("s", 0ms, metrics);
  EXPECT_TRUE(published().back()["data"]["energy_per_output_token_mj"].is_null())
      << "that was another run's energy";
}

}  // namespace
}  // namespace enprof
