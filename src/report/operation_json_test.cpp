#include "report/operation_json.hpp"

#include "report/run_from_json.hpp"
#include "report/run_json.hpp"
#include "support/sample_run.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <string>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using Parsed = nlohmann::json;

ProfiledRun deep_run() {
  ProfiledRun run;
  run.depth = Depth::deep;
  run.layers = {{.phase = Phase::prefill, .layer = -1, .count = 1, .figure = {.duration = 2ms}},
                {.phase = Phase::decode,
                 .layer = 7,
                 .count = 3,
                 .figure = {.duration = 4ms, .total = Joules{0.5}}}};
  run.components = {{.phase = Phase::decode,
                     .layer = 7,
                     .component = "q_proj",
                     .count = 3,
                     .figure = {.duration = 4ms, .total = Joules{0.5}},
                     .flops = 1e9,
                     .bytes = std::nullopt}};
  run.operations = {{.phase = Phase::decode,
                     .component = "q_proj",
                     .op = "MUL_MAT",
                     .count = 3,
                     .figure = {.duration = 4ms},
                     .flops = std::nullopt,
                     .bytes = 2e6}};
  run.operation_table.operations = {{.layer = 7,
                                     .component = "q_proj",
                                     .op = "MUL_MAT",
                                     .name = "Qcur-7 \"x\"\xFF",
                                     .shape = {64, 2, 1, 1},
                                     .flops = 16384.0,
                                     .bytes = std::nullopt},
                                    {.component = "lm_head", .op = "MUL_MAT"}};
  run.operation_table.events = {{.begin = 1500us, .duration_ns = 250, .operation = 1},
                                {.begin = 2ms,
                                 .energy_j = 0.125,
                                 .duration_ns = 4'000'000,
                                 .operation = 0,
                                 .token = 2,
                                 .phase = Phase::decode}};
  run.values = {.every = 64, .passes = 1, .sparsity_threshold = 0.02};
  run.values.activations = {{.token = 2, .layer = 7, .component = "q_proj", .kill_ratio = 0.5}};
  run.values.attention = {{.token = 2, .layer = 7, .head = 3, .entropy_nats = 1.25}};
  run.values.experts = {{.token = 2, .layer = 7, .experts = {4, 1}, .weights = {0.75F, 0.25F}}};
  run.power.domains = {{.domain = domain_from_name("gpu-0"), .figure = {}}};
  run.power.readings = {
      {.domain = 0, .quantity = SensorQuantity::temperature_celsius, .at = 5ms, .value = 61.5}};
  return run;
}

TEST(OperationJson, HoldsEveryLevel) {
  const Parsed json = Parsed::parse(run_to_json(deep_run()));
  EXPECT_TRUE(json["layers"][0]["layer"].is_null());
  EXPECT_TRUE(json["layers"][0]["energy_mj"].is_null());
  EXPECT_EQ(json["layers"][1]["layer"], 7);
  EXPECT_DOUBLE_EQ(json["layers"][1]["energy_mj"], 500.0);
  EXPECT_EQ(json["components"][0]["component"], "q_proj");
  EXPECT_EQ(json["components"][0]["count"], 3);
  EXPECT_DOUBLE_EQ(json["components"][0]["flops"], 1e9);
  EXPECT_TRUE(json["components"][0]["bytes"].is_null());
  EXPECT_EQ(json["operations"][0]["op"], "MUL_MAT");
  EXPECT_DOUBLE_EQ(json["operations"][0]["bytes"], 2e6);
  EXPECT_EQ(json["power"]["readings"][0]["quantity"], "temperature_celsius");
  EXPECT_DOUBLE_EQ(json["power"]["readings"][0]["at_ms"], 5.0);
  EXPECT_EQ(json["power"]["readings"][0]["domain"], "gpu-0");
}

TEST(OperationJson, TheTableIsCompact) {
  const std::string text = run_to_json(deep_run());
  const Parsed table = Parsed::parse(text)["operation_table"];
  EXPECT_DOUBLE_EQ(table["coverage"], 1.0);
  EXPECT_EQ(table["operations"][0]["name"], "Qcur-7 \"x\"\xEF\xBF\xBD");
  EXPECT_EQ(table["operations"][0]["shape"], (Parsed{64, 2, 1, 1}));
  EXPECT_TRUE(table["operations"][1]["layer"].is_null());
  EXPECT_TRUE(table["operations"][1]["flops"].is_null());
  EXPECT_EQ(table["event_columns"],
            (Parsed{"begin_ms", "duration_ms", "energy_mj", "operation", "token", "phase"}));
  EXPECT_EQ(table["events"][0], (Parsed{1.5, 0.00025, nullptr, 1, nullptr, "prefill"}));
  EXPECT_EQ(table["events"][1], (Parsed{2.0, 4.0, 125.0, 0, 2, "decode"}));
  EXPECT_NE(text.find("[1.5,0.00025,null,1,null,\"prefill\"],\n"), std::string::npos) << text;
}

TEST(OperationJson, ValuesHaveTheirPlace) {
  const Parsed values = Parsed::parse(run_to_json(deep_run()))["values"];
  EXPECT_EQ(values["every"], 64);
  EXPECT_DOUBLE_EQ(values["sparsity_threshold"], 0.02);
  EXPECT_EQ(values["activations"][0]["token"], 2);
  EXPECT_DOUBLE_EQ(values["activations"][0]["kill_ratio"], 0.5);
  EXPECT_TRUE(values["activations"][0]["variance_ratio"].is_null());
  EXPECT_EQ(values["attention"][0]["head"], 3);
  EXPECT_DOUBLE_EQ(values["attention"][0]["entropy_nats"], 1.25);
  EXPECT_EQ(values["experts"][0]["experts"], (Parsed{4, 1}));
  EXPECT_EQ(values["expert_balance"][0]["layer"], 7);
}

TEST(OperationJson, ARunWithoutPassesHasEmptyLists) {
  const Parsed json = Parsed::parse(run_to_json(ProfiledRun{}));
  EXPECT_TRUE(json["operation_table"]["coverage"].is_null());
  EXPECT_TRUE(json["operation_table"]["operations"].empty());
  EXPECT_TRUE(json["operation_table"]["events"].empty());
  EXPECT_TRUE(json["values"]["activations"].empty());
  EXPECT_TRUE(json["layers"].empty());
}

TEST(RunJson, IsMadePieceByPieceAndReadsAsTheWhole) {
  ProfiledRun run = testing::sample_run();
  testing::lengthen(run);
  RunJson json(std::make_unique<RunInMemory>(run));
  std::string text;
  int pieces = 1;
  for (std::size_t before = 0; json.next(text).value(); before = text.size()) {
    EXPECT_LT(text.size() - before, 4 * TextStream::kPiece);
    ++pieces;
  }
  EXPECT_GT(pieces, 20);
  EXPECT_TRUE(text == run_to_json(run));
  const auto back = run_from_json(text);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->operation_table, run.operation_table);
  EXPECT_EQ(back->values, run.values);
  EXPECT_TRUE(run_to_json(*back) == text);
  // Indented as one document, except that each row of the operation table is on one line.
  auto document = nlohmann::ordered_json::parse(text);
  const auto begin = text.find("  \"operation_table\": {");
  const auto end = text.find("  \"values\": {");
  document["operation_table"] = 0;
  EXPECT_TRUE(text.substr(0, begin) + "  \"operation_table\": 0,\n" + text.substr(end) ==
              document.dump(2) + "\n");
}

}  // namespace
}  // namespace enprof
