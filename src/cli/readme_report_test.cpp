// The report that README shows is made here, from a script and a recording, on a clock of its own:
// it is the same each time. `make readme` writes it into README.

#include "engines/playback/playback.hpp"
#include "power/replay/replay_source.hpp"
#include "report/run_report.hpp"
#include "session/run_session.hpp"
#include "support/manual_clock.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;

const std::filesystem::path kSource = ENPROF_SOURCE_DIR;
constexpr std::string_view kBegin = "<!-- the report: make readme -->\n```\n";
constexpr std::string_view kEnd = "```\n<!-- end of the report -->\n";

/// What differs from machine to machine and from day to day is made the same.
ProfiledRun anywhere(ProfiledRun run) {
  run.run_id = "915eafb830f399b1";
  run.started_at = WallTime{std::chrono::sys_days{std::chrono::year{2026} / 11 / 29} + 9h + 30min};
  run.model.load_time.reset();
  run.totals.figure.quality.foreign_cpu_share.reset();
  std::erase_if(run.warnings,
                [](const Warning& warning) { return warning.code == "foreign_load"; });
  return run;
}

std::string example_report() {
  testing::ManualClock clock;
  const testing::ManualSleeper sleeper(clock);
  const auto engine = make_playback(clock, sleeper);
  std::vector<std::unique_ptr<PowerSource>> sources;
  sources.push_back(*ReplaySource::open(kSource / "docs/report/power.jsonl", clock));
  PowerMonitor monitor(std::move(sources), clock, "/proc", &sleeper);
  SessionPower power(
      {.open = [&]() -> Result<PowerMonitor> { return std::move(monitor); },
       .baseline = [](PowerMonitor& idle, const std::stop_token& stop) -> std::optional<Warning> {
         EXPECT_TRUE(idle.measure_idle_baseline(2s, stop, BusyMachine::measure));
         return std::nullopt;
       },
       .clock = &clock});
  EXPECT_TRUE(power.open());
  ModelKeeper models({.engine_for = [&](const auto&) -> const Engine& { return *engine; }});
  RunSession session({.power = &power, .models = &models, .profiler = {.clock = &clock}});
  const RunOutcome outcome = session.perform(
      {.model = (kSource / "docs/report/example.playback.json").string(),
       .generate = {.prompt = "How many joules does a thought take?", .max_tokens = 64}},
      {});
  EXPECT_FALSE(outcome.error);
  std::string report = run_report(anywhere(*outcome.run), {.colour = false, .width = 92});
  const std::string here = kSource.string() + "/";
  for (std::size_t at = report.find(here); at != std::string::npos; at = report.find(here)) {
    report.erase(at, here.size());
  }
  return report;
}

/// The parts that a newcomer wants first.
std::string cut(const std::string& report) {
  constexpr std::array<std::string_view, 4> kParts{"Run ", "Energy", "Where it went",
                                                   "Inside the passes"};
  std::string result;
  for (std::size_t begin = 0; begin < report.size();) {
    const std::size_t blank = report.find("\n\n", begin);
    const std::size_t end = blank == std::string::npos ? report.size() : blank + 2;
    const std::string_view part = std::string_view(report).substr(begin, end - begin);
    for (const std::string_view wanted : kParts) {
      if (part.starts_with(wanted)) {
        result += part;
      }
    }
    begin = end;
  }
  while (result.ends_with("\n\n")) {
    result.pop_back();
  }
  return result;
}

TEST(Readme, ShowsTheReportOfToday) {
  const std::string report = cut(example_report());
  const std::filesystem::path file = kSource / "README.md";
  std::string readme = testing::read_file(file);
  const std::size_t begin = readme.find(kBegin);
  const std::size_t end = readme.find(kEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  const std::size_t first = begin + kBegin.size();
  if (std::getenv("ENPROF_UPDATE_README") != nullptr) {  // NOLINT(concurrency-mt-unsafe)
    readme.replace(first, end - first, report);
    std::ofstream(file) << readme;
    return;
  }
  EXPECT_EQ(readme.substr(first, end - first), report) << "make readme writes it anew";
}

}  // namespace
}  // namespace enprof
