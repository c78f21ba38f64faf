#include "server/run_worker.hpp"

#include "support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace enprof {
namespace {

using Json = nlohmann::json;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

/// An engine that does as a test says.
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
  Result<std::unique_ptr<ModelGlance>> look_at(const std::filesystem::path&) const override {
    return std::make_unique<ModelGlance>();
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
    worker_.work(order(), stop.get_token());
  }
  static RunTask order() {
    return {.run_id = kId, .model = "m.gguf", .generate = {.prompt = "Why?"}, .tags = {"a"}};
  }

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
                    .power = &power});
  worker.work(order(), {});
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
    std::string heard;
    for (std::uint64_t seen = 0; heard != "token_complete";) {
      const auto batch = hub_.read(seen, 1);
      seen = batch.next;
      if (batch.events.empty()) {
        std::this_thread::yield();
      } else {
        heard = batch.events[0]->type;
      }
    }
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

TEST_F(RunWorkerTest, AnOrderThatIsDroppedIsACancelledRun) {
  worker_.drop(order(), RunQueue::Reason::cancelled);
  EXPECT_EQ(kept().status, RunStatus::cancelled);
  EXPECT_EQ(kept().prompt, "Why?");
  EXPECT_EQ(types(), std::vector<std::string>{"inference_complete"});
  EXPECT_EQ(last("inference_complete")["status"], "cancelled");
  EXPECT_TRUE(last("inference_complete")["energy_mj"].is_null());
  EXPECT_THAT(metrics_.text({}), HasSubstr("enprof_runs_total{status=\"cancelled\"} 1"));
}

TEST_F(RunWorkerTest, AnOrderThatTheServersEndDropsSaysSo) {
  worker_.drop(order(), RunQueue::Reason::stopping);
  const ProfiledRun run = kept();
  EXPECT_EQ(run.status, RunStatus::cancelled);
  ASSERT_EQ(run.warnings.size(), 1U);
  EXPECT_EQ(run.warnings[0].code, "server_stopped");
  EXPECT_THAT(run.warnings[0].hint, HasSubstr("POST /api/profiling/generate"));
  EXPECT_EQ(types().back(), "inference_complete");
}

TEST_F(RunWorkerTest, AModelThatCannotBeLoadedFailsItsRunAndCountsOnce) {
  engine_.on_load = [] { return fail(ErrorCode::corrupt, "m.gguf is truncated", "Load it anew."); };
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
  EXPECT_THAT(types(), Not(Contains("warning")));  // the error has said it
  EXPECT_THAT(metrics_.text({}),
              HasSubstr("enprof_errors_total{code=\"generation_failed\",component=\"engine\"} 1"));
}

TEST_F(RunWorkerTest, WhatIsThrownBeforeTheRunBeginsFailsIt) {
  engine_.on_load = []() -> Result<void> { throw std::runtime_error("on purpose"); };
  work();
  EXPECT_EQ(kept().status, RunStatus::failed);
  EXPECT_THAT(kept().warnings.at(0).message, HasSubstr("on purpose"));
  EXPECT_EQ(types().back(), "error");
  EXPECT_THAT(std::string(last("error")["message"]), HasSubstr("on purpose"));
}

TEST_F(RunWorkerTest, WhatIsThrownInMidRunFailsItAndLeavesWhatThereWas) {
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

}  // namespace
}  // namespace enprof
