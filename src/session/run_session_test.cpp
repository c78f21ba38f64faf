#include "session/run_session.hpp"

#include "engines/playback/playback.hpp"
#include "power/replay/replay_source.hpp"
#include "support/manual_clock.hpp"
#include "support/temp_dir.hpp"
#include "support/warning_codes.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kScript = R"({"playback": 1, "model": {"name": "toy"}, "steps": [
  {"phase": "prefill", "sections": [{"name": "forward", "us": 20000}]},
  {"phase": "decode", "token": "x", "repeat": 5, "sections": [{"name": "forward", "us": 4000}]}]})";
constexpr const char* kFailing = R"({"playback": 1, "steps": [
  {"phase": "decode", "token": "x", "sections": [{"name": "forward", "us": 4000}]},
  {"phase": "decode", "fail": "the GPU fell off the bus"}]})";

/// Records what a session did, in order, as its observer and its baseline saw it.
class Diary final : public SessionObserver {
 public:
  void on_load_end(const RunTask& /*task*/, const Result<void>& loaded) override {
    lines.emplace_back(loaded ? "loaded" : "not loaded");
  }
  void on_begin(const RunTask& /*task*/, std::size_t most_output_tokens,
                InferencePipelineProfiler& /*profiler*/, PowerMonitor* power) override {
    lines.push_back("begin of at most " + std::to_string(most_output_tokens) +
                    (power != nullptr ? "" : " without power"));
  }

  std::vector<std::string> lines;
};

class RunSessionTest : public ::testing::Test {
 protected:
  RunSessionTest() {
    dir_.write("toy.playback.json", kScript);
    dir_.write("other.playback.json", kScript);
    dir_.write("failing.playback.json", kFailing);
  }

  [[nodiscard]] Result<PowerMonitor> open_power() {
    if (refusal_) {
      return std::unexpected(*refusal_);
    }
    std::vector<std::unique_ptr<PowerSource>> sources;
    sources.push_back(*ReplaySource::open(
        dir_.write("power.jsonl",
                   R"({"domain":"cpu","begin_ms":0,"end_ms":100000,"energy_mj":1000000})"),
        clock_));  // 10 W
    return PowerMonitor(std::move(sources), clock_);
  }
  [[nodiscard]] SessionPower::Options power_options() {
    return {.open = [this] { return open_power(); },
            .baseline = [this](PowerMonitor&, const std::stop_token&) -> std::optional<Warning> {
              diary_.lines.emplace_back("idle");
              return std::nullopt;
            },
            .clock = &clock_};
  }
  [[nodiscard]] RunSession::Options options() {
    return {.store = &*store_,
            .power = &power_,
            .models = &models_,
            .profiler = {.clock = &clock_},
            .observer = &diary_};
  }
  [[nodiscard]] RunTask task(const std::string& file, std::string run_id = {}) const {
    return {.run_id = std::move(run_id),
            .model = (dir_.path() / file).string(),
            .generate = {.prompt = "hi", .max_tokens = 3}};
  }
  [[nodiscard]] std::optional<ProfiledRun> stored(const std::string& run_id) {
    auto run = store_->get_run(run_id);
    EXPECT_TRUE(run) << run.error().message;
    return run ? *std::move(run) : std::nullopt;
  }
  static std::vector<std::string> codes(const ProfiledRun& run) {
    return testing::warning_codes(run.warnings, "foreign_load");  // other load of this machine
  }

  testing::TempDir dir_;
  testing::ManualClock clock_;
  testing::PassingSleeper sleeper_{clock_};
  std::unique_ptr<Engine> engine_ = make_playback(clock_, sleeper_);
  Result<ProfileDatabase> store_ = ProfileDatabase::connect(dir_.path() / "profiles.db");
  std::optional<Error> refusal_;
  Diary diary_;
  SessionPower power_{power_options()};
  ModelKeeper models_{{.engine_for = [this](const auto&) -> const Engine& { return *engine_; }}};
};

TEST_F(RunSessionTest, ARunIsMeasuredAndKept) {
  RunSession session(options());
  const RunOutcome outcome = session.perform(task("toy.playback.json"), {});
  ASSERT_NE(outcome.run, nullptr);
  EXPECT_TRUE(outcome.has_begun);
  EXPECT_FALSE(outcome.error);
  EXPECT_EQ(outcome.run->status, RunStatus::completed);
  EXPECT_EQ(outcome.run->totals.figure.duration, 32ms);
  ASSERT_TRUE(outcome.run->totals.figure.total);
  EXPECT_NEAR(outcome.run->totals.figure.total->value(), 0.32, 1e-9);
  EXPECT_THAT(codes(*outcome.run), IsEmpty());
  const auto kept = stored(outcome.run->run_id);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->tokens.size(), 3U);
}

TEST_F(RunSessionTest, IdleIsMeasuredWithEachModelLoadedBeforeItsFirstRun) {
  RunSession session(options());
  for (const char* model : {"toy.playback.json", "toy.playback.json", "other.playback.json"}) {
    static_cast<void>(session.perform(task(model), {}));
  }
  EXPECT_THAT(diary_.lines,
              ElementsAre("loaded", "idle", "begin of at most 3", "loaded", "begin of at most 3",
                          "loaded", "idle", "begin of at most 3"));
}

TEST_F(RunSessionTest, IdleIsMeasuredAgainWhereThatIsAskedFor) {
  RunSession session(options());
  static_cast<void>(session.perform(task("toy.playback.json"), {}));
  power_.require_new_baseline();
  static_cast<void>(session.perform(task("toy.playback.json"), {}));
  static_cast<void>(session.perform(task("toy.playback.json"), {}));
  EXPECT_EQ(std::ranges::count(diary_.lines, "idle"), 2);
}

