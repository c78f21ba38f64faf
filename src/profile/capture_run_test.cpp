// A capture through the profiler: its requests are made, saved and found again.
#include "enprof/profile/inference_pipeline_profiler.hpp"

#include "record/capture_recording.hpp"
#include "support/manual_clock.hpp"
#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;

class CaptureRunTest : public ::testing::Test {
 protected:
  testing::TempDir dir_;
  testing::ManualClock clock_;

  /// Two passes of one request.
  std::shared_ptr<const CaptureRecording> recording() {
    auto made = std::make_shared<CaptureRecording>();
    for (int pass = 0; pass < 2; ++pass) {
      PassRecord record;
      record.begin = record.start = clock_.now();
      clock_.pass(20ms);
      record.end = clock_.now();
      record.state = PassState::discarded;
      const BatchSequence sequence{.id = 0,
                                   .first_position = pass == 0 ? 0 : 7,
                                   .tokens = pass == 0 ? 7U : 1U,
                                   .outputs = 1};
      made->add_pass(0, record, {}, std::vector{sequence});
    }
    return made;
  }
  const ProfiledRun& capture(RunScope& run) {
    run.set_capture(recording());
    return run.finish();
  }
};

TEST_F(CaptureRunTest, ItsRequestsAreSavedAfterIt) {
  auto database = ProfileDatabase::connect(dir_.path() / "profiles.db");
  ASSERT_TRUE(database);
  InferencePipelineProfiler profiler(nullptr, &*database, {.clock = &clock_});
  RunScope run = profiler.run({.prompt = "server", .model_name = "server"});
  const ProfiledRun& made = capture(run);
  const std::vector<ProfiledRun> requests = run.take_requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(made.capture->requests, 1U);
  EXPECT_EQ(*database->get_run(made.run_id), made);
  EXPECT_EQ(*database->get_run(requests[0].run_id), requests[0]);
  RunFilter filter;
  EXPECT_EQ(database->list_runs(filter)->total, 1U);
  EXPECT_EQ(*database->resolve("last"), made.run_id);
  filter.capture = made.run_id;
  const auto listed = database->list_runs(filter);
  ASSERT_EQ(listed->runs.size(), 1U);
  EXPECT_EQ(listed->runs[0].request, requests[0].request);
  EXPECT_TRUE(*database->delete_run(made.run_id));
  EXPECT_FALSE(*database->get_run(requests[0].run_id));
}

TEST_F(CaptureRunTest, RequestsGoWithTheirCaptureAndDoNotCountAsRuns) {
  auto database = ProfileDatabase::connect(dir_.path() / "profiles.db");
  ASSERT_TRUE(database);
  InferencePipelineProfiler profiler(nullptr, &*database, {.clock = &clock_});
  std::vector<std::string> captures;
  for (int round = 0; round < 3; ++round) {
    RunScope run = profiler.run({.prompt = "server", .model_name = "server"});
    captures.push_back(capture(run).run_id);
  }
  EXPECT_EQ(database->list_runs()->total, 3U);
  PruneRule rule;
  rule.max_runs = 2;
  const auto pruned = database->prune(rule, true);
  ASSERT_TRUE(pruned);
  ASSERT_EQ(pruned->size(), 1U);
  EXPECT_EQ(database->list_runs()->total, 2U);
  EXPECT_EQ(database->stats()->runs, 4U);  // two captures with a request each
  EXPECT_TRUE(database->check()->good());
}

TEST_F(CaptureRunTest, RequestsThatCannotBeSavedAreSaid) {
  ProfileDatabase nothing;
  InferencePipelineProfiler profiler(nullptr, &nothing, {.clock = &clock_});
  RunScope run = profiler.run({.prompt = "server", .model_name = "server"});
  const ProfiledRun& made = capture(run);
  EXPECT_THAT(made.warnings,
              ::testing::Contains(::testing::Field(&Warning::code, "requests_not_saved")));
  EXPECT_EQ(run.take_requests().size(), 1U);
}

}  // namespace
}  // namespace enprof
