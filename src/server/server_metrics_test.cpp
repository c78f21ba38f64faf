#include "server/server_metrics.hpp"

#include "support/sample_run.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>

namespace enprof {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// The value of a series, given with its labels in alphabetical order; NaN if absent.
double value_of(const std::string& text, const std::string& series) {
  const std::size_t found = text.find("\n" + series + " ");
  return found == std::string::npos ? std::nan("")
                                    : std::stod(text.substr(found + series.size() + 2));
}

TEST(ServerMetrics, ARunIsCountedInBaseUnits) {
  ProfiledRun run = testing::sample_run();
  run.model.name = "m \"q\"";
  run.warnings = {{"power", "low_coverage", "message", ""}};
  ServerMetrics metrics;
  metrics.count(run);
  metrics.count(run);
  const std::string text =
      metrics.text({.stream_clients = 3, .dropped_clients = 2, .dropped_events = 7});
  EXPECT_THAT(text, HasSubstr("# TYPE enprof_energy_joules_total counter"));
  // package-0 used 0.33 J of 3.01 J, and has the same share of the decode phase's 0.31 J.
  EXPECT_NEAR(value_of(text,
                       "enprof_energy_joules_total{domain=\"package-0\",model=\"m \\\"q\\\"\","
                       "phase=\"decode\"}"),
              2 * 0.33 / 3.01 * 0.31, 1e-9);
  EXPECT_THAT(text, Not(HasSubstr("domain=\"core-0\",model")));  // it is contained in package-0
  EXPECT_NEAR(value_of(text, "enprof_run_energy_joules_sum"), 2 * 3.01, 1e-9);
  EXPECT_NEAR(value_of(text, "enprof_run_duration_seconds_sum"), 2 * 0.037'160'467, 1e-9);
  EXPECT_THAT(text, HasSubstr("enprof_runs_total{status=\"completed\"} 2"));
  EXPECT_THAT(text, HasSubstr("enprof_run_verdicts_total{verdict=\"with_caution\"} 2"));
  EXPECT_THAT(text, HasSubstr("enprof_run_verdicts_total{verdict=\"quotable\"} 0"));
  EXPECT_THAT(text, HasSubstr("enprof_errors_total{code=\"low_coverage\",component=\"power\"} 2"));
  EXPECT_THAT(text, HasSubstr("enprof_run_energy_joules_count 2"));
  EXPECT_THAT(text, HasSubstr("enprof_stream_clients 3"));
  EXPECT_THAT(text, HasSubstr("enprof_dropped_clients_total 2"));
  EXPECT_THAT(text, HasSubstr("enprof_dropped_events_total 7"));
  EXPECT_THAT(text, Not(HasSubstr(run.run_id)));
  const auto decoded = std::ranges::count(run.tokens, Phase::decode, &TokenFigure::phase);
  EXPECT_LT(decoded, std::ssize(run.tokens));
  EXPECT_THAT(text, HasSubstr(fmt::format("enprof_decode_tokens_total {}\n", 2 * decoded)));
  // A counter neither goes back nor counts an earlier total again.
  EXPECT_THAT(metrics.text({.dropped_clients = 2}), HasSubstr("enprof_dropped_clients_total 2"));
}

TEST(ServerMetrics, RunsAreCountedFromZero) {
  ServerMetrics metrics;
  EXPECT_THAT(metrics.text({}), HasSubstr("enprof_runs_total{status=\"failed\"} 0"));
}

TEST(ServerMetrics, FailedReadingsAreCountedBySource) {
  ServerMetrics metrics;
  static_cast<void>(metrics.text({.read_errors = {{"rapl", 3}, {"nvml", 0}}}));
  const std::string text = metrics.text({.read_errors = {{"rapl", 5}, {"nvml", 0}}});
  EXPECT_THAT(text, HasSubstr("enprof_sensor_read_errors_total{source=\"rapl\"} 5"));
  EXPECT_THAT(text, HasSubstr("enprof_sensor_read_errors_total{source=\"nvml\"} 0"));
}

TEST(ServerMetrics, APartThatFailsIsDown) {
  ServerMetrics metrics;
  static_cast<void>(metrics.text({.components = {{"power", true}, {"store", true}}}));
  const std::string text = metrics.text({.components = {{"power", true}, {"store", false}}});
  EXPECT_THAT(text, HasSubstr("enprof_component_up{component=\"power\"} 1"));
  EXPECT_THAT(text, HasSubstr("enprof_component_up{component=\"store\"} 0"));
}

TEST(ServerMetrics, UnknownPowerIsAbsentNotZero) {
  ServerMetrics metrics;
  EXPECT_THAT(metrics.text({}), Not(HasSubstr("\nenprof_power_watts ")));
  EXPECT_THAT(metrics.text({.power = Watts{42}}), HasSubstr("\nenprof_power_watts 42"));
  EXPECT_THAT(metrics.text({}), Not(HasSubstr("\nenprof_power_watts ")));
}

}  // namespace
}  // namespace enprof
