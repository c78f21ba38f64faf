#include "profile/save/step_reader.hpp"

#include "profile/save/run_facts.hpp"
#include "record/pass_test_support.hpp"
#include "support/sample_run.hpp"
#include "support/windows.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace enprof {
namespace {

using ::testing::AllOf;
using testing::at_ms;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

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
                      .windows = {testing::small_power(), {}},
                      .interval = std::chrono::milliseconds{2}};
  power.windows[0][1].stamp_error_ns = 500'000;
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
        data.passes.push_back({.pass = pass, .index = static_cast<std::int32_t>(index)});
        data.pass_memory = passes.view();
        data.plans[0] = passes.plans[0];
      }
    }
    data.windows = power.windows;
    testing::erase_windows(data.windows,
                           [&](const EnergyWindow& window) { return !now(window.begin); });
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
  const Recording recording = testing::small_recording();
  assemble_run(recording.view(), sample_power(), run);
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
    EXPECT_EQ(run.verdict, VerdictLevel::not_comparable);
    run.verdict.reset();  // nothing judges the other one
    run.verdict_reasons.clear();
    EXPECT_EQ(run, direct()) << length;
  }
}

TEST(StepReader, PassesComeBackWithTheirStampsAndSequences) {
  const Recording whole = testing::small_recording();
  for (const double length : {100.0, 10.0}) {
    const PassRecording passes = read(steps_of(whole, sample_power(), length)).recording.passes;
    EXPECT_EQ(passes.passes, whole.passes.passes);
    EXPECT_EQ(passes.stamps, whole.passes.stamps);
    EXPECT_EQ(passes.sequences, whole.passes.sequences);
    ASSERT_EQ(passes.plans.size(), 1U);
    EXPECT_EQ(*passes.plans[0], *whole.passes.plans[0]);
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

TEST(StepReader, WithoutTheFirstStepTheRunIsUnknown) {
  std::vector<std::string> steps = steps_of(testing::small_recording(), sample_power(), 10);
  StepReader reader;
  ASSERT_TRUE(reader.add(steps[3]));
  EXPECT_EQ(reader.run().error().code, ErrorCode::not_found);
  EXPECT_EQ(StepReader{}.run().error().code, ErrorCode::not_found);
}

/// A step with all columns that there are.
RunStepData step_of_everything() {
  RunStepData data = first_step();
  data.spans.push_back(
      {.index = 0, .open = true, .span = {.begin = at_ms(0), .level = Level::run}});
  data.names[0] = "run";
  data.texts[0] = "a";
  data.plans[0] = testing::small_recording().passes.plans[0];
  data.cpu = sample_power().cpu;
  data.values = sample_facts().values;
  data.power_warnings = {{"power", "sensor_gone", "It is gone", "Look for it"}};
  return data;
}

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream in(std::string{ENPROF_TEST_DATA} + "/" + path);
  EXPECT_TRUE(in) << path;
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
  }
  return lines;
}

/// The names of all members, whatever they hold: "facts.model.layers".
std::set<std::string> members_of(const StepJson& json, const std::string& path = {}) {
  std::set<std::string> names;
  for (const auto& [key, value] : json.items()) {
    const std::string place = json.is_array() ? path : path.empty() ? key : path + "." + key;
    names.insert(place);
    if (value.is_structured()) {
      names.merge(members_of(value, place));
    }
  }
  return names;
}

/// `change` is made to a step of everything, and what the reader has to say of it returned.
template <class Change>
std::string complaint(Change change) {
  StepJson step = StepJson::parse(step_to_json(step_of_everything()));
  change(step);
  StepReader reader;
  EXPECT_TRUE(reader.add(step.dump()));
  const auto run = reader.run();
  EXPECT_FALSE(run);
  EXPECT_TRUE(!run && run.error().code == ErrorCode::malformed);
  return run ? std::string{} : run.error().message;
}

TEST(StepFormat, StepsOfEachVersionAreRead) {
  const RecordedRun first = read(lines_of("0.1/51501d68463aba43.jsonl"));  // by enprof 0.1
  EXPECT_EQ(first.run.prompt, "Journal");
  EXPECT_EQ(first.run.model.layers, 16);
  EXPECT_EQ(first.run.model.experts, std::nullopt);
  EXPECT_EQ(first.power.domains.at(0).scope, DomainScope::by_kind);
  for (int version = 2; version <= kStepVersion; ++version) {
    const RecordedRun run = read(lines_of(fmt::format("steps/v{}.jsonl", version)));
    EXPECT_EQ(run.run.model.layers, 8);
    EXPECT_EQ(run.run.values.activations.size(), 2U);
    EXPECT_EQ(run.power.domains.at(1).scope, DomainScope::unclear);
    ASSERT_TRUE(run.power.baseline);
    EXPECT_EQ(run.power.baseline->total->windows, 7U);
  }
}

