#include "server/run_worker.hpp"

#include "engines/playback/playback.hpp"
#include "power/replay/replay_source.hpp"
#include "support/manual_clock.hpp"
#include "support/temp_dir.hpp"
#include "support/wait_until.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using Json = nlohmann::json;
using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

/// An engine that runs the test's functions.
class FakeEngine final : public Engine {
 public:
  std::function<Result<void>()> on_load = [] { return Result<void>{}; };
  std::function<Result<void>(RunScope&)> on_generate = [](RunScope& run) {
    run.token(Phase::decode).set_text("hi");
    run.set_finish_reason("length");
    return Result<void>{};
  };

  std::string_view name() const noexcept override { return "fake"; }
  std::string_view suffix() const noexcept override { return ".fake"; }
  bool is_model_name(std::string_view /*name*/) const override { return true; }
  std::span<const EngineSetting> settings() const noexcept override { return {}; }
  Result<std::unique_ptr<ModelHeader>> read_header(const std::filesystem::path&) const override {
    return std::make_unique<ModelHeader>();
  }
  Result<std::unique_ptr<LoadedModel>> load(LoadRequest request) const override {
    request.progress(1.0);
    if (auto loaded = on_load(); !loaded) {
      return std::unexpected(std::move(loaded.error()));
    }
    return std::make_unique<Model>(*this);
  }

 private:
  class Model final : public LoadedModel {
   public:
    explicit Model(const FakeEngine& engine) : engine_(engine) {}
    const ModelFacts& facts() const noexcept override { return facts_; }
    std::size_t most_output_tokens(const GenerateOptions&) const noexcept override { return 8; }
    Result<GenerateResult> generate(RunScope& run, const GenerateOptions&) override {
      if (auto generated = engine_.on_generate(run); !generated) {
        return std::unexpected(std::move(generated.error()));
      }
      return GenerateResult{};
    }

   private:
    const FakeEngine& engine_;
    ModelFacts facts_;
  };
};

class RunWorkerTest : public ::testing::Test {
 protected:
  static constexpr const char* kId = "0123456789abcdef";

  void SetUp() override { ASSERT_TRUE(store_) << store_.error().message; }

  std::vector<Json> events() const {
    std::vector<Json> result;
    for (const auto& event : hub_.read(0, 1000).events) {
      result.push_back(Json::parse(event->json));
    }
    return result;
  }
  std::vector<std::string> types() const {
    std::vector<std::string> result;
    for (const Json& event : events()) {
      EXPECT_EQ(event["run_id"], kId);
      result.push_back(event["type"]);
    }
    return result;
  }
  /// The last event of that type.
  Json last(const std::string& type) const {
    Json result;
    for (const Json& event : events()) {
      if (event["type"] == type) {
        result = event["data"];
      }
    }
    return result;
  }
  ProfiledRun kept() {
    const auto run = store_->get_run(kId);
    EXPECT_TRUE(run && *run);
    return run && *run ? **run : ProfiledRun{};
  }
  void work(bool cancelled = false) {
    std::stop_source stop;
    if (cancelled) {
      stop.request_stop();
    }
    worker_.work(task(), stop.get_token());
  }
  static RunTask task() {
    return {.run_id = kId, .model = "m.gguf", .generate = {.prompt = "Why?"}, .tags = {"a"}};
  }

  testing::ManualClock clock_;
  testing::TempDir directory_;
  Result<ProfileDatabase> store_ = ProfileDatabase::connect(directory_.path() / "profiles.db");
  EventHub hub_;
  LivePublisher publisher_{hub_};
  ServerMetrics metrics_;
  ServerHealth health_;
  FakeEngine engine_;
  ModelKeeper models_{{.engine_for = [this](const auto&) -> const Engine& { return engine_; }}};
  RunWorker worker_{{.models = models_,
                     .store = *store_,
                     .publisher = publisher_,
                     .metrics = metrics_,
                     .health = health_,
                     .clock = &clock_,
                     .is_watched = [] { return true; }}};
};

