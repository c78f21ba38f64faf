// Makes the report that README shows from a script and a recording, with its own clock, so that it
// is always the same. `make readme` writes it into README.

#include "report/run_report.hpp"
#include "support/simulated_run.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace enprof {
namespace {

using namespace std::chrono_literals;

const std::filesystem::path kSource = ENPROF_SOURCE_DIR;
constexpr std::string_view kBegin = "<!-- the report: make readme -->\n```\n";
constexpr std::string_view kEnd = "```\n<!-- end of the report -->\n";

/// In the source folder, so that the report names files as they are there: it shortens long paths.
std::string example_report() {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(kSource);
  const ProfiledRun run = testing::simulate(
      {.order = {.run_id = "915eafb830f399b1",
                 .model = "docs/report/example.playback.json",
                 .generate = {.prompt = "How many joules does a thought take?", .max_tokens = 64}},
       .recording = "docs/report/power.jsonl",
       .idle = 2s,
       .started_at =
           WallTime{std::chrono::sys_days{std::chrono::year{2026} / 11 / 29} + 9h + 30min}});
  std::filesystem::current_path(before);
  return run_report(run, {.colour = false, .width = 92});
}

/// The parts that a newcomer needs first.
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
  EXPECT_EQ(readme.substr(first, end - first), report) << "make readme updates it";
}

}  // namespace
}  // namespace enprof
