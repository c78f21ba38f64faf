#include "server/capture_watch.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace enprof {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CaptureWatchTest : public ::testing::Test {
 protected:
  testing::TempDir dir_;
  ProfileDatabase store_ = *ProfileDatabase::connect(dir_.path() / "profiles.db");
  ServerMetrics metrics_;
  CaptureWatch watch_{store_, metrics_};

  static Figure figure(double joules) {
    Figure figure;
    figure.duration = std::chrono::seconds{1};
    figure.total = Joules{joules};
    return figure;
  }
  void save_capture(const std::string& id) {
    ProfiledRun capture;
    capture.run_id = id;
    capture.status = RunStatus::completed;
    capture.started_at =
        std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    capture.model.engine = "exec";
    capture.model.name = "server";
    capture.totals.figure = figure(10.0);
    capture.capture.emplace();
    capture.capture->requests = 1;
    capture.capture->parts = {
        {.kind = CapturePartKind::requests, .count = 1, .figure = figure(7.0)},
        {.kind = CapturePartKind::idle_while_loaded, .count = 2, .figure = figure(3.0)}};
    capture.capture->occupancy = {{.sequences = 1, .passes = 4, .tokens = 9},
                                  {.sequences = 3, .passes = 2, .tokens = 6}};
    ASSERT_TRUE(store_.save_run(capture));
    ProfiledRun request;
    request.run_id = id + "-1";
    request.capture_id = id;
    request.status = RunStatus::completed;
    request.started_at = capture.started_at;
    request.model.name = "toy";
    request.request.emplace();
    request.phases = {{.phase = Phase::prefill, .figure = figure(2.0)},
                      {.phase = Phase::decode, .figure = figure(5.0)}};
    ASSERT_TRUE(store_.save_run(request));
  }
};

TEST_F(CaptureWatchTest, CountsCapturesThatEndAfterItsFirstLook) {
  save_capture("before");
  watch_.look();
  EXPECT_THAT(metrics_.text({}), Not(HasSubstr("model=\"toy\"")));
  save_capture("after");
  watch_.look();
  watch_.look();  // once
  const std::string text = metrics_.text({});
  for (const char* line :
       {"enprof_capture_energy_joules_total{model=\"toy\",phase=\"prefill\"} 2\n",
        "enprof_capture_energy_joules_total{model=\"toy\",phase=\"decode\"} 5\n",
        "enprof_capture_energy_joules_total{model=\"server\",phase=\"idle_while_loaded\"} 3\n",
        "enprof_captured_requests_total{model=\"toy\"} 1\n", "enprof_captures_total 1\n",
        "enprof_pass_sequences_count 6\n", "enprof_pass_sequences_sum 10\n",
        "enprof_pass_sequences_bucket{le=\"1\"} 4\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("after-1")));
}

TEST_F(CaptureWatchTest, ADatabaseThatCannotBeReadIsReadAgain) {
  ProfileDatabase nothing;
  CaptureWatch watch(nothing, metrics_);
  watch.look();
  EXPECT_THAT(metrics_.text({}), HasSubstr("enprof_captures_total 0"));
}

}  // namespace
}  // namespace enprof
