#include "report/run_report.hpp"

#include "report/format.hpp"
#include "report/run_json.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sstream>

namespace enprof {
namespace {

using namespace std::chrono_literals;

Figure figure(Nanoseconds duration, double joules) {
  return {.duration = duration,
          .total = Joules{joules},
          .baseline = Joules{joules / 5},
          .dynamic = Joules{joules - joules / 5},
          .mean_power = Joules{joules} / duration,
          .quality = {.sensor = "rapl",
                      .method = Method::attributed,
                      .coverage = 1.0,
                      .resolution = 12.0,
                      .standard_error = Joules{joules / 100}}};
}

ProfiledRun measured_run() {
  ProfiledRun run;
  run.run_id = "0123456789abcdef";
  run.status = RunStatus::completed;
  run.started_at = WallTime{1'700'000'000'123ms};
  run.prompt = "line one\nline two";
  run.response = "caf\xE9";
  run.finish_reason = "length";
  run.model = {.name = "m.gguf",
               .architecture = "llama",
               .layers = 8,
               .embedding_width = 512,
               .heads = 8,
               .kv_heads = 4};
  run.totals.figure = figure(1s, 50.0);
  run.totals.prompt_tokens = 4;
  run.totals.output_tokens = 2;
  run.totals.energy_per_output_token = Joules{30.0};
  run.totals.energy_per_output_token_uncertainty = Joules{1.5};
  run.phases = {{.phase = Phase::prefill, .begin = 0ns, .figure = figure(400ms, 20.0)},
                {.phase = Phase::decode, .begin = 400ms, .figure = figure(600ms, 30.0)}};
  run.sections = {{.phase = Phase::decode,
                   .name = "forward",
                   .count = 2,
                   .begin = 400ms,
                   .figure = figure(500ms, 25.0)}};
  run.tokens = {
      {.index = 0, .text = "a", .phase = Phase::prefill, .figure = figure(10ms, 0.5)},
      {.index = 1, .text = "\x1b[31m", .phase = Phase::decode, .figure = figure(600ms, 30.0)}};
  DomainFigure domain{.domain = domain_from_name("package-0"), .figure = figure(1s, 50.0)};
  run.power.domains = {domain};
  run.power.sources = {"rapl: package-0"};
  run.power.samples = {{.domain = 0, .begin = -1ms, .end = 9ms, .energy = Joules{0.5}}};
  run.warnings = {{"power", "foreign_load", "Others were busy", "Stop them"}};
  return run;
}

ProfiledRun unmeasured_run() {
  ProfiledRun run;
  run.run_id = "fedcba9876543210";
  run.status = RunStatus::cancelled;
  run.totals.figure.duration = 1s;
  run.phases = {{.phase = Phase::prefill, .figure = {.duration = 1s}}};
  return run;
}

TEST(RunReport, ACommandHasNoTokens) {
  ProfiledRun run = measured_run();
  run.model = {};
  run.model.name = "make";
  run.model.path = "/usr/bin/make";
  run.model.engine = "exec";
  run.prompt = "make -j8";
  run.response.clear();
  run.finish_reason = "exit code 0";
  run.phases.clear();
  run.sections.clear();
  run.tokens.clear();
  run.totals = {};
  run.totals.figure = figure(1s, 50.0);
  run.totals.process_dynamic = Joules{30.0};
  run.totals.cost_usd = 0.25;
  const std::string text = run_report(run, {});
  for (const char* part : {"Command    make -j8", "exit code 0 · /usr/bin/make", "50.00 J",
                           "its processes", "30.00 J", "0.25 USD", "mean power"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  for (const char* part : {"token", "Model", "Prompt", "Response", "Engine", "minimal", "decode"}) {
    EXPECT_EQ(text.find(part), std::string::npos) << part << "\n" << text;
  }
  run.status = RunStatus::running;
  EXPECT_NE(run_report(run, {}).find("Command    make -j8"), std::string::npos);
}

TEST(RunReport, SaysWhatWasMeasured) {
  const std::string text = run_report(measured_run(), {});
  for (const char* part :
       {"0123456789abcdef", "completed", "8 layers × 512", "8 heads, 4 KV (GQA)", "50.00 J",
        "± 500.0 mJ", "prefill", "40.0 %", "forward", "#1", "Others were busy", "Stop them",
        "± 1.500 J", "8.33 kWh", "1.00 USD", "an earlier enprof stored this run"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is missing in\n" << text;
  }
}

TEST(RunReport, TheVerdictComesFirstWithItsReasons) {
  ProfiledRun run = measured_run();
  run.verdict = VerdictLevel::not_comparable;
  run.verdict_reasons = {{VerdictLevel::not_comparable, "foreign_load", "others computed"},
                         {VerdictLevel::with_caution, "no_baseline", "no idle baseline"}};
  const std::string text = run_report(run, {});
  EXPECT_NE(text.find("Verdict    not comparable: others computed; no idle baseline\nModel"),
            std::string::npos)
      << text;
}

TEST(RunReport, TheUncertaintyIsTheCombinedOneWhereItIsKnown) {
  ProfiledRun run = measured_run();
  run.verdict = VerdictLevel::quotable;
  EXPECT_NE(run_report(run, {}).find("± leaves out the error of the sensor"), std::string::npos);
  run.totals.figure.quality.standard_uncertainty = Joules{2.5};
  run.phases[1].figure.quality.standard_uncertainty = Joules{1.25};
  const std::string text = run_report(run, {});
  EXPECT_NE(text.find("± 2.500 J"), std::string::npos) << text;
  EXPECT_EQ(text.find("leaves out"), std::string::npos) << text;
  EXPECT_EQ(text.find("± 500.0 mJ"), std::string::npos) << text;
}

TEST(RunReport, AColumnHasOneUnit) {
  ProfiledRun run = measured_run();
  run.sections[0].figure = figure(50us, 0.0025);
  const std::string text = run_report(run, {});
  for (const char* part : {"time ms", "energy mJ", "± mJ", "power W", "0.050", "2.500", "20000"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is missing in\n" << text;
  }
}

TEST(RunReport, EveryEnergyOfAnEstimateIsMarked) {
  ProfiledRun run = measured_run();
  run.totals.figure.quality.method = Method::estimated;
  const std::string text = run_report(run, {});
  for (const char* part : {"~50.00 J", "~40.00 J", "~20.00", "~30.00 J", "~8.33 kWh", "~50.00 W"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is missing in\n" << text;
  }
}

TEST(RunReport, TimeOutsideSectionsIsCalledWhatItIs) {
  ProfiledRun run = measured_run();
  run.sections[0].name = kSelfSection;
  const std::string text = run_report(run, {});
  EXPECT_NE(text.find("outside sections"), std::string::npos) << text;
  EXPECT_EQ(text.find("(self)"), std::string::npos) << text;
}

TEST(RunReport, WhatWasNotMeasuredIsNotZero) {
  const std::string text = run_report(unmeasured_run(), {});
  EXPECT_NE(text.find("not measured"), std::string::npos) << text;
  EXPECT_NE(text.find("cancelled"), std::string::npos);
  EXPECT_EQ(text.find("0 J"), std::string::npos) << text;
  EXPECT_EQ(text.find("0.00 USD"), std::string::npos) << text;
}

TEST(RunReport, TextsOfTheModelCannotDriveTheTerminal) {
  const std::string text = run_report(measured_run(), {.colour = false, .width = 100});
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

/// An imported run or a model's file may contain any text.
TEST(RunReport, NamesCannotDriveTheTerminal) {
  const std::string evil =
      "\x1b]0;evil\a\xC2\x9B"
      "31m\r\b";
  ProfiledRun run = measured_run();
  run.run_id = run.model.name = run.model.architecture = run.model.quantization = evil;
  run.model.engine = run.experiment = run.finish_reason = evil;
  run.tags = {evil, evil};
  run.power.domains[0].domain.name = evil;
  run.power.domains.push_back(run.power.domains[0]);
  run.power.sources = {evil};
  run.sections[0].name = evil;
  run.components = {{.phase = Phase::decode, .component = evil, .figure = figure(1s, 1.0)}};
  run.operations = {
      {.phase = Phase::decode, .component = evil, .op = evil, .figure = figure(1s, 1.0)}};
  run.warnings = {{evil, evil, evil, evil}};
  const std::string report = run_report(run, {.colour = false, .width = 100});
  EXPECT_EQ(report.find("\xC2\x9B"), std::string::npos) << report;
  for (const char c : report) {
    EXPECT_TRUE(c == '\n' || (static_cast<unsigned char>(c) >= ' ' && c != '\x7F')) << report;
  }
  EXPECT_NE(report.find("\\x1b]0;evil\\x07\\x9b31m"), std::string::npos) << report;
}

TEST(RunReport, FitsTheTerminalWhereThePromptIsLong) {
  ProfiledRun run = measured_run();
  run.prompt = std::string(5000, 'x');
  run.response = std::string(5000, 'y');
  std::istringstream lines(run_report(run, {.colour = false, .width = 100}));
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(display_width(line), 100U) << line;
  }
}

TEST(RunJson, KeysCarryUnitsAndAbsentIsNull) {
  const auto json = nlohmann::json::parse(run_to_json(measured_run()));
  for (const char* key :
       {"run_id", "status", "model", "prompt", "response", "totals", "phases", "sections", "tokens",
        "layers", "components", "operations", "power", "quality", "warnings"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  EXPECT_DOUBLE_EQ(json["totals"]["energy_mj"], 50'000.0);
  EXPECT_DOUBLE_EQ(json["totals"]["duration_ms"], 1000.0);
  EXPECT_EQ(json["started_at"], "2023-11-14T22:13:20.123Z");
  EXPECT_TRUE(json["totals"]["co2_g"].is_null());
  EXPECT_EQ(json["phases"][1]["phase"], "decode");
  EXPECT_DOUBLE_EQ(json["power"]["samples"][0]["begin_ms"], -1.0);
  EXPECT_TRUE(json["power"]["baseline"].is_null());
  EXPECT_EQ(json["response"], "caf\xEF\xBF\xBD");
}

TEST(RunJson, ARunWithoutSensorsIsValidToo) {
  const auto json = nlohmann::json::parse(run_to_json(unmeasured_run()));
  EXPECT_TRUE(json["totals"]["energy_mj"].is_null());
  EXPECT_TRUE(json["quality"]["method"].is_null());
  EXPECT_TRUE(json["power"]["domains"].empty());
}

TEST(RunReport, SaysWithWhichSensorsTheComponentsWereCalibrated) {
  ProfiledRun run = measured_run();
  EXPECT_EQ(run_report(run, {}).find("Calibrated"), std::string::npos);
  DomainFigure core{.domain = domain_from_name("core-0"), .figure = figure(1s, 30.0)};
  core.domain.parent = 0;
  run.power.domains.push_back(core);
  run.calibration = {.made_at = WallTime{1'700'000'000'123ms},
                     .classes = 31,
                     .time_share = 0.93,
                     .power_ratio = 1.25};
  EXPECT_NE(
      run_report(run, {.width = 200})
          .find("Calibrated 2023-11-14 22:13:20 UTC · with package-0 · 31 kinds of work · 93.0 % "
                "of the passes' time · power 1.25 × the calibration's"),
      std::string::npos);
}

}  // namespace
}  // namespace enprof
