#include "enprof/store/profile_database.hpp"

#include "engines/playback/playback.hpp"
#include "session/run_session.hpp"
#include "support/manual_clock.hpp"
#include "support/temp_dir.hpp"
#include "support/warning_codes.hpp"

#include <gmock/gmock.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace enprof {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Orders of a script whose hooks fail, from the order to the database.
class RunSessionHooks : public ::testing::Test {
 protected:
  /// The run as it is kept.
  ProfiledRun perform(const std::string& hooks, Depth depth) {
    const auto path = dir_.write("toy" + std::to_string(++runs_) + ".playback.json",
                                 R"({"playback": 1, "hooks": )" + hooks + R"(,
      "plans": [{"name": "token", "operations": [
        {"layer": 0, "component": "q_proj", "op": "MUL_MAT", "us": 3000},
        {"layer": 0, "component": "q_proj", "op": "ADD", "us": 1000}]}],
      "steps": [{"phase": "decode", "token": "x", "repeat": 3,
                 "sections": [{"name": "forward", "pass": "token"}]}]})");
    RunSession session({.store = &*store_,
                        .power = nullptr,
                        .models = &models_,
                        .profiler = {.clock = &clock_},
                        .observer = nullptr});
    const RunOutcome outcome = session.perform(
        {.model = path.string(), .generate = {.prompt = "hi", .max_tokens = 3}, .depth = depth},
        {});
    EXPECT_FALSE(outcome.error);
    EXPECT_EQ(outcome.run->status, RunStatus::completed);
    auto kept = store_->get_run(outcome.run->run_id);
    EXPECT_TRUE(kept && *kept);
    EXPECT_EQ((*kept)->tokens.size(), 3U);
    return **std::move(kept);
  }
  static std::vector<std::string> codes(const ProfiledRun& run) {
    return testing::warning_codes(run.warnings, "foreign_load");  // other load of this machine
  }

  testing::TempDir dir_;
  testing::ManualClock clock_;
  testing::ManualSleeper sleeper_{clock_};
  std::unique_ptr<Engine> engine_ = make_playback(clock_, sleeper_);
  Result<ProfileDatabase> store_ = ProfileDatabase::connect(dir_.path() / "profiles.db");
  ModelKeeper models_{{.engine_for = [this](const auto&) -> const Engine& { return *engine_; }}};
  int runs_ = 0;
};

TEST_F(RunSessionHooks, WhereDeepHooksFailTheRunIsKeptAtModuleDepth) {
  const ProfiledRun run = perform(R"({"deep_fail_at": 0})", Depth::deep);
  EXPECT_THAT(codes(run), ElementsAre("components_only"));
  EXPECT_EQ(run.operation_table.events.size(), 3U);  // of two operations a pass
  EXPECT_EQ(run.components.size(), 1U);
}

TEST_F(RunSessionHooks, WhereAllHooksFailTheRunIsKeptWithItsTokens) {
  const ProfiledRun run = perform(R"({"deep_fail_at": 0, "module_fail_at": 0})", Depth::deep);
  EXPECT_THAT(codes(run), ElementsAre("hooks_failed"));
  EXPECT_THAT(run.components, IsEmpty());
  EXPECT_THAT(codes(perform(R"({"module_fail_at": 0})", Depth::module)),
              ElementsAre("hooks_failed"));
}

TEST_F(RunSessionHooks, HooksThatFailInMidRunAreToldAndWhatTheyMeasuredIsKept) {
  const ProfiledRun run = perform(R"({"deep_fail_at": 2})", Depth::deep);
  EXPECT_THAT(codes(run), ElementsAre("components_only", "mismatched_passes"));
  EXPECT_EQ(run.operation_table.events.size(), 3U);  // two of the first pass, one of the third
}

TEST_F(RunSessionHooks, ADetachThatFailsLeavesARunThatIsWhole) {
  const ProfiledRun run = perform(R"({"detach_fails": true})", Depth::deep);
  EXPECT_THAT(codes(run), IsEmpty());
  EXPECT_EQ(run.operation_table.events.size(), 6U);
}

}  // namespace
}  // namespace enprof
