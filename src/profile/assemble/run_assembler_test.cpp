#include "profile/assemble/run_assembler.hpp"

#include "power/sampler/window_store.hpp"
#include "profile/assemble/standstills.hpp"
#include "record/pass_test_support.hpp"
#include "support/warning_codes.hpp"
#include "support/windows.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace enprof {
namespace {

using namespace std::chrono_literals;

Instant at(double ms) { return Instant{1s + from_ms(ms)}; }

/// A run of 1000 ms: pre_inference 0–100 (tokenization 10–40); prefill 100–400 (forward 100–380,
/// token 0 380–400); decode 400–1000: two tokens of 250 ms, each with 200 ms of forward, and 100 ms
/// outside of both.
Recording recording() {
  Recording result;
  result.names = {"run", "tokenization", "forward"};
  result.token_texts = {"a", "b", "c"};
  const auto add = [&](double begin, double end, int parent, Level level, Phase phase,
                       std::uint16_t name = 0, int token = Span::kNone) {
    result.spans.push_back({.begin = at(begin),
                            .end = at(end),
                            .parent = parent,
                            .token = token,
                            .name = name,
                            .level = level,
                            .phase = phase});
  };
  add(0, 1000, -1, Level::run, Phase::pre_inference);
  add(0, 100, 0, Level::phase, Phase::pre_inference);
  add(10, 40, 1, Level::section, Phase::pre_inference, 1);
  add(100, 400, 0, Level::phase, Phase::prefill);
  add(100, 380, 3, Level::section, Phase::prefill, 2);
  add(380, 400, 3, Level::token, Phase::prefill, 0, 0);
  add(400, 1000, 0, Level::phase, Phase::decode);
  add(400, 650, 6, Level::token, Phase::decode, 0, 1);
  add(400, 600, 7, Level::section, Phase::decode, 2, 1);
  add(650, 900, 6, Level::token, Phase::decode, 0, 2);
  add(650, 850, 9, Level::section, Phase::decode, 2, 2);
  return result;
}

/// Windows of 10 ms from before until after the run: 100 W from 500 to 600 ms, otherwise 50 W.
PowerEvidence evidence() {
  PowerEvidence power;
  power.domains = {domain_from_name("package-0"), domain_from_name("core-0")};
  for (Domain& domain : power.domains) {
    domain.source = "rapl";
    domain.period = 10ms;
  }
  link_parents(power.domains);
  power.windows.resize(2);
  for (double t = -10; t < 1010; t += 10) {
    const double watts = t >= 500 && t < 600 ? 100.0 : 50.0;
    power.windows[0].push_back(
        {.domain = 0, .begin = at(t), .end = at(t + 10), .energy = Watts{watts} * 10ms});
    power.windows[1].push_back(
        {.domain = 1, .begin = at(t), .end = at(t + 10), .energy = Watts{watts / 2} * 10ms});
  }
  power.baseline = IdleBaseline{.domains = {IdleBaseline::DomainIdle{Watts{10}, Watts{1}},
                                            IdleBaseline::DomainIdle{Watts{5}, std::nullopt}},
                                .total = BaselineFigure{.power = Watts{10}, .duration = 2s}};
  return power;
}

/// Two busy CPUs from before the run until after it; other processes use this share of them.
std::vector<CpuSample> cpu_samples(double others) {
  std::vector<CpuSample> samples;
  for (int ms = -100; ms <= 1100; ms += 100) {
    const Nanoseconds busy = std::chrono::milliseconds{2 * (ms + 100)};
    samples.push_back({.at = at(ms),
                       .times = {.machine = {.busy = busy, .total = 2 * busy},
                                 .own = from_ms(to_ms(busy) * (1.0 - others))}});
  }
  return samples;
}

ProfiledRun assembled(const PowerEvidence& power = evidence()) {
  ProfiledRun run;
  run.totals.prompt_tokens = 30;
  const Recording recorded = recording();
  assemble_run(recorded.view(), power, run);
  return run;
}

const SectionFigure& section(const ProfiledRun& run, Phase phase, std::string_view name) {
  const auto found = std::ranges::find_if(run.sections, [&](const SectionFigure& candidate) {
    return candidate.phase == phase && candidate.name == name;
  });
  EXPECT_NE(found, run.sections.end()) << name;
  return *found;
}

TEST(RunAssembler, TheTotalIsTheSumOfTheRoots) {
  const ProfiledRun run = assembled();
  EXPECT_NEAR(run.totals.figure.total->value(), 55.0, 1e-9);  // core lies within the package
  EXPECT_NEAR(run.totals.figure.baseline->value(), 10.0, 1e-9);
  EXPECT_NEAR(run.totals.figure.dynamic->value(), 45.0, 1e-9);
  EXPECT_DOUBLE_EQ(run.totals.figure.quality.coverage, 1.0);
  ASSERT_EQ(run.power.domains.size(), 2U);
  EXPECT_NEAR(run.power.domains[1].figure.total->value(), 27.5, 1e-9);
  EXPECT_EQ(run.power.domains[1].idle_power, Watts{5});
  EXPECT_TRUE(run.warnings.empty());
}

TEST(RunAssembler, ReadingsBesideEnergyAreTheRuns) {
  PowerEvidence power = evidence();
  power.readings = {
      {.domain = 0, .quantity = SensorQuantity::temperature_celsius, .at = at(250), .value = 61.5}};
  const ProfiledRun run = assembled(power);
  ASSERT_EQ(run.power.readings.size(), 1U);
  EXPECT_EQ(run.power.readings[0].at, 250ms);
  EXPECT_DOUBLE_EQ(run.power.readings[0].value, 61.5);
}

// Ctrl-Z: the machine draws 100 W meanwhile; that energy belongs to no token.
TEST(RunAssembler, TimeInWhichTheProgramStoodStillIsInDurationsAndInNoEnergy) {
  PowerEvidence power = evidence();
  power.standstills = {{at(500), at(600)}};
  power.windows = without_standstills(std::move(power.windows), power.standstills);
  const ProfiledRun run = assembled(power);
  EXPECT_EQ(run.tokens[1].figure.duration, 250ms);
  EXPECT_NEAR(run.tokens[1].figure.total->value(), 7.5, 1e-9);
  EXPECT_NEAR(run.tokens[1].figure.quality.coverage, 0.6, 1e-9);
  EXPECT_NEAR(run.totals.figure.total->value(), 45.0, 1e-9);
  EXPECT_NEAR(run.totals.energy_per_output_token->value(), 50 * 0.5 / 2, 1e-9)
      << "coverage of the time in which it ran";
  EXPECT_NEAR(run.totals.tokens_per_joule.value(), 3 / 45.0, 1e-9);
  ASSERT_EQ(run.warnings.size(), 1U) << "standstills do not lower the coverage";
  EXPECT_EQ(run.warnings[0].code, "stood_still");
  EXPECT_NE(run.warnings[0].message.find("stood still for 0.1 s of the run"), std::string::npos);
  EXPECT_NE(run.warnings[0].message.find("token 1;"), std::string::npos);
}

// A monitor joins the windows of a long run; the run's energies must stay the same.
TEST(RunAssembler, WindowsThatWereJoinedConserveEnergy) {
  PowerEvidence power = evidence();
  const ProfiledRun fine = assembled(power);
  WindowStore store(power.domains, 0);  // of the smallest capacity
  const auto add = [&](std::uint16_t domain, double begin, double watts) {
    EXPECT_TRUE(store.add({.domain = domain,
                           .begin = at(begin),
                           .end = at(begin + 1),
                           .energy = Watts{watts} * 1ms}));
  };
  for (double t = -10; t < 1010; t += 1) {
    add(0, t, t >= 500 && t < 600 ? 100.0 : 50.0);
    add(1, t, t >= 500 && t < 600 ? 50.0 : 25.0);
    if (t == -1 || t == 999) {
      store.keep_edge(at(t + 1));  // the run's begin and end
    }
  }
  EXPECT_LT(store.size(), 512U);
  power.windows = store.between(at(0), at(1000));
  const ProfiledRun joined = assembled(power);
  EXPECT_NEAR(joined.totals.figure.total->value(), fine.totals.figure.total->value(), 1e-9);
  EXPECT_DOUBLE_EQ(joined.totals.figure.quality.coverage, 1.0);
  Joules phases;
  for (const PhaseFigure& phase : joined.phases) {
    phases += *phase.figure.total;
  }
  EXPECT_NEAR(phases.value(), joined.totals.figure.total->value(), 1e-9);
}

TEST(RunAssembler, PhasesAddUpToTheRun) {
  const ProfiledRun run = assembled();
  ASSERT_EQ(run.phases.size(), 3U);
  Joules sum;
  Nanoseconds time{0};
  for (const PhaseFigure& phase : run.phases) {
    sum += *phase.figure.total;
    time += phase.figure.duration;
  }
  EXPECT_NEAR(sum.value(), run.totals.figure.total->value(), 1e-9);
  EXPECT_EQ(time, run.totals.figure.duration);
}

TEST(RunAssembler, SectionsOfAPhaseAddUpToIt) {
  const ProfiledRun run = assembled();
  EXPECT_EQ(section(run, Phase::decode, "forward").count, 2U);
  EXPECT_NEAR(section(run, Phase::decode, "forward").figure.total->value(), 25.0, 1e-9);
  EXPECT_NEAR(section(run, Phase::pre_inference, "tokenization").figure.total->value(), 1.5, 1e-9);
  for (const PhaseFigure& phase : run.phases) {
    Joules sum;
    Nanoseconds time{0};
    for (const SectionFigure& part : run.sections) {
      if (part.phase == phase.phase) {
        sum += *part.figure.total;
        time += part.figure.duration;
      }
    }
    EXPECT_NEAR(sum.value(), phase.figure.total->value(), 1e-9);
    EXPECT_EQ(time, phase.figure.duration);
  }
}

TEST(RunAssembler, NestedSectionsAreNamedAfterTheOuterOne) {
  Recording nested = recording();
  nested.names.emplace_back("attention");
  nested.spans.insert(nested.spans.begin() + 5, {.begin = at(200),
                                                 .end = at(300),
                                                 .parent = 4,
                                                 .name = 3,
                                                 .level = Level::section,
                                                 .phase = Phase::prefill});
  for (Span& span : nested.spans) {
    if (span.parent >= 5) {
      ++span.parent;
    }
  }
  ProfiledRun run;
  assemble_run(nested.view(), evidence(), run);
  EXPECT_NEAR(section(run, Phase::prefill, "forward/attention").figure.total->value(), 5.0, 1e-9);
  EXPECT_NEAR(section(run, Phase::prefill, "forward").figure.total->value(), 14.0, 1e-9);
  EXPECT_NEAR(section(run, Phase::prefill, "(self)").figure.total->value(), 1.0, 1e-9);
}

TEST(RunAssembler, APromptThatWasNotReadToItsEndHasNoRates) {
  Recording cut = recording();
  std::erase_if(cut.spans, [](const Span& span) { return span.level == Level::token; });
  for (Span& span : cut.spans) {
    span.parent = std::min(span.parent, 0);
  }
  for (const RunStatus status :
       {RunStatus::cancelled, RunStatus::interrupted, RunStatus::failed, RunStatus::completed}) {
    ProfiledRun run;
    run.status = status;
    run.totals.prompt_tokens = 30;
    assemble_run(cut.view(), evidence(), run);
    const bool is_whole = status == RunStatus::completed;  // a model may generate no tokens
    EXPECT_EQ(run.totals.prefill_tokens_per_second.has_value(), is_whole) << to_string(status);
    EXPECT_EQ(run.totals.energy_per_input_token.has_value(), is_whole) << to_string(status);
  }
}

TEST(RunAssembler, FormulasByHand) {
  const Totals totals = assembled().totals;
  EXPECT_EQ(totals.output_tokens, 3U);
  EXPECT_EQ(totals.time_to_first_token, 400ms);
  EXPECT_DOUBLE_EQ(*totals.prefill_tokens_per_second, 30 / 0.3);
  EXPECT_DOUBLE_EQ(*totals.decode_tokens_per_second, 2 / 0.6);
  EXPECT_NEAR(totals.energy_per_input_token->value(), 15.0 / 30, 1e-12);
  EXPECT_NEAR(totals.energy_per_output_token->value(), 35.0 / 2, 1e-9);
  EXPECT_NEAR(*totals.output_to_input_ratio, 35.0, 1e-9);
  EXPECT_NEAR(*totals.tokens_per_joule, 3 / 55.0, 1e-12);
  EXPECT_NEAR(*totals.edp_joule_seconds, 55.0, 1e-9);
  EXPECT_NEAR(*totals.edp_per_token_joule_seconds, (17.5 * 0.25 + 12.5 * 0.25) / 2, 1e-9);
  EXPECT_NEAR(*totals.cost_usd, 55.0 / 3.6e6 * 0.12, 1e-15);
  EXPECT_NEAR(*totals.co2_grams, 55.0 / 3.6e6 * 400.0, 1e-12);
}

TEST(RunAssembler, ATokensUncertaintyIsItsPhases) {
  PowerEvidence power = evidence();
  EXPECT_FALSE(assembled(power).totals.energy_per_output_token_uncertainty)
      << "the sensor's accuracy is not known";
  power.domains[0].relative_uncertainty = 0.04;
  const ProfiledRun run = assembled(power);
  const Totals& totals = run.totals;
  const Figure& decode = run.phases.at(2).figure;
  EXPECT_NEAR(totals.energy_per_output_token_uncertainty->value(),
              decode.quality.standard_uncertainty->value() / 2, 1e-9);
  EXPECT_NEAR(*totals.energy_per_output_token_uncertainty / *totals.energy_per_output_token, 0.04,
              0.001);
  EXPECT_NEAR(*totals.energy_per_input_token_uncertainty / *totals.energy_per_input_token, 0.04,
              0.001);
}

TEST(RunAssembler, PeakIsWhereItWas) {
  const ProfiledRun run = assembled();
  ASSERT_TRUE(run.power.peak);
  EXPECT_NEAR(run.power.peak->power.value(), 100.0, 1e-9);
  EXPECT_GE(run.power.peak->at, 500ms);
  EXPECT_LE(run.power.peak->at, 605ms);
  EXPECT_NEAR(run.power.peak->by_domain.at(1)->value(), 50.0, 1e-9);
}

// An interval of 600 ms holds at most one of the two bursts: its mean is at most 58.3 W, below the
// run's mean of 60 W.
TEST(RunAssembler, APeakIsNeverBelowTheMeanOfAPhase) {
  PowerEvidence power = evidence();
  for (std::vector<EnergyWindow>& windows : power.windows) {
    for (EnergyWindow& window : windows) {
      const bool in_burst = window.begin < at(100) || window.begin >= at(900);
      window.energy = Watts{in_burst ? 100.0 : 50.0} * (window.end - window.begin);
    }
  }
  for (Domain& domain : power.domains) {
    domain.period = 600ms;
  }
  const ProfiledRun run = assembled(power);
  ASSERT_TRUE(run.power.peak);
  EXPECT_NEAR(run.totals.figure.mean_power->value(), 60.0, 1e-9);
  EXPECT_NEAR(run.phases.front().figure.mean_power->value(), 100.0, 1e-9);
  EXPECT_NEAR(run.power.peak->power.value(), 100.0, 1e-9);
  EXPECT_EQ(run.power.peak->window, 100ms);
  EXPECT_EQ(run.power.peak->at, 50ms);
  ASSERT_EQ(run.power.peak->by_domain.size(), 2U);
  EXPECT_NEAR(run.power.peak->by_domain[1]->value(), 100.0, 1e-9);
}

// Part of the only window lies before the run. What the machine drew there is unknown: something
// between idle, 10 W, and the window's mean, 50 W. The run gets no more than that mean; the error
// reaches to what it drew if the machine idled.
TEST(RunAssembler, ThePeakOfARunWithinAWindowIsItsMean) {
  PowerEvidence power = evidence();
  power.windows[0] = {
      {.domain = 0, .begin = at(-800), .end = at(1000), .energy = Watts{50} * 1800ms}};
  power.windows[1].clear();
  const ProfiledRun run = assembled(power);
  ASSERT_TRUE(run.power.peak);
  EXPECT_NEAR(run.totals.figure.mean_power->value(), 50, 1e-9);
  EXPECT_NEAR(run.totals.figure.quality.standard_error->value(), 0.8 * 40 / std::sqrt(3.0), 1.0);
  EXPECT_NEAR(run.power.peak->power.value(), 50, 1e-9);
}

// The same with a window before it, which shows what was drawn there.
TEST(RunAssembler, AWindowBeforeTheRunShowsThePowerOutside) {
  PowerEvidence power = evidence();
  power.windows[0] = {
      {.domain = 0, .begin = at(-1100), .end = at(-950), .energy = Watts{20} * 150ms},
      {.domain = 0, .begin = at(-950), .end = at(-800), .energy = Watts{20} * 150ms},
      {.domain = 0, .begin = at(-800), .end = at(1000), .energy = Watts{50} * 1800ms}};
  power.windows[1].clear();
  const ProfiledRun run = assembled(power);
  EXPECT_NEAR(run.totals.figure.mean_power->value(), 90 - 0.8 * 20, 1e-9);
  EXPECT_LT(run.totals.figure.quality.standard_error->value(), 1.0);
  EXPECT_EQ(run.power.samples.size(), 1U) << "those before the run are evidence, not samples of it";
}

TEST(RunAssembler, WithoutSensorsTimingsRemain) {
  const ProfiledRun run = assembled(PowerEvidence{});
  EXPECT_EQ(run.totals.figure.duration, 1s);
  EXPECT_FALSE(run.totals.figure.total);
  EXPECT_FALSE(run.totals.cost_usd);
  EXPECT_FALSE(run.totals.tokens_per_joule);
  EXPECT_FALSE(run.power.peak);
  EXPECT_EQ(run.totals.time_to_first_token, 400ms);
  EXPECT_EQ(run.phases.size(), 3U);
  EXPECT_FALSE(run.tokens[0].figure.total);
  EXPECT_TRUE(run.warnings.empty());
}

TEST(RunAssembler, ASensorThatFellSilentIsNotZeroWatts) {
  PowerEvidence power = evidence();
  testing::erase_windows(power.windows,
                         [](const EnergyWindow& window) { return window.end > at(500); });
  const ProfiledRun run = assembled(power);
  EXPECT_NEAR(run.totals.figure.quality.coverage, 0.5, 0.001);
  EXPECT_FALSE(run.tokens[2].figure.total);
  EXPECT_NEAR(run.totals.figure.mean_power->value(), 50.0, 1e-9);
  ASSERT_EQ(run.warnings.size(), 1U);
  EXPECT_EQ(run.warnings[0].code, "low_coverage");
  // The energy of a part of the run divided by all tokens would be too low.
  EXPECT_FALSE(run.totals.energy_per_output_token);
  EXPECT_FALSE(run.totals.tokens_per_joule);
  EXPECT_FALSE(run.totals.edp_joule_seconds);
  EXPECT_NEAR(run.totals.energy_per_input_token->value(), 50.0 * 0.3 / 30, 1e-9) << "covered";
}

TEST(RunAssembler, AShortGapDoesNotLowerTheEnergyPerToken) {
  PowerEvidence power = evidence();
  testing::erase_windows(power.windows, [](const EnergyWindow& window) {
    return window.begin >= at(900) && window.end <= at(950);
  });
  const ProfiledRun run = assembled(power);
  EXPECT_NEAR(run.totals.figure.total->value(), 52.5, 1e-9);
  const double decode_watts = 32.5 / 0.55;
  EXPECT_NEAR(run.totals.energy_per_output_token->value(), decode_watts * 0.6 / 2, 1e-9);
  EXPECT_NEAR(*run.totals.tokens_per_joule, 3 / (52.5 / 0.95), 1e-9);
  EXPECT_NEAR(*run.totals.edp_joule_seconds, 52.5 / 0.95, 1e-9);
}

TEST(RunAssembler, ARunWithoutAWindowHasAWarning) {
  PowerEvidence power = evidence();
  power.windows.clear();
  const ProfiledRun run = assembled(power);
  EXPECT_FALSE(run.totals.figure.total);
  ASSERT_EQ(run.warnings.size(), 1U);
  EXPECT_EQ(run.warnings[0].code, "no_coverage");
  EXPECT_NE(run.warnings[0].hint.find("enprof doctor"), std::string::npos);

  power.interval = std::chrono::seconds{1};  // as long as the run
  EXPECT_NE(assembled(power).warnings[0].hint.find("--power-interval-ms"), std::string::npos);
}

TEST(RunAssembler, WarnsOfForeignLoadAndABusyBaseline) {
  PowerEvidence power = evidence();
  power.cpu = cpu_samples(0.25);
  power.baseline->domains[0]->power = Watts{80};
  const ProfiledRun run = assembled(power);
  ASSERT_EQ(run.warnings.size(), 2U);
  EXPECT_EQ(run.warnings[0].code, "baseline_above_run");
  EXPECT_NE(run.warnings[0].message.find("80.00 W"), std::string::npos);
  EXPECT_EQ(run.warnings[1].code, "foreign_load");
  EXPECT_NEAR(*run.totals.figure.quality.foreign_cpu_share, 0.25, 1e-9);
}

TEST(RunAssembler, ABaselineAboveARunThatUsedNothingHasANumber) {
  PowerEvidence power = evidence();
  for (EnergyWindow& window : power.windows[0]) {
    window.energy = Joules{0};
  }
  power.baseline->domains[0]->power = Watts{80};
  const ProfiledRun run = assembled(power);
  ASSERT_FALSE(run.warnings.empty());
  EXPECT_EQ(run.warnings[0].code, "baseline_above_run");
  EXPECT_EQ(run.warnings[0].message,
            "The idle baseline (80.00 W) is above the run's mean power (0.00 W)");
}

TEST(RunAssembler, ThisProcessHasItsShareOfTheEnergyAboveIdle) {
  PowerEvidence power = evidence();
  EXPECT_FALSE(assembled(power).totals.process_dynamic);  // CPU times are not known
  power.cpu = cpu_samples(0.2);
  const ProfiledRun run = assembled(power);
  EXPECT_NEAR(run.totals.process_dynamic->value(), 0.8 * 45.0, 1e-6);
  EXPECT_NEAR(*run.phases[1].figure.quality.foreign_cpu_share, 0.2, 1e-9);
  EXPECT_NEAR(run.totals.figure.total->value(), 55.0, 1e-9);  // of all processes

  // The other processes worked only in the tenth of a second in which the machine drew 100 W.
  const auto own_before = power.cpu[7].times.own;
  for (std::size_t index = 7; index < power.cpu.size(); ++index) {
    power.cpu[index].times.own = own_before - 160ms;
  }
  for (std::size_t index = 0; index < 7; ++index) {
    power.cpu[index].times.own = power.cpu[index].times.machine.busy;
  }
  const ProfiledRun alone = assembled(power);
  EXPECT_LT(alone.totals.process_dynamic->value(), 45.0);

  power.baseline.reset();
  EXPECT_FALSE(assembled(power).totals.process_dynamic);  // no baseline: no energy above idle
}

TEST(RunAssembler, TheProcessesShareIsWithoutGpus) {
  PowerEvidence power = evidence();
  power.cpu = cpu_samples(0.2);
  power.domains[0] = domain_from_name("gpu-0");
  power.domains[1] = domain_from_name("gpu-1");
  link_parents(power.domains);
  EXPECT_FALSE(assembled(power).totals.process_dynamic);
}

TEST(RunAssembler, TheBaselinesErrorReachesTheDynamicPart) {
  PowerEvidence power = evidence();
  power.baseline->domains[0] = IdleBaseline::DomainIdle{Watts{10}, Watts{1}, 25};
  const Quality quality = assembled(power).totals.figure.quality;
  // 1 W over 25 windows: 0.2 W, for a second.
  EXPECT_NEAR(quality.dynamic_standard_error->value(),
              std::hypot(quality.standard_error->value(), 0.2), 1e-9);
}

// ---- passes ------------------------------------------------------------------------------------

ProfiledRun assembled_with_passes(Depth depth, const Recording& recording) {
  PowerEvidence power;
  power.domains = {domain_from_name("package-0")};
  power.windows = {testing::small_power()};
  ProfiledRun run;
  run.depth = depth;
  assemble_run(recording.view(), power, run);
  return run;
}

TEST(RunAssembler, TimesAreTheSameAtAnyDepthAndEnergyIsConserved) {
  const ProfiledRun minimal = assembled_with_passes(Depth::minimal, testing::small_recording());
  EXPECT_TRUE(minimal.layers.empty());
  const auto same_times = [](const auto& a, const auto& b) {
    return a.figure.duration == b.figure.duration;
  };
  for (const Depth depth : {Depth::module, Depth::deep}) {
    const ProfiledRun run = assembled_with_passes(depth, testing::small_recording());
    EXPECT_TRUE(std::ranges::equal(run.phases, minimal.phases, same_times));
    EXPECT_TRUE(std::ranges::equal(run.sections, minimal.sections, same_times));
    EXPECT_TRUE(std::ranges::equal(run.tokens, minimal.tokens, same_times));
    EXPECT_EQ(run.layers.size(), 6U);
    EXPECT_EQ(run.operations.empty(), depth != Depth::deep);
    EXPECT_TRUE(run.warnings.empty());
    // 100 ms at 10 W, 10 ms of them at 20 W.
    EXPECT_NEAR(run.totals.figure.total->value(), 1.1, 1e-9);
    Joules phases;
    for (const PhaseFigure& phase : run.phases) {
      phases += *phase.figure.total;
    }
    EXPECT_NEAR(phases.value(), 1.1, 1e-9);
    Joules layers;
    for (const LayerFigure& layer : run.layers) {
      layers += *layer.figure.total;
    }
    EXPECT_LT(layers, phases);
    EXPECT_GT(layers, 0.5 * phases);  // 54 ms of the 100 are in passes
  }
}

TEST(RunAssembler, IfADepthFailsTheCoarserOnesRemain) {
  Recording broken = testing::small_recording();
  broken.passes.stamps.clear();
  const ProfiledRun run = assembled_with_passes(Depth::deep, broken);
  const ProfiledRun minimal = assembled_with_passes(Depth::minimal, testing::small_recording());
  EXPECT_EQ(run.tokens, minimal.tokens);
  EXPECT_EQ(run.sections, minimal.sections);
  EXPECT_TRUE(run.layers.empty());
  ASSERT_EQ(run.warnings.size(), 2U);  // deep, then module
  EXPECT_EQ(run.warnings[0].code, "depth_failed");
}

TEST(RunAssembler, PassesWithoutStampsAreCounted) {
  Recording recording = testing::small_recording();
  recording.passes.passes[0].state = PassState::mismatched;
  recording.passes.passes[1].state = PassState::dropped;
  recording.passes.passes[2].state = PassState::discarded;  // on purpose: no warning
  recording.passes.lost_passes = 4;
  recording.passes.lost_sequences = 1;
  const ProfiledRun run = assembled_with_passes(Depth::module, recording);
  EXPECT_EQ(testing::warning_codes(run.warnings),
            (std::vector<std::string>{"mismatched_passes", "dropped_passes", "lost_passes",
                                      "lost_sequences"}));
}

}  // namespace
}  // namespace enprof
