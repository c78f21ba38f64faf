#include "session/command_session.hpp"

#include "model/command_engine.hpp"
#include "power/replay/replay_source.hpp"
#include "support/manual_clock.hpp"
#include "support/temp_dir.hpp"
#include "support/warning_codes.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <optional>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill is POSIX, not C++
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace enprof {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

/// Commands of the shell at a constant 10 W, timed by a clock that the test moves.
class CommandSessionTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(signals_.start(clock_)); }

  [[nodiscard]] Result<PowerMonitor> open_power() {
    std::vector<std::unique_ptr<PowerSource>> sources;
    sources.push_back(*ReplaySource::open(
        dir_.write("power.jsonl",
                   R"({"domain":"cpu","begin_ms":0,"end_ms":100000,"energy_mj":1000000})"),
        clock_));
    return PowerMonitor(std::move(sources), clock_);
  }
  [[nodiscard]] CommandSession::Options options() {
    return {
        .store = &*store_, .power = &power_, .signals = &signals_, .profiler = {.clock = &clock_}};
  }
  [[nodiscard]] static CommandTask shell(std::string script) {
    return {.words = {"sh", "-c", std::move(script)}, .path = "/bin/sh"};
  }
  [[nodiscard]] std::vector<RunSummary> stored() {
    const auto list = store_->list_runs();
    EXPECT_TRUE(list) << list.error().message;
    return list ? list->runs : std::vector<RunSummary>{};
  }

  testing::TempDir dir_;
  testing::ManualClock clock_;
  Result<ProfileDatabase> store_ = ProfileDatabase::connect(dir_.path() / "profiles.db");
  int baselines_ = 0;
  SignalQueue signals_;
  SessionPower power_{
      {.open = [this] { return open_power(); },
       .baseline = [this](PowerMonitor&, const std::stop_token&) -> std::optional<Warning> {
         ++baselines_;
         return std::nullopt;
       },
       .clock = &clock_}};
};

TEST_F(CommandSessionTest, ARunOfACommandHasNoTokensAndNoPhases) {
  CommandSession session(options());
  CommandTask task = shell("exit 0");
  task.tags = {"nightly"};
  task.experiment = "shells";
  const CommandOutcome outcome = session.perform(task);
  ASSERT_NE(outcome.run, nullptr);
  EXPECT_FALSE(outcome.error);
  const ProfiledRun& run = *outcome.run;
  EXPECT_EQ(run.status, RunStatus::completed);
  EXPECT_EQ(run.prompt, "sh -c 'exit 0'");
  EXPECT_EQ(run.model.name, "sh");
  EXPECT_EQ(run.model.path, "/bin/sh");
  EXPECT_TRUE(is_command(run.model.engine));
  EXPECT_EQ(run.finish_reason, "exit code 0");
  EXPECT_THAT(run.phases, IsEmpty());
  EXPECT_THAT(run.tokens, IsEmpty());
  EXPECT_EQ(run.response, "");
  ASSERT_EQ(stored().size(), 1U);
  EXPECT_EQ(stored()[0].engine, kCommandEngine);
  const auto kept = store_->get_run(run.run_id);
  ASSERT_TRUE(kept && *kept);
  EXPECT_EQ((*kept)->prompt, run.prompt);
  EXPECT_EQ((*kept)->finish_reason, "exit code 0");
  EXPECT_EQ((*kept)->tags, task.tags);
  EXPECT_EQ((*kept)->experiment, "shells");
}