TEST_F(RunWorkerTest, ARunIsWatchedCountedAndKept) {
  work();
  const ProfiledRun run = kept();
  EXPECT_EQ(run.status, RunStatus::completed);
  EXPECT_EQ(run.response, "hi");
  EXPECT_TRUE(run.warnings.empty());
  EXPECT_EQ(types().front(), "model_loading");
  EXPECT_EQ(last("inference_complete")["status"], "completed");
  EXPECT_THAT(types(), Not(Contains("error")));
  EXPECT_THAT(metrics_.text({}), HasSubstr("enprof_runs_total{status=\"completed\"} 1"));
}

TEST_F(RunWorkerTest, ARunSaysWhyItHasNoEnergy) {
  SessionPower power({.open = []() -> Result<PowerMonitor> {
    return fail(ErrorCode::permission_denied, "It may not be read", "chmod it");
  }});
  ASSERT_TRUE(power.open());
  RunWorker worker({.models = models_,
                    .store = *store_,
                    .publisher = publisher_,
                    .metrics = metrics_,
                    .health = health_,
                    .power = &power,
                    .clock = &clock_});
  worker.work(task(), {});
  const ProfiledRun run = kept();
  EXPECT_EQ(run.status, RunStatus::completed);
  ASSERT_EQ(run.warnings.size(), 1U);
  EXPECT_EQ(run.warnings[0].code, "power_failed");
  EXPECT_EQ(run.warnings[0].message, "It may not be read");
  EXPECT_EQ(run.warnings[0].hint, "chmod it");
}

TEST_F(RunWorkerTest, ATokenGoesOutBeforeItsRunEnds) {
  engine_.on_generate = [this](RunScope& run) {
    run.token(Phase::decode).set_text("hi");
    clock_.pass(33ms);  // watchers are shown 30 pictures a second
    EXPECT_THAT(types(), Contains("token_complete"));
    run.set_finish_reason("length");
    return Result<void>{};
  };
  work();
  EXPECT_EQ(kept().status, RunStatus::completed);
}

TEST_F(RunWorkerTest, ARunThatIsCancelledWhileItsModelLoadsEndsForItsWatchersToo) {
  engine_.on_load = [] { return fail(ErrorCode::cancelled, "Loading was cancelled"); };
  work(true);
  EXPECT_EQ(kept().status, RunStatus::cancelled);
  EXPECT_EQ(kept().finish_reason, "cancelled");
  EXPECT_EQ(kept().tags, std::vector<std::string>{"a"});
  EXPECT_EQ(types().back(), "inference_complete");
  EXPECT_EQ(last("inference_complete")["status"], "cancelled");
}

TEST_F(RunWorkerTest, ADroppedTaskIsACancelledRun) {
  worker_.drop(task(), RunQueue::Reason::cancelled);
  EXPECT_EQ(kept().status, RunStatus::cancelled);
  EXPECT_EQ(kept().prompt, "Why?");
  EXPECT_EQ(types(), std::vector<std::string>{"inference_complete"});
  EXPECT_EQ(last("inference_complete")["status"], "cancelled");
  EXPECT_TRUE(last("inference_complete")["energy_mj"].is_null());
  EXPECT_THAT(metrics_.text({}), HasSubstr("enprof_runs_total{status=\"cancelled\"} 1"));
}

TEST_F(RunWorkerTest, ATaskThatShutdownDropsSaysSo) {
  worker_.drop(task(), RunQueue::Reason::stopping);
  const ProfiledRun run = kept();
  EXPECT_EQ(run.status, RunStatus::cancelled);
  ASSERT_EQ(run.warnings.size(), 1U);
  EXPECT_EQ(run.warnings[0].code, "server_stopped");
  EXPECT_THAT(run.warnings[0].hint, HasSubstr("POST /api/profiling/generate"));
  EXPECT_EQ(types().back(), "inference_complete");
}

TEST_F(RunWorkerTest, AModelThatCannotBeLoadedFailsItsRunAndCountsOnce) {
  engine_.on_load = [] {
    return fail(ErrorCode::corrupt, "m.gguf is truncated", "Copy it again.");
  };
  work();
  const ProfiledRun run = kept();
  EXPECT_EQ(run.status, RunStatus::failed);
  ASSERT_EQ(run.warnings.size(), 1U);
  EXPECT_EQ(run.warnings[0].code, "model_not_loaded");
  EXPECT_EQ(types().back(), "error");
  EXPECT_EQ(last("error")["message"], "m.gguf is truncated");
  const std::string counted = metrics_.text({});
  EXPECT_THAT(counted,
              HasSubstr("enprof_errors_total{code=\"model_not_loaded\",component=\"engine\"} 1"));
  EXPECT_THAT(counted, Not(HasSubstr("code=\"corrupt\"")));
}

