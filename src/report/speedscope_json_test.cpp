#include "report/speedscope_json.hpp"

#include "support/small_run.hpp"
#include "support/whole_text.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace enprof {
namespace {

nlohmann::json speedscope(const ProfiledRun& run) {
  SpeedscopeJson json(std::make_unique<RunInMemory>(run));
  return nlohmann::json::parse(testing::whole_text(json));
}

void expect_whole(const nlohmann::json& document) {
  for (const auto& profile : document["profiles"]) {
    ASSERT_EQ(profile["samples"].size(), profile["weights"].size());
    std::int64_t sum = 0;
    for (const auto& weight : profile["weights"]) {
      sum += weight.get<std::int64_t>();
    }
    EXPECT_EQ(profile["endValue"], sum);
    for (const auto& stack : profile["samples"]) {
      for (const auto& frame : stack) {
        EXPECT_LT(frame.get<std::size_t>(), document["shared"]["frames"].size());
      }
    }
  }
}

TEST(SpeedscopeJson, HasTimeAndEnergyThatAddUp) {
  const nlohmann::json document = speedscope(testing::small_run());
  EXPECT_EQ(document["$schema"], "https://www.speedscope.app/file-format-schema.json");
  ASSERT_EQ(document["profiles"].size(), 2U);
  expect_whole(document);
  const auto& time = document["profiles"][0];
  EXPECT_EQ(time["type"], "sampled");
  EXPECT_EQ(time["unit"], "nanoseconds");
  EXPECT_EQ(time["endValue"], 100'000'000);
  const auto& energy = document["profiles"][1];
  EXPECT_EQ(energy["name"], "energy (µJ)");
  EXPECT_EQ(energy["unit"], "none");
  EXPECT_EQ(energy["endValue"], 10'000'000);
  EXPECT_EQ(document["activeProfileIndex"], 1);
  std::string first;
  for (const auto& frame : energy["samples"][2]) {
    first +=
        document["shared"]["frames"][frame.get<std::size_t>()]["name"].get<std::string>() + "|";
  }
  EXPECT_EQ(first, "prefill|layer 0|q_proj|MUL_MAT|");
  EXPECT_EQ(energy["weights"][2], 1'500'000);
}

TEST(SpeedscopeJson, WithoutEnergyHasTimeAlone) {
  const nlohmann::json document = speedscope(testing::small_run_without_power());
  ASSERT_EQ(document["profiles"].size(), 1U);
  expect_whole(document);
  EXPECT_EQ(document["profiles"][0]["endValue"], 100'000'000);
  EXPECT_EQ(document["activeProfileIndex"], 0);
}

TEST(SpeedscopeJson, MarksEstimatesAndQuotesAnyName) {
  ProfiledRun run = testing::small_run();
  run.totals.figure.quality.method = Method::estimated;
  run.run_id = "a\"b";
  run.components[0].component = "\"],\n\xFF\\";
  const nlohmann::json document = speedscope(run);
  expect_whole(document);
  EXPECT_EQ(document["name"], "enprof run a\"b");
  EXPECT_EQ(document["profiles"][1]["name"], "energy (µJ, estimated)");
  EXPECT_NE(document["shared"]["frames"].dump().find("\\\"],\\\\n\xEF\xBF\xBD\\\\"),
            std::string::npos)
      << document["shared"]["frames"].dump();
  expect_whole(speedscope({.run_id = "bare"}));
}

}  // namespace
}  // namespace enprof
