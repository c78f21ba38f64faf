// Plays every trace of tests/traces through the real sources. For each the true energy is known:
// what the windows say of the time that they cover differs from it by one step of the counter at
// most, and time that they do not cover is told.
#include "power/rapl/rapl_source.hpp"
#include "support/counter_trace.hpp"
#include "support/windows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <tuple>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using testing::CounterMachine;
using testing::CounterTrace;
using ::testing::ElementsAreArray;

enum class Way : std::uint8_t { files, events };
enum class Reading : std::uint8_t { plain, locked };

constexpr Nanoseconds kInterval = std::chrono::milliseconds{10};  // between a trace's readings

std::vector<std::string> trace_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(ENPROF_TRACES)) {
    if (entry.path().extension() == ".trace") {
      names.push_back(entry.path().stem());
    }
  }
  std::ranges::sort(names);
  return names;
}

/// One stretch of time without a gap.
struct Piece {
  Instant begin;
  Instant end;
  Joules energy;
};

std::vector<Piece> pieces_of(const std::vector<EnergyWindow>& windows, std::size_t domain) {
  std::vector<Piece> pieces;
  for (const EnergyWindow& window : windows) {
    if (window.domain != domain) {
      continue;
    }
    EXPECT_LT(window.begin, window.end);
    EXPECT_GT(window.energy.value(), 0);
    if (!pieces.empty() && pieces.back().end == window.begin) {
      pieces.back().end = window.end;
      pieces.back().energy += window.energy;
    } else {
      EXPECT_TRUE(pieces.empty() || pieces.back().end < window.begin) << "windows overlap";
      pieces.push_back({.begin = window.begin, .end = window.end, .energy = window.energy});
    }
  }
  return pieces;
}

class RaplTraces : public ::testing::TestWithParam<std::tuple<std::string, Way, Reading>> {
 protected:
  void SetUp() override {
    if (trace_.files_only() && is_perf_) {
      GTEST_SKIP() << "files that vanish are no matter for events";
    }
    trace_.set_up(machine_, is_perf_);
  }

  [[nodiscard]] PowerEnvironment environment() const {
    return {.sysfs_root = machine_.sysfs_root(),
            .procfs_root = machine_.procfs_root(),
            .clock = &machine_.clock(),
            .lock_to_steps = is_locked_,
            .boot_clock = &machine_.boot_clock(),
            .sleeper = &machine_.sleeper(),
            .perf_events = is_perf_ ? &machine_.perf_events() : nullptr};
  }

  /// What must hold of the windows that came between two instants. Where a counter stops between
  /// two readings, the window of these is short of what was used after it had stopped: nothing
  /// tells by then.
  void check(std::span<const Domain> domains, const std::vector<EnergyWindow>& windows,
             Instant begin, Instant end, Nanoseconds between_readings) {
    ASSERT_EQ(domains.size(), trace_.domains().size());
    for (std::size_t index = 0; index < domains.size(); ++index) {
      const std::string& name = domains[index].name;
      SCOPED_TRACE(name);
      const bool stops = trace_.expected(is_perf_).contains("counter_stopped");
      const Joules step = machine_.one_step(name);
      const Joules unseen =
          stops ? machine_.used(name, begin, begin + between_readings) : Joules{0};
      const auto pieces = pieces_of(windows, index);
      Joules uncovered = machine_.used(name, begin, end);
      Joules total;
      Nanoseconds covered{0};
      for (const Piece& piece : pieces) {
        const Joules truth = machine_.used(name, piece.begin, piece.end);
        EXPECT_NEAR(piece.energy.value(), truth.value(), (tolerance(step) + unseen).value());
        uncovered -= truth;
        total += piece.energy;
        covered += piece.end - piece.begin;
      }
      EXPECT_NEAR((machine_.used(name, begin, end) - total - uncovered).value(), 0,
                  (step * static_cast<double>(pieces.size()) + unseen).value());
      const double coverage = seconds(covered) / seconds(end - begin);
      if (trace_.has_gap(name, is_perf_)) {
        EXPECT_LT(coverage, 0.995);
      } else {
        EXPECT_EQ(pieces.size(), 1U);
        EXPECT_GE(covered, end - begin - 3 * CounterMachine::kStep);
      }
    }
  }