TEST_F(CommandSessionTest, ItsEnergyIsThatOfItsTime) {
  CommandSession session(options());
  const std::filesystem::path ready = dir_.path() / "ready";
  CommandTask task = shell(": > " + ready.string() + "; exec sleep 1000");
  task.limits.timeout = 2s;
  auto performed = std::async(std::launch::async, [&] { return session.perform(task); });
  testing::wait_until("it has begun", [&] { return std::filesystem::exists(ready); });
  testing::wait_until("the time is over", [&] {
    clock_.pass(100ms);
    return performed.wait_for(0s) == std::future_status::ready;
  });
  const CommandOutcome outcome = performed.get();
  ASSERT_NE(outcome.run, nullptr);
  EXPECT_TRUE(outcome.end->timed_out);
  const ProfiledRun& run = *outcome.run;
  EXPECT_EQ(run.status, RunStatus::cancelled);
  EXPECT_EQ(run.finish_reason, "timeout");
  EXPECT_GE(run.totals.figure.duration, 2s);
  ASSERT_TRUE(run.totals.figure.total);
  EXPECT_NEAR(run.totals.figure.total->value() / (10.0 * seconds(run.totals.figure.duration)), 1.0,
              1e-6);
}

TEST_F(CommandSessionTest, IdleIsMeasuredBeforeTheFirstOnly) {
  CommandSession session(options());
  for (int count = 0; count < 3; ++count) {
    EXPECT_NE(session.perform(shell("exit 0")).run, nullptr);
  }
  EXPECT_EQ(baselines_, 1);
  EXPECT_EQ(stored().size(), 3U);
}

TEST_F(CommandSessionTest, ACommandThatFailsIsAFailedRun) {
  CommandSession session(options());
  const CommandOutcome outcome = session.perform(shell("exit 3"));
  ASSERT_NE(outcome.run, nullptr);
  EXPECT_EQ(outcome.run->status, RunStatus::failed);
  EXPECT_EQ(outcome.run->finish_reason, "exit code 3");
  ASSERT_FALSE(outcome.run->verdict_reasons.empty());
  EXPECT_EQ(outcome.run->verdict, VerdictLevel::not_comparable);
  EXPECT_EQ(outcome.run->verdict_reasons[0].message, "the command ended with exit code 3");
}

TEST_F(CommandSessionTest, ACommandThatIsNotStartedLeavesNoRun) {
  CommandSession session(options());
  const std::string path = dir_.write("script", "#!/no/such/interpreter\n").string();
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  const CommandOutcome outcome = session.perform({.words = {"script"}, .path = path});
  EXPECT_EQ(outcome.run, nullptr);
  ASSERT_TRUE(outcome.error);
  EXPECT_TRUE(outcome.was_refused);
  EXPECT_EQ(outcome.error->code, ErrorCode::not_found);
  EXPECT_THAT(stored(), IsEmpty());
}

TEST_F(CommandSessionTest, AfterASignalNothingIsStarted) {
  CommandSession session(options());
  signals_.push({.number = SIGINT, .sender = 0});
  const CommandOutcome outcome = session.perform(shell(": > started"));
  EXPECT_EQ(outcome.run, nullptr);
  EXPECT_FALSE(outcome.error);
  EXPECT_THAT(stored(), IsEmpty());
}

#if defined(__linux__)
TEST_F(CommandSessionTest, AProgramThatContainsLlamaCppSaysWhatWouldShowMore) {
  const std::filesystem::path plain = dir_.path() / "plain";
  const std::filesystem::path fake = dir_.path() / "server";
  for (const auto& program : {plain, fake}) {
    std::filesystem::copy_file("/bin/true", program);
  }
  // What is behind a program's end is a part of its file, and not of what runs.
  std::ofstream(fake, std::ios::app | std::ios::binary)
      << "%s: loaded meta data with %d key-value pairs and %d tensors from %s";
  CommandSession session(options());
  const auto codes = [&](const std::filesystem::path& program, std::optional<Depth> depth) {
    const CommandOutcome outcome =
        session.perform({.words = {program}, .path = program, .depth = depth});
    return outcome.run == nullptr ? std::vector<std::string>{"not run"}
                                  : testing::warning_codes(outcome.run->warnings);
  };
  EXPECT_THAT(codes(fake, Depth::module), Contains("llama_inside"));
  EXPECT_THAT(codes(fake, Depth::module), Contains("llama_inside")) << "it is searched once";
  EXPECT_THAT(codes(plain, Depth::module), Not(Contains("llama_inside")));
  EXPECT_THAT(codes(fake, std::nullopt), Not(Contains("llama_inside"))) << "--no-probe";
}