TEST_F(RunWorkerTest, ARunThatTheEngineRefusesIsKeptWithTheReason) {
  engine_.on_generate = [](RunScope&) {
    return fail(ErrorCode::too_large, "The prompt has 200 tokens, the context holds 128",
                "Shorten the prompt.");
  };
  work();
  const ProfiledRun run = kept();
  EXPECT_EQ(run.status, RunStatus::failed);
  EXPECT_EQ(run.finish_reason, "error");
  ASSERT_EQ(run.warnings.size(), 1U);
  EXPECT_EQ(run.warnings[0].code, "generation_failed");
  EXPECT_THAT(run.warnings[0].message, HasSubstr("the context holds 128"));
  EXPECT_EQ(last("inference_complete")["status"], "failed");
  EXPECT_EQ(last("error")["code"], "too_large");
  EXPECT_THAT(types(), Not(Contains("warning")));  // the error event contains it
  EXPECT_THAT(metrics_.text({}),
              HasSubstr("enprof_errors_total{code=\"generation_failed\",component=\"engine\"} 1"));
}

TEST_F(RunWorkerTest, AnExceptionBeforeTheRunBeginsFailsIt) {
  engine_.on_load = []() -> Result<void> { throw std::runtime_error("on purpose"); };
  work();
  EXPECT_EQ(kept().status, RunStatus::failed);
  EXPECT_THAT(kept().warnings.at(0).message, HasSubstr("on purpose"));
  EXPECT_EQ(types().back(), "error");
  EXPECT_THAT(std::string(last("error")["message"]), HasSubstr("on purpose"));
}

TEST_F(RunWorkerTest, AnExceptionDuringTheRunFailsItAndKeepsItsData) {
  engine_.on_generate = [](RunScope& run) -> Result<void> {
    run.token(Phase::decode).set_text("so far");
    throw std::runtime_error("on purpose");
  };
  work();
  EXPECT_EQ(kept().status, RunStatus::failed);
  EXPECT_EQ(kept().response, "so far");
  EXPECT_THAT(types(), Contains("error"));
  EXPECT_THAT(std::string(last("error")["message"]), HasSubstr("on purpose"));
}

/// A queue whose runs are played from a script, under power of 10 W: all time is the script's.
class PlayedQueueTest : public RunWorkerTest {
 protected:
  PlayedQueueTest() {
    directory_.write("toy.playback.json", R"({"playback": 1, "steps": [
      {"phase": "prefill", "sections": [{"name": "forward", "us": 200000}]},
      {"phase": "decode", "token": "x", "repeat": 3,
       "sections": [{"name": "forward", "us": 100000}]}]})");
  }

  [[nodiscard]] Result<PowerMonitor> open_power() {
    std::vector<std::unique_ptr<PowerSource>> sources;
    sources.push_back(*ReplaySource::open(
        directory_.write("power.jsonl",
                         R"({"domain":"cpu","begin_ms":0,"end_ms":100000,"energy_mj":1000000})"),
        clock_));
    return PowerMonitor(std::move(sources), clock_);
  }
  [[nodiscard]] RunTask order(const std::string& run_id) const {
    return {.run_id = run_id,
            .model = (directory_.path() / "toy.playback.json").string(),
            .generate = {.prompt = "hi", .max_tokens = 3}};
  }

  testing::PassingSleeper sleeper_{clock_};
  std::unique_ptr<Engine> playback_ = make_playback(clock_, sleeper_);
  ModelKeeper played_{{.engine_for = [this](const auto&) -> const Engine& { return *playback_; }}};
  SessionPower power_{
      {.open = [this] { return open_power(); }, .interval = 10ms, .clock = &clock_}};
  RunWorker player_{{.models = played_,
                     .store = *store_,
                     .publisher = publisher_,
                     .metrics = metrics_,
                     .health = health_,
                     .power = &power_,
                     .clock = &clock_,
                     .is_watched = [] { return true; }}};
};

