#include "profile/save/step_reader.hpp"

#include "profile/save/run_facts.hpp"
#include "record/pass_test_support.hpp"
#include "support/sample_run.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {
namespace {

using testing::at_ms;

/// Facts of every kind; no figures.
ProfiledRun sample_facts() {
  const ProfiledRun sample = testing::sample_run();
  ProfiledRun run;
  run.run_id = sample.run_id;
  run.status = RunStatus::running;
  run.started_at = sample.started_at;
  run.depth = Depth::deep;
  run.experiment = sample.experiment;
  run.tags = sample.tags;
  run.prompt = "it's \"quoted\" \xFF\n🔋" + std::string(1, '\0') + "end";
  run.model = sample.model;
  run.totals.prompt_tokens = 9;
  run.totals.economics = sample.totals.economics;
  run.values = sample.values;
  run.warnings = sample.warnings;
  return run;
}

PowerEvidence sample_power() {
  PowerEvidence power{.sources = {"rapl: package-0"},
                      .windows = testing::small_power(),
                      .interval = std::chrono::milliseconds{2}};
  power.windows[1].stamp_error_ns = 500'000;
  power.domains = {domain_from_name("package-0"), domain_from_name("core-0")};
  power.domains[0].source = "rapl";
  power.domains[0].stamp_error = Nanoseconds{281'741};
  power.domains[1].scope = DomainScope::unclear;
  power.domains[1].device = "x";
  link_parents(power.domains);
  power.baseline = IdleBaseline{.domains = {IdleBaseline::DomainIdle{Watts{3.3}, Watts{0.1}}, {}},
                                .total = BaselineFigure{.power = Watts{3.3}, .windows = 7}};
  power.readings = {
      {.domain = 1, .quantity = SensorQuantity::clock_hz, .at = at_ms(11.5), .value = 2.1e9 / 7}};
  power.cpu = {
      {.at = at_ms(0), .times = {.machine = {Nanoseconds{50}, Nanoseconds{90}}, .own = {}}},
      {.at = at_ms(100),
       .times = {.machine = {Nanoseconds{950}, Nanoseconds{1990}}, .own = Nanoseconds{7}}}};
  return power;
}

RunStepData first_step() {
  RunStepData data{.step = 0, .origin = at_ms(0), .at = at_ms(0)};
  data.facts = facts_to_json(sample_facts());
  data.sensors = sensors_to_json(sample_power());
  return data;
}

/// The recording and the windows in steps of so many milliseconds, as a saver makes them.
std::vector<std::string> steps_of(const Recording& recording, const PowerEvidence& power,
                                  double length_ms) {
  std::vector<std::string> steps;
  for (double begin = 0; begin < 100; begin += length_ms) {
    RunStepData data = begin == 0 ? first_step() : RunStepData{.origin = at_ms(0), .at = {}};
    data.step = static_cast<std::int64_t>(steps.size());
    data.at = at_ms(begin + length_ms);
    const auto now = [&](Instant instant) { return instant >= at_ms(begin) && instant < data.at; };
    for (std::size_t index = 0; index < recording.spans.size(); ++index) {
      const Span& span = recording.spans[index];
      const auto number = static_cast<std::int32_t>(index);
      data.names[span.name] = recording.names[span.name];
      if (now(span.begin)) {
        Span opened = span;
        opened.end = {};
        data.spans.push_back({.index = number, .open = true, .span = opened});
      }
      if (now(span.end) || (begin + length_ms >= 100 && span.end >= data.at)) {
        data.spans.push_back({.index = number, .open = false, .span = span});
        if (span.level == Level::token) {
          data.texts[span.token] = recording.token_texts[static_cast<std::size_t>(span.token)];
        }
      }
    }
    const auto& passes = recording.passes;
    for (std::size_t index = 0; index < passes.passes.size(); ++index) {
      if (const PassRecord& pass = passes.passes[index]; now(pass.end)) {
        data.passes.push_back({.pass = pass,
                               .index = static_cast<std::int32_t>(index),
                               .stamps = passes.stamps.data() + pass.first_stamp,
                               .count = 8});
        data.plans[0] = std::make_shared<const OperationPlan>(passes.plans[0]);
      }
    }
    std::ranges::copy_if(power.windows, std::back_inserter(data.windows),
                         [&](const EnergyWindow& window) { return now(window.begin); });
    std::ranges::copy_if(power.readings, std::back_inserter(data.readings),
                         [&](const SensorReading& reading) { return now(reading.at); });
    if (begin == 0) {
      data.cpu = power.cpu;
      data.values = sample_facts().values;
    }
    steps.push_back(step_to_json(data));
  }
  return steps;
}

RecordedRun read(const std::vector<std::string>& steps) {
  StepReader reader;
  for (const std::string& step : steps) {
    const auto added = reader.add(step);
    EXPECT_TRUE(added) << added.error().message << "\n" << step;
  }
  auto run = reader.run();
  EXPECT_TRUE(run) << run.error().message;
  return run ? *std::move(run) : RecordedRun{};
}

/// What assemble_run makes of the same without a detour.
ProfiledRun direct() {
  ProfiledRun run = sample_facts();
  assemble_run(testing::small_recording(), sample_power(), run);
  run.response = "ab";
  return run;
}

TEST(StepReader, FactsComeBackAsTheyWere) {
  for (const double length : {100.0, 10.0, 3.0}) {
    const RecordedRun recorded = read(steps_of(testing::small_recording(), sample_power(), length));
    EXPECT_EQ(recorded.run, sample_facts());
    EXPECT_EQ(recorded.missing_steps, 0U);
    EXPECT_FALSE(recorded.complete);
  }
}

TEST(StepReader, ARunInStepsHasTheFiguresThatItWouldHaveHad) {
  for (const double length : {100.0, 10.0, 7.0, 0.5}) {
    ProfiledRun run =
        assemble_recorded(read(steps_of(testing::small_recording(), sample_power(), length)));
    EXPECT_EQ(run.status, RunStatus::interrupted);
    ASSERT_FALSE(run.warnings.empty());
    EXPECT_EQ(run.warnings.back().code, "interrupted");
    run.warnings.pop_back();
    run.status = RunStatus::running;
    EXPECT_EQ(run, direct()) << length;
  }
}

TEST(StepReader, OrderAndRepetitionDoNotMatter) {
  std::vector<std::string> steps = steps_of(testing::small_recording(), sample_power(), 5);
  const ProfiledRun run = assemble_recorded(read(steps));
  const std::vector<std::string> once = steps;
  steps.insert(steps.end(), once.begin(), once.end());
  std::shuffle(steps.begin(), steps.end(), std::mt19937{42});
  EXPECT_EQ(assemble_recorded(read(steps)), run);
}

TEST(StepReader, ARunThatWasCutOffAtAnyStepAddsUp) {
  const std::vector<std::string> all = steps_of(testing::small_recording(), sample_power(), 1);
  for (std::size_t count = 1; count <= all.size(); ++count) {
    const RecordedRun recorded = read({all.begin(), all.begin() + static_cast<long>(count)});
    EXPECT_EQ(recorded.until, std::chrono::milliseconds{count});
    const ProfiledRun run = assemble_recorded(recorded);
    EXPECT_EQ(run.totals.figure.duration, std::chrono::milliseconds{count});
    ASSERT_TRUE(run.totals.figure.total) << count;
    Joules phases;
    for (const PhaseFigure& phase : run.phases) {
      phases += phase.figure.total.value_or(Joules{0});
    }
    EXPECT_NEAR(phases.value(), run.totals.figure.total->value(), 1e-9);
    for (std::size_t index = 0; index < run.tokens.size(); ++index) {
      EXPECT_EQ(run.tokens[index].index, index);
    }
    EXPECT_EQ(run.tokens.size(), count > 100 ? 2U : (count > 70 ? 1U : 0U) + (count >= 100 ? 1 : 0))
        << count;
  }
}

TEST(StepReader, ACompleteStepStandsForTheWholeRun) {
  std::vector<std::string> steps = steps_of(testing::small_recording(), sample_power(), 10);
  RunStepData whole = first_step();
  whole.facts = facts_to_json(sample_facts());
  whole.complete = true;
  whole.warnings = {{"profile", "dropped_events", "late", ""}};
  steps.insert(steps.begin() + 3, step_to_json(whole));
  const RecordedRun recorded = read(steps);
  EXPECT_TRUE(recorded.complete);
  EXPECT_TRUE(recorded.recording.spans.empty());
  const ProfiledRun run = assemble_recorded(recorded);
  EXPECT_EQ(run.status, RunStatus::running) << "as it was told";
  EXPECT_EQ(run.warnings.back().code, "dropped_events");
}

TEST(StepReader, MissingStepsAreCountedAndTheRestIsUsed) {
  std::vector<std::string> steps = steps_of(testing::small_recording(), sample_power(), 10);
  steps.erase(steps.begin() + 5, steps.begin() + 7);
  const RecordedRun recorded = read(steps);
  EXPECT_EQ(recorded.missing_steps, 2U);
  const ProfiledRun run = assemble_recorded(recorded);
  EXPECT_EQ(run.warnings.back().code, "lost_steps");
  EXPECT_LT(run.totals.figure.quality.coverage, 0.85);
}

TEST(StepReader, WithoutTheFirstStepNobodyKnowsWhoseTheyAre) {
  std::vector<std::string> steps = steps_of(testing::small_recording(), sample_power(), 10);
  StepReader reader;
  ASSERT_TRUE(reader.add(steps[3]));
  EXPECT_EQ(reader.run().error().code, ErrorCode::not_found);
  EXPECT_EQ(StepReader{}.run().error().code, ErrorCode::not_found);
}

TEST(StepReader, NumbersThatPointNowhereAreErrors) {
  const std::string base = R"("step":1,"origin_ns":0,"at_ns":9)";
  for (const std::string_view bad : {R"("spans":[1,0,0,1,0,-1,0,2])",
                                     R"("spans":[1,0,0,1,5,-1,0,2,0])",
                                     R"("spans":[1,0,0,1,-1,-1,0,2,0])",
                                     R"("spans":[0,0,0,1,0,-1,0,2,0])",
                                     R"("spans":[1,0,0,1,0,-1,0,1,0,2,0,0,1,1,99999,0,3,0])",
                                     R"("spans":[1,0,0,1,0,-1,0,9,0])",
                                     R"("spans":[1,0,0,1,0,-1,0,2,7])",
                                     R"("spans":[1,0,9223372036854775807,1,0,-1,0,2,0])",
                                     R"("windows":[7,0,1,0.5])",
                                     R"("windows":[0,0,1,"x"])",
                                     R"("windows":3)",
                                     R"("readings":[0,99,1,0.5])",
                                     R"("passes":[0,0,0,1,0,1,0,0,1])",

                                     R"("passes":[0,0,0,1,0,1,0,9,0])",
                                     R"("plans":{"x":[]})",
                                     R"("plans":{"0":[{"layer":-7}]})",
                                     R"("names":{"64":"x"})",
                                     R"("texts":{"0":{"bytes":"f"}})",
                                     R"("texts":{"0":{"bytes":"zz"}})",
                                     R"("complete":true,"facts":{})",
                                     R"("cpu":[[1,2,3]])",
                                     R"("cpu":[[1,-2,3,4]])",
                                     R"("cpu":[[1,2e30,3,4]])",
                                     R"("facts":[])",
                                     R"("sensors":{})"}) {
    StepReader reader;
    ASSERT_TRUE(reader.add(step_to_json(first_step())));
    auto outcome = reader.add("{" + base + "," + std::string{bad} + "}");
    if (outcome) {
      const auto run = reader.run();
      EXPECT_FALSE(run) << bad;
      if (!run) {
        EXPECT_EQ(run.error().code, ErrorCode::malformed) << run.error().message;
      }
    }
  }
  StepReader reader;
  for (const std::string_view bad : {"", "{", "[]", "3", "null", R"({"step":-1})",
                                     R"({"step":1e3})", R"({"step":99999999999})"}) {
    EXPECT_FALSE(reader.add(bad)) << bad;
  }
}

/// Steps in which a byte was changed: read or refused, never followed to where nothing is.
TEST(StepReader, DamageIsReadOrRefused) {
  const std::vector<std::string> steps = steps_of(testing::small_recording(), sample_power(), 20);
  std::mt19937 random{20260921};
  int read = 0;
  for (int round = 0; round < 3000; ++round) {
    StepReader reader;
    for (std::string step : steps) {
      if (random() % 2 == 0) {
        step[random() % step.size()] = "0123456789,[]{}:\"-.e\xFF"[random() % 21];
      }
      static_cast<void>(reader.add(step));
    }
    if (auto run = reader.run()) {
      static_cast<void>(assemble_recorded(*std::move(run)));
      ++read;
    }
  }
  EXPECT_GT(read, 100);
}

}  // namespace
}  // namespace enprof