TEST(StepFormat, WhatAStepSaysDoesNotChangeWithinAVersion) {
  const std::string kept = lines_of(fmt::format("steps/v{}.jsonl", kStepVersion)).at(0);
  const std::string now = step_to_json(step_of_everything());
  EXPECT_EQ(members_of(StepJson::parse(kept)), members_of(StepJson::parse(now)))
      << "Raise kStepVersion, see step_format.hpp, and keep a step of it in tests/data/steps:\n"
      << now;
}

TEST(StepFormat, AColumnThatIsMissingOrCalledOtherwiseIsNamed) {
  using ::testing::HasSubstr;
  const auto rename = [](StepJson& object, const char* from) {
    object["renamed"] = object.at(from);
    object.erase(from);
  };
  EXPECT_THAT(complaint([&](auto& step) { step["facts"]["model"].erase("load_ns"); }),
              HasSubstr(R"(step 0: facts.model has no "load_ns")"));
  EXPECT_THAT(complaint([&](auto& step) { rename(step["facts"], "prompt"); }),
              HasSubstr(R"(facts has no "prompt")"));
  EXPECT_THAT(complaint([&](auto& step) { rename(step["facts"]["warnings"][0], "hint"); }),
              HasSubstr(R"(facts.warnings[0] has no "hint")"));
  EXPECT_THAT(complaint([&](auto& step) { rename(step["values"]["attention"][0], "head"); }),
              HasSubstr(R"(values.attention[0] has no "head")"));
  EXPECT_THAT(complaint([&](auto& step) { rename(step["sensors"]["domains"][1], "parent"); }),
              HasSubstr(R"(sensors.domains[1] has no "parent")"));
  EXPECT_THAT(complaint([&](auto& step) { rename(step["sensors"], "idle"); }),
              HasSubstr(R"(sensors has no "idle")"));
  EXPECT_THAT(complaint([&](auto& step) { rename(step["plans"]["0"][0], "flops"); }),
              HasSubstr(R"(plans.0[0] has no "flops")"));
  EXPECT_THAT(complaint([&](auto& step) { rename(step, "spans"); }),
              HasSubstr(R"(the step has "renamed", which is not known there)"));
}

TEST(StepFormat, AColumnThatWasRenamedIsReadByItsNameOfThen) {
  constexpr std::array kRenamed{ColumnChange{"facts.model", "load_ns", 2, "loading_ns"}};
  StepJson step = StepJson::parse(step_to_json(step_of_everything()));
  step["facts"]["model"]["loading_ns"] = 5;
  for (const bool old : {false, true}) {
    if (old) {
      step.erase("version");
      step["facts"]["model"].erase("load_ns");
    }
    StepReader reader(kRenamed);
    ASSERT_TRUE(reader.add(step.dump()));
    const auto run = reader.run();
    ASSERT_TRUE(run) << run.error().message;
    EXPECT_EQ(run->run.model.load_time, old ? Nanoseconds{5} : sample_facts().model.load_time);
  }
}

TEST(StepFormat, AColumnThatIsNewHasItsDefaultInOlderSteps) {
  constexpr std::array kNew{ColumnChange{"sensors.domains", "scope", kStepVersion + 1, ""}};
  StepJson step = StepJson::parse(step_to_json(step_of_everything()));
  for (StepJson& domain : step["sensors"]["domains"]) {
    domain.erase("scope");
  }
  StepReader reader(kNew);
  ASSERT_TRUE(reader.add(step.dump()));
  const auto run = reader.run();
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_EQ(run->power.domains.at(1).scope, DomainScope::by_kind);
}

TEST(StepFormat, AStepOfANewerProgramIsRefusedWithWhatToDo) {
  StepReader reader;
  const auto newer = reader.add(R"({"version":99,"step":0})");
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, ErrorCode::unsupported);
  EXPECT_NE(newer.error().message.find("is of version 99"), std::string::npos);
  EXPECT_NE(newer.error().hint.find("update this one"), std::string::npos);
  for (const char* version : {"0", "-1", "1.5", "\"2\"", "null"}) {
    const auto odd = reader.add(fmt::format(R"({{"version":{},"step":0}})", version));
    ASSERT_FALSE(odd) << version;
    EXPECT_EQ(odd.error().code, ErrorCode::malformed);
  }
}