TEST_F(PlayedQueueTest, OrdersArePlayedInTurnEachWithItsOwnEnergyWhileItIsWatched) {
  const std::vector<std::string> ids{"0000000000000001", "0000000000000002"};
  {
    RunQueue queue(
        10, [this](const RunTask& task, const std::stop_token& stop) { player_.work(task, stop); },
        [this](const RunTask& task, RunQueue::Reason reason) { player_.drop(task, reason); });
    ASSERT_TRUE(power_.open());
    for (const std::string& id : ids) {
      ASSERT_TRUE(queue.submit(order(id)));
    }
    testing::wait_until("the queue has done its work", [&] { return queue.ids().empty(); });
  }
  for (const std::string& id : ids) {
    SCOPED_TRACE(id);
    const auto run = store_->get_run(id);
    ASSERT_TRUE(run && *run);
    EXPECT_EQ((*run)->status, RunStatus::completed);
    EXPECT_EQ((*run)->totals.figure.duration, 500ms);
    ASSERT_TRUE((*run)->totals.figure.total);
    EXPECT_NEAR((*run)->totals.figure.total->value(), 10 * 0.5, 1e-9);
    std::vector<double> tokens;  // when each was complete
    std::map<int, double> settled;
    for (const Json& event : events()) {
      if (event["run_id"] != id) {
        continue;
      }
      if (event["type"] == "token_complete") {
        tokens.push_back(event["t_ms"]);
      } else if (event["type"] == "energy_settled") {
        for (const Json& token : event["data"]["tokens"]) {
          settled[token["index"]] = token["energy_mj"];
        }
      }
    }
    EXPECT_THAT(tokens, ElementsAre(300, 400, 500));
    ASSERT_EQ(settled.size(), 3U);
    for (const auto& [index, energy_mj] : settled) {
      EXPECT_NEAR(energy_mj, 1000, 1e-6) << index;
    }
  }
  const std::vector<Json> all = events();
  const auto first_of_second =
      std::ranges::find_if(all, [&](const Json& event) { return event["run_id"] == ids[1]; });
  EXPECT_TRUE(std::ranges::all_of(first_of_second, all.end(), [&](const Json& event) {
    return event["run_id"] == ids[1];
  })) << "one after the other";
}

TEST_F(PlayedQueueTest, ARunUsesTheCalibrationThatIsFoundForIt) {
  directory_.write("toy.playback.json", R"({"playback": 1,
    "plans": [{"name": "step", "operations": [
      {"component": "a", "op": "MUL_MAT", "layer": 0, "us": 50000},
      {"component": "b", "op": "MUL_MAT", "layer": 0, "us": 50000}]}],
    "steps": [{"phase": "decode", "token": "x", "repeat": 3,
               "sections": [{"name": "forward", "pass": "step"}]}]})");
  const auto calibration = std::make_shared<Calibration>();
  calibration->key.domains = {"cpu"};
  for (const char* const component : {"a", "b"}) {
    calibration->classes.push_back(
        {.phase = Phase::decode,
         .component = component,
         .op = "MUL_MAT",
         .operations = 1,
         .pass_time = 50ms,
         .replayed_time = 50ms,
         .powers = {CalibratedClass::Power{.power = Watts{10}, .deviation = 0.01, .windows = 9}}});
  }
  std::vector<Depth> asked;
  RunWorker worker({.models = played_,
                    .store = *store_,
                    .publisher = publisher_,
                    .metrics = metrics_,
                    .health = health_,
                    .power = &power_,
                    .clock = &clock_,
                    .calibration = [&](LoadedModel&, const RunTask& task, PowerMonitor&,
                                       const std::stop_token&) {
                      asked.push_back(task.depth);
                      return calibration;
                    }});
  ASSERT_TRUE(power_.open());
  RunTask plain = order("0000000000000003");
  plain.depth = Depth::minimal;
  worker.work(order("0000000000000001"), {});
  player_.work(order("0000000000000002"), {});  // has none
  worker.work(plain, {});
  EXPECT_THAT(asked, ElementsAre(Depth::module));
  const auto use = [&](const std::string& id) { return (*store_->get_run(id))->calibration; };
  ASSERT_TRUE(use("0000000000000001"));
  EXPECT_EQ(use("0000000000000001")->classes, 2U);
  EXPECT_EQ(use("0000000000000002"), std::nullopt);
  EXPECT_EQ(use("0000000000000003"), std::nullopt);
}

}  // namespace
}  // namespace enprof