  /// A locked reading of a counter that is well is exact to microseconds.
  [[nodiscard]] Joules tolerance(Joules step) const {
    const bool is_well = trace_.expected(is_perf_).empty();
    return is_locked_ && is_well ? step * 0.02 + Joules{3e-6} : step;
  }

  const bool is_perf_ = std::get<1>(GetParam()) == Way::events;
  const bool is_locked_ = std::get<2>(GetParam()) == Reading::locked;
  const CounterTrace trace_{std::filesystem::path(ENPROF_TRACES) /
                            (std::get<0>(GetParam()) + ".trace")};
  CounterMachine machine_;
};

TEST_P(RaplTraces, TheSourceLosesNothingSilently) {
  auto source = RaplSource::open(environment());
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_THAT((*source)->description(),
              ::testing::HasSubstr(is_perf_ ? "perf events" : "powercap files"));
  const auto started = (*source)->start();
  ASSERT_TRUE(started) << started.error().message;
  const Instant begin = machine_.clock().now();
  std::vector<EnergyWindow> windows;
  std::set<std::string> codes;
  bool gone = false;
  trace_.play(machine_, [&] {
    if (gone) {
      return;
    }
    const Poll poll = (*source)->poll(windows);
    for (const Incident& incident : poll.incidents) {
      codes.insert(incident.code);
      EXPECT_FALSE(incident.error.message.empty());
    }
    if (poll.outcome == PollOutcome::retry || poll.outcome == PollOutcome::gone) {
      EXPECT_FALSE(poll.error.message.empty());
      gone = poll.outcome == PollOutcome::gone;
      codes.insert(gone ? "sensor_gone" : "sensor_retried");
    }
  });
  EXPECT_THAT(codes, ElementsAreArray(trace_.expected(is_perf_)));
  check((*source)->domains(), windows, begin, machine_.clock().now(), Nanoseconds{0});
}

TEST_P(RaplTraces, NorDoesTheMonitor) {
  auto monitor = PowerMonitor::open("rapl", environment());
  ASSERT_TRUE(monitor) << monitor.error().message;
  // It is read when the trace says so. By its own timer it would be in the middle of a reading
  // while the trace lets milliseconds pass.
  ASSERT_TRUE(monitor->start(1h));
  const Instant begin = machine_.clock().now();
  trace_.play(machine_, [&] { monitor->sync(); });
  const Instant end = machine_.clock().now();
  monitor->stop();
  std::set<std::string> codes;
  for (const Warning& warning : monitor->warnings()) {
    if (warning.code != "rate_deviation") {  // the trace makes the rate, not a timer
      codes.insert(warning.code);
    }
  }
  EXPECT_THAT(codes, ElementsAreArray(trace_.expected(is_perf_)));
  const auto windows = testing::joined(monitor->windows(begin - 1h, end + 1h));
  check(monitor->domains(), windows, begin, end, kInterval);

  Joules roots;
  for (const EnergyWindow& window : windows) {
    roots += monitor->domains()[window.domain].is_root() ? window.energy : Joules{};
  }
  EXPECT_NEAR(monitor->now().energy_since_start.value(), roots.value(), 1e-9 * roots.value());
}

INSTANTIATE_TEST_SUITE_P(All, RaplTraces,
                         ::testing::Combine(::testing::ValuesIn(trace_names()),
                                            ::testing::Values(Way::files, Way::events),
                                            ::testing::Values(Reading::plain, Reading::locked)),
                         [](const auto& parameters) {
                           return std::get<0>(parameters.param) +
                                  (std::get<1>(parameters.param) == Way::files ? "_files"
                                                                               : "_events") +
                                  (std::get<2>(parameters.param) == Reading::plain ? "_plain"
                                                                                   : "_locked");
                         });

}  // namespace
}  // namespace enprof