TEST_F(RunSessionTest, AModelIsLoadedAgainForOtherSettings) {
  const auto load = [this](const EngineSettings& settings) {
    models_.use_settings(settings);
    const auto ready =
        models_.make_ready((dir_.path() / "toy.playback.json").string(), {}, [](double) {});
    EXPECT_TRUE(ready);
    return ready && ready->is_new;
  };
  EXPECT_TRUE(load({{"gpu_layers", 1}}));
  EXPECT_FALSE(load({{"gpu_layers", 1}}));
  EXPECT_TRUE(load({{"gpu_layers", 2}}));
}

TEST_F(RunSessionTest, AGenerationThatFailsIsKeptWithItsReason) {
  RunSession session(options());
  const RunOutcome outcome = session.perform(task("failing.playback.json"), {});
  ASSERT_NE(outcome.run, nullptr);
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->message, "the GPU fell off the bus");
  EXPECT_TRUE(outcome.has_begun);
  const auto kept = stored(outcome.run->run_id);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->status, RunStatus::failed);
  EXPECT_EQ(kept->finish_reason, "error");
  EXPECT_EQ(kept->response, "x");
  EXPECT_THAT(codes(*kept), ElementsAre("generation_failed"));
}

TEST_F(RunSessionTest, ATaskThatEndsBeforeItsRunIsKeptIfItsIdIsKnown) {
  RunSession session(options());
  const RunOutcome unknown = session.perform(task("missing.playback.json"), {});
  EXPECT_EQ(unknown.run, nullptr);
  EXPECT_FALSE(unknown.has_begun);
  ASSERT_TRUE(unknown.error);
  EXPECT_EQ(unknown.error->code, ErrorCode::not_found);

  const RunOutcome known = session.perform(task("missing.playback.json", "0123456789abcdef"), {});
  ASSERT_NE(known.run, nullptr);
  EXPECT_FALSE(known.has_begun);
  const auto kept = stored("0123456789abcdef");
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->status, RunStatus::failed);
  EXPECT_THAT(codes(*kept), ElementsAre("model_not_loaded"));
  EXPECT_THAT(diary_.lines, ElementsAre("not loaded", "not loaded"));
  EXPECT_EQ(store_->list_runs()->runs.size(), 1U);
}

TEST_F(RunSessionTest, ATaskCancelledBeforeItsRunIsKeptOnlyIfItsIdIsKnown) {
  RunSession session(options());
  std::stop_source source;
  source.request_stop();
  const RunOutcome unknown = session.perform(task("toy.playback.json"), source.get_token());
  EXPECT_EQ(unknown.run, nullptr);
  EXPECT_FALSE(unknown.error);
  const RunOutcome known =
      session.perform(task("toy.playback.json", "0123456789abcdef"), source.get_token());
  ASSERT_NE(known.run, nullptr);
  EXPECT_EQ(known.run->status, RunStatus::cancelled);
  const RunOutcome waiting = session.cancel_before(task("toy.playback.json", "fedcba9876543210"));
  ASSERT_NE(waiting.run, nullptr);
  EXPECT_EQ(stored("fedcba9876543210")->status, RunStatus::cancelled);
  EXPECT_EQ(store_->list_runs()->runs.size(), 2U);
}

TEST_F(RunSessionTest, WithoutPowerARunSaysWhyItHasNoEnergy) {
  refusal_ = Error{.code = ErrorCode::permission_denied, .message = "no right", .hint = "sudo"};
  ASSERT_TRUE(power_.open());
  RunSession session(options());
  const RunOutcome outcome = session.perform(task("toy.playback.json"), {});
  ASSERT_NE(outcome.run, nullptr);
  EXPECT_EQ(outcome.run->status, RunStatus::completed);
  EXPECT_FALSE(outcome.run->totals.figure.total);
  EXPECT_THAT(codes(*outcome.run), ElementsAre("power_failed"));
  EXPECT_THAT(diary_.lines.back(), HasSubstr("without power"));
}

TEST_F(RunSessionTest, WherePowerIsRequiredNothingBeginsWithoutIt) {
  SessionPower::Options strict = power_options();
  strict.is_required = true;
  strict.open = [this, first = true]() mutable -> Result<PowerMonitor> {
    if (std::exchange(first, false)) {
      return open_power();
    }
    return fail(ErrorCode::permission_denied, "no right");
  };
  SessionPower power(strict);
  auto with_power = options();
  with_power.power = &power;
  refusal_ = Error{.code = ErrorCode::permission_denied, .message = "no right", .hint = {}};
  const auto opened = power.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().message, "no right");
  RunSession session(with_power);
  const RunOutcome outcome = session.perform(task("toy.playback.json"), {});
  EXPECT_EQ(outcome.run, nullptr);
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->message, "no right");
  EXPECT_THAT(diary_.lines, IsEmpty());
}

TEST_F(RunSessionTest, RunsWithoutADatabaseAreNotKept) {
  auto without_store = options();
  without_store.store = nullptr;
  RunSession session(without_store);
  const RunOutcome outcome = session.perform(task("toy.playback.json"), {});
  ASSERT_NE(outcome.run, nullptr);
  EXPECT_EQ(outcome.run->tokens.size(), 3U);
  EXPECT_THAT(store_->list_runs()->runs, IsEmpty());
}

}  // namespace
}  // namespace enprof