TEST(StepReader, ADamagedStepIsLeftOutAndTheOthersAreRead) {
  const std::string base = R"("step":1,"origin_ns":0,"at_ns":9)";
  for (const std::string_view bad : {R"("spans":[1,0,0,1,0,-1,0,2])",
                                     R"("spans":[1,0,0,1,5,-1,0,2,0])",
                                     R"("spans":[1,0,0,1,-1,-1,0,2,0])",
                                     R"("spans":[0,0,0,1,0,-1,0,2,0])",
                                     R"("spans":[1,0,0,1,0,-1,0,9,0])",
                                     R"("spans":[1,0,0,1,0,-1,0,2,7])",
                                     R"("spans":[1,0,9223372036854775807,1,0,-1,0,2,0])",
                                     R"("windows":[0,0,1,"x"])",
                                     R"("windows":3)",
                                     R"("readings":[0,99,1,0.5])",
                                     R"("passes":[0,0,0,1,0,1,0,0,1])",
                                     R"("passes":[0,0,0,1,0,1,0,9,0])",
                                     R"("sequences":[7,0,0,1,1])",
                                     R"("passes":[0,0,0,1,0,1,0,1,0],"sequences":[0,0,-1,1,1])",
                                     R"("passes":[0,0,0,1,0,1,0,1,0],"sequences":[0,0,0,1])",
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
    ASSERT_TRUE(reader.add("{" + base + "," + std::string{bad} + "}")) << bad;
    const auto run = reader.run();
    ASSERT_TRUE(run) << bad << run.error().message;
    EXPECT_EQ(run->missing_steps, 1U) << bad;
    EXPECT_FALSE(run->complete) << bad;
    EXPECT_EQ(run->run.run_id, sample_facts().run_id);
    EXPECT_EQ(assemble_recorded(*run).warnings.back().code, "lost_steps");
  }
  StepReader reader;
  for (const std::string_view bad : {"", "{", "[]", "3", "null", R"({"step":-1})",
                                     R"({"step":1e3})", R"({"step":99999999999})"}) {
    const auto outcome = reader.add(bad);
    ASSERT_FALSE(outcome) << bad;
    EXPECT_THAT(outcome.error().message,
                AllOf(StartsWith("A step of a run cannot be read: "), Not(HasSubstr("exception"))));
  }
}

TEST(StepReader, WhatRefersToALostStepIsLeftOut) {
  const std::string base = R"({"step":1,"origin_ns":0,"at_ns":9,)";
  const auto with = [&](std::string_view content) {
    return read({step_to_json(first_step()), base + std::string{content} + "}"});
  };
  const RecordedRun token =
      with(R"("spans":[1,0,0,9,0,-1,0,1,0,2,0,0,1,1,99999,0,3,0])");  // more tokens than spans
  EXPECT_EQ(token.recording.spans.back().token, Span::kNone);
  EXPECT_EQ(with(R"("windows":[7,0,1,0.5])").power.windows.size(), sample_power().domains.size());
  EXPECT_EQ(with(R"("passes":[0,0,0,1,0,1,0,0,0])").recording.passes.lost_passes, 1U);
}

TEST(StepReader, TokensOutliveTheStepInWhichTheirPhaseBegan) {
  const std::vector<std::string> steps = steps_of(testing::small_recording(), sample_power(), 120);
  const ProfiledRun whole = assemble_recorded(read(steps));
  ASSERT_EQ(whole.tokens.size(), 2U);
  std::vector<std::string> damaged;
  for (const std::string& text : steps) {
    StepJson step = StepJson::parse(text);
    StepJson spans = StepJson::array();
    for (std::size_t at = 0; step.contains("spans") && at < step["spans"].size(); at += 9) {
      const auto level = static_cast<Level>(step["spans"][at + 7].get<int>());
      const auto phase = static_cast<Phase>(step["spans"][at + 8].get<int>());
      if (level == Level::phase && phase == Phase::decode) {
        continue;  // neither its begin nor its end
      }
      spans.insert(spans.end(), step["spans"].begin() + static_cast<long>(at),
                   step["spans"].begin() + static_cast<long>(at) + 9);
    }
    step["spans"] = spans;
    damaged.push_back(step.dump());
  }
  const ProfiledRun run = assemble_recorded(read(damaged));
  ASSERT_EQ(run.tokens.size(), whole.tokens.size());
  EXPECT_EQ(run.tokens.back().figure.total, whole.tokens.back().figure.total);
  EXPECT_EQ(run.phases.back().phase, Phase::decode);
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