TEST_F(CommandSessionTest, ProcessesThatAreLeftAreAWarning) {
  CommandSession session(options());
  const std::string file = (dir_.path() / "pid").string();
  const CommandOutcome outcome =
      session.perform(shell("sleep 1000 & echo $! > " + file + "; exit 0"));
  ASSERT_NE(outcome.run, nullptr);
  EXPECT_EQ(outcome.run->status, RunStatus::completed);
  EXPECT_THAT(testing::warning_codes(outcome.run->warnings, "foreign_load"),
              Contains("processes_left"));
  std::ifstream in(file);
  pid_t pid = 0;
  in >> pid;
  ASSERT_GT(pid, 0);
  ::kill(pid, SIGKILL);
}
#endif

TEST_F(CommandSessionTest, WithoutPowerItHasATime) {
  SessionPower refused({.open = []() -> Result<PowerMonitor> {
                          return fail(ErrorCode::permission_denied, "no right", "sudo");
                        },
                        .clock = &clock_});
  ASSERT_TRUE(refused.open());
  auto without = options();
  without.power = &refused;
  CommandSession session(without);
  const CommandOutcome outcome = session.perform(shell("exit 0"));
  ASSERT_NE(outcome.run, nullptr);
  EXPECT_EQ(outcome.run->status, RunStatus::completed);
  EXPECT_FALSE(outcome.run->totals.figure.total);
  EXPECT_THAT(testing::warning_codes(outcome.run->warnings, "foreign_load"),
              Contains("power_failed"));
}

/// Notes what it is told.
class Noting final : public CommandObserver {
 public:
  explicit Noting(const LiveRequests& live) : live_(live) {}
  void on_begin(InferencePipelineProfiler&, PowerMonitor* power) override {
    told.emplace_back(power != nullptr ? "begin" : "begin without power");
  }
  void on_start(const std::string& run_id, Instant) override { told.push_back("start " + run_id); }
  void on_end() override {
    told.push_back(fmt::format("end, {} passes", live_.so_far(Instant::max()).passes));
  }
  std::vector<std::string> told;

 private:
  const LiveRequests& live_;
};

TEST_F(CommandSessionTest, AnObserverIsToldHowARunGoesOn) {
  LiveRequests live;
  Noting noting(live);
  CommandSession::Options given = options();
  given.live = &live;
  given.observer = &noting;
  CommandSession session(std::move(given));
  CaptureRecording passes;
  passes.contexts = {{.model = 0, .positions = 512}};
  const Instant at{};
  passes.add_pass(0, {.begin = at, .start = at, .end = at}, {},
                  std::vector<BatchSequence>{{.id = 0, .tokens = 9, .outputs = 1}});
  CommandTask task = shell("exit 0");
  task.passes = std::make_shared<const CaptureRecording>(passes);
  const CommandOutcome outcome = session.perform(task);
  ASSERT_NE(outcome.run, nullptr);
  EXPECT_THAT(noting.told, ElementsAre("begin", "start " + outcome.run->run_id, "end, 1 passes"));
}

TEST_F(CommandSessionTest, OfACommandThatIsNotStartedNoEndIsTold) {
  LiveRequests live;
  Noting noting(live);
  CommandSession::Options given = options();
  given.observer = &noting;
  CommandSession session(std::move(given));
  const CommandOutcome outcome =
      session.perform({.words = {"x"}, .path = dir_.write("x", "#!/nowhere/sh\n").string()});
  EXPECT_TRUE(outcome.was_refused);
  EXPECT_EQ(noting.told.size(), 2U);
}

}  // namespace
}  // namespace enprof
