#include "report/chrome_trace.hpp"

#include "support/sample_run.hpp"
#include "support/small_run.hpp"
#include "support/whole_text.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <vector>

namespace enprof {
namespace {

std::string text_of(const ProfiledRun& run) {
  ChromeTrace trace(std::make_unique<RunInMemory>(run));
  return testing::whole_text(trace);
}

std::vector<nlohmann::json> events(const ProfiledRun& run, const std::string& kind) {
  const nlohmann::json document = nlohmann::json::parse(text_of(run));
  std::vector<nlohmann::json> result;
  for (const auto& event : document["traceEvents"]) {
    if (event["ph"] == kind) {
      result.push_back(event);
    }
  }
  return result;
}

TEST(ChromeTrace, HasAnEventOnEachLine) {
  const std::string text = text_of(testing::small_run());
  EXPECT_NE(text.find(R"({"ph":"B","pid":1,"tid":1,"ts":40000.000,"cat":"token",)"
                      R"("name":"token 1 \" b\"","args":{"index":1,"energy_mj":3000.0,)"
                      R"("standard_uncertainty_mj":300.0,"dynamic_energy_mj":null,)"
                      R"("method":"attributed","coverage":1.0}},)"
                      "\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find(R"({"ph":"X","pid":1,"tid":1,"ts":41000.000,"dur":10000.000,)"
                      R"("cat":"operation","name":"MUL_MAT","args":{"energy_mj":1000}},)"
                      "\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find(R"({"ph":"C","pid":1,"ts":40000.000,"name":"package-0 power",)"
                      R"("args":{"W":120}},)"
                      "\n"),
            std::string::npos)
      << text;
}

TEST(ChromeTrace, BeginsAndEndsMatch) {
  const ProfiledRun run = testing::small_run();
  EXPECT_EQ(events(run, "B").size(), events(run, "E").size());
  EXPECT_EQ(events(run, "X").size(), 9U + 2U) << "operations and gaps";
  std::vector<std::string> names;
  for (const auto& event : events(run, "M")) {
    names.push_back(event["args"]["name"]);
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"enprof run a1b2", "inference", "package-0 not measured"}));
}

TEST(ChromeTrace, WhatWasNotMeasuredIsNull) {
  const ProfiledRun run = testing::small_run_without_power();
  EXPECT_TRUE(events(run, "C").empty());
  EXPECT_TRUE(events(run, "X").front()["args"]["energy_mj"].is_null());
  EXPECT_TRUE(events(run, "B").front()["args"]["energy_mj"].is_null());
  EXPECT_TRUE(events(run, "E").front()["args"]["energy_mj"].is_null());
}

TEST(ChromeTrace, IsJsonWhateverTheNames) {
  ProfiledRun run = testing::small_run();
  run.run_id = "\"\n\xFF";
  run.model.name = "\\\"";
  run.sections[0].name = "\",\n\x1b";
  run.tokens[0].text = "\"}\\\xFF";
  run.operation_table.operations[0].op = "\"op\\";
  run.power.domains[0].domain.name = "wall \"socket\"";
  EXPECT_EQ(nlohmann::json::parse(text_of(run))["otherData"]["run_id"], "\"\n\xEF\xBF\xBD");
  EXPECT_TRUE(nlohmann::json::accept(text_of({.run_id = "bare"})));
}

TEST(ChromeTrace, ALongRunComesInPieces) {
  ProfiledRun run = testing::sample_run();
  testing::lengthen(run);
  EXPECT_TRUE(nlohmann::json::accept(text_of(run)));  // whole_text() bounds the pieces
}

}  // namespace
}  // namespace enprof
