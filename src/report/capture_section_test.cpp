#include "report/capture_section.hpp"

#include "report/format.hpp"
#include "report/run_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

Figure figure(Nanoseconds duration, double joules) {
  Figure figure;
  figure.duration = duration;
  figure.total = Joules{joules};
  figure.mean_power = *figure.total / duration;
  figure.quality.method = Method::measured;
  figure.quality.standard_error = Joules{0.01 * joules};
  return figure;
}

ProfiledRun capture() {
  ProfiledRun run;
  run.run_id = "0123456789abcdef";
  run.status = RunStatus::completed;
  run.model.engine = "exec";
  run.totals.figure = figure(10s, 200.0);
  CaptureFigures& figures = run.capture.emplace();
  figures.requests = 2;
  figures.passes = 40;
  figures.most_in_flight = 2;
  figures.mean_sequences = 1.5;
  figures.sharing = "operations";
  figures.parts = {
      {.kind = CapturePartKind::requests, .count = 2, .figure = figure(4s, 120.0)},
      {.kind = CapturePartKind::idle_while_loaded, .count = 3, .figure = figure(6s, 80.0)}};
  figures.occupancy = {
      {.sequences = 1, .passes = 20, .tokens = 30, .duration = 2s, .energy = Joules{50.0}},
      {.sequences = 2, .passes = 20, .tokens = 40, .duration = 2s, .energy = Joules{70.0}}};
  return run;
}

ProfiledRun request(std::size_t number) {
  ProfiledRun run;
  run.run_id = "fedcba987654321" + std::to_string(number);
  run.capture_id = "0123456789abcdef";
  run.status = RunStatus::completed;
  run.totals.figure = figure(3s, 60.0);
  run.totals.prompt_tokens = 12;
  run.totals.output_tokens = 7;
  RequestFigures& figures = run.request.emplace();
  figures.number = number;
  figures.cached_tokens = 5;
  figures.marginal = Joules{33.0};
  figures.idle_share = Joules{40.0};
  figures.how_found = "its sequence began again";
  return run;
}

TEST(CaptureSection, SaysWhatEnergyWentToAndWhoseItWas) {
  const std::vector<RunSummary> requests{summary_of(request(1)), summary_of(request(2))};
  const std::string text = capture_section(capture(), requests, 2, {.width = 200});
  for (const char* part : {"idle while loaded", "40.0 %", "120.0 J", "2 requests", "40 passes",
                           "at most 2 in flight", "1.5 sequences in a pass", "shared by operations",
                           "fedcba98", "33.00 J", "40.00 J", "Sequences in a pass", "1.750 J"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, HasSubstr(" – "));  // waiting is not known
  EXPECT_THAT(text, Not(HasSubstr("enprof runs --capture")));
}

TEST(CaptureSection, SaysWhereTheOtherRequestsAre) {
  const std::vector<RunSummary> requests{summary_of(request(1))};
  EXPECT_THAT(capture_section(capture(), requests, 70, {.width = 200}),
              HasSubstr("enprof runs --capture 0123456789abcdef --limit 70"));
}

TEST(CaptureSection, FitsANarrowTerminal) {
  const std::vector<RunSummary> requests{summary_of(request(1))};
  const std::string text = capture_section(capture(), requests, 1, {.width = 48});
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    EXPECT_LE(display_width(text.substr(begin, end - begin)), 48U);
    begin = end + 1;
  }
}

TEST(CaptureSection, AnyOtherRunHasNone) { EXPECT_EQ(capture_section(request(1), {}, 0, {}), ""); }

TEST(CaptureSection, ARequestSaysWhoseItIsAndHowItWasFound) {
  const std::string text = run_report(request(2), {.width = 200});
  for (const char* part :
       {"2 of capture 0123456789abcdef", "waiting is not known", "added 33.00 J", "5 tokens cached",
        "its sequence began again", "12 of the prompt, 7 of the response"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

}  // namespace
}  // namespace enprof
